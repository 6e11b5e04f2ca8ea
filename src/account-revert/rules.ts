import { type AliasClash, AliasTakenError } from '../alias/rules.ts';
import { AppError, InvalidInputError, type Issue } from '../lib/errors.ts';
import { entityReference, expectedVersion } from '../lib/fields.ts';
import { z } from '../lib/zod.ts';
import { writeOptions } from '../writing/rules.ts';

export const toVersion = z
  .int()
  .min(1)
  .describe('The version whose values to write again, as in `history`. The current version changes nothing.');

export const revertAccountInput = z.object({
  id: entityReference,
  toVersion,
  expectedVersion: expectedVersion.nullish(),
  ...writeOptions,
});

export type RevertAccountInput = z.output<typeof revertAccountInput>;

/** Values or aliases of an earlier version cannot be written now. */
export class RevertRefusedError extends AppError {
  readonly code = 'REVERT_REFUSED';
  /** The values that the current rules refuse. Paths begin at the account. */
  readonly issues: Issue[];
  /** The aliases that other accounts hold. */
  readonly clashes: AliasClash[];

  constructor({ id, toVersion: version }: RevertAccountInput, issues: Issue[], clashes: AliasClash[]) {
    const taken = new AliasTakenError(clashes);
    const reasons = [
      ...(issues.length > 0 ? [`${new InvalidInputError(issues).message}.`] : []),
      ...(clashes.length > 0 ? [taken.message] : []),
    ];
    super(
      `Version ${version} of the account ${JSON.stringify(id)} cannot be written again. ${reasons.join(' ')}`,
    );
    this.issues = issues;
    this.clashes = taken.clashes;
  }
}
