import type { Ctx } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { ErrorInterface } from '../graphql/errors.ts';
import { InvalidInputError, NotFoundError } from '../lib/errors.ts';
import { expectedVersion } from '../lib/fields.ts';
import { issuesOf } from '../lib/wording.ts';
import type { z } from '../lib/zod.ts';
import {
  IdempotencyError,
  IdTakenError,
  LimitExceededError,
  NotAllowedInStatusError,
  VersionConflictError,
} from './errors.ts';
import type { Written } from './idempotency.ts';
import { dryRun, idempotencyKey, inputsPerCall } from './rules.ts';
import type { WriteResult } from './write-each.ts';

type InputFields = PothosSchemaTypes.InputFieldBuilder<typeof builder.$inferSchemaTypes, 'InputObject'>;

export const neverCleared = 'Cannot be cleared.';

/** Returns the input fields of `writeOptions`. */
export function writeOptionFields(t: InputFields) {
  return {
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
    dryRun: t.boolean({ description: describeRule(dryRun) }),
  };
}

/** Returns the input fields of every archive and restore. */
export function entityFields(t: InputFields, idDescription: string) {
  return {
    id: t.id({ required: true, description: idDescription }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    ...writeOptionFields(t),
  };
}

builder.objectType(IdTakenError, {
  name: 'IdTakenError',
  description:
    'The id is in use. Account ids and aliases share one namespace: an alias holds an id while it is in force and before it begins, but not after it has ended.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id in use.' }),
    accountId: t.exposeID('accountId', {
      nullable: true,
      description: 'The account that has it as its id or alias; `null` if a customer has it as its id.',
    }),
  }),
});

builder.objectType(NotAllowedInStatusError, {
  name: 'NotAllowedInStatusError',
  description: 'The status of the entity, or of its customer, does not allow the change.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    type: t.exposeString('type', {
      description: 'The type of the entity in that status, `Account` or `Customer`.',
    }),
    id: t.exposeID('id', {
      description: 'The id of the entity in that status: the account, or its customer.',
    }),
    status: t.exposeString('status', {
      description: 'The status, such as `ARCHIVED`.',
    }),
    liveAccountIds: t.idList({
      nullable: true,
      description:
        'The first live accounts of a customer, if they prevent archiving it. Empty without the scope `accounts:read`; `null` for other reasons.',
      resolve: (error) => error.liveAccounts?.ids ?? null,
    }),
    liveAccountCount: t.int({
      nullable: true,
      description: 'The number of live accounts; `null` for other reasons.',
      resolve: (error) => error.liveAccounts?.total ?? null,
    }),
  }),
});

builder.objectType(IdempotencyError, {
  name: 'IdempotencyError',
  description:
    'The idempotency key was used with another input (`IDEMPOTENCY_KEY_REUSED`), or its first request still runs (`IDEMPOTENCY_IN_PROGRESS`).',
  interfaces: [ErrorInterface],
});

builder.objectType(VersionConflictError, {
  name: 'VersionConflictError',
  description: "The entity's version differs from `expectedVersion` because another request changed it.",
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', { description: "The entity's current version." }),
  }),
});

builder.objectType(LimitExceededError, {
  name: 'LimitExceededError',
  description: 'The change would exceed a limit of the entity.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'The maximum that the change would exceed.' }),
  }),
});

/** The errors that every mutation can return. */
export const commonErrors = [InvalidInputError, IdempotencyError];
/** The errors that every change of an account or customer can return. */
export const changeErrors = [...commonErrors, NotFoundError, VersionConflictError, NotAllowedInStatusError];

export const replayedDescription =
  'Whether this is the first result of the same idempotency key. Data that the first request did not change is current.';

/** The field of every success that says whether the write was rolled back. */
export const dryRunField = {
  description: 'Whether the mutation was a dry run, so that nothing was written.',
  resolve: (_success: unknown, _args: object, { isDryRun }: Ctx) => isDryRun,
};

/** The number of inputs of a mutation of several entities, in words. */
export const inputCount = `${inputsPerCall.min} to ${inputsPerCall.max}`;
/** The validation of these inputs. Each of them is validated alone by `writeValid`. */
export const validInputCount = { minLength: inputsPerCall.min, maxLength: inputsPerCall.max };

/** Writes the valid inputs. Returns a success or an error for each input, in the order of the inputs. */
export async function writeValid<Input, Row, Success>(
  rule: z.ZodType<Input>,
  inputs: readonly unknown[],
  write: (valid: Input[]) => Promise<WriteResult<Row>[]>,
  toSuccess: (written: Written<Row>) => Success,
): Promise<Success[]> {
  const parsed = inputs.map((input) => rule.safeParse(input));
  const results = (await write(parsed.flatMap((one) => (one.success ? [one.data] : [])))).values();
  return parsed.map((one) => {
    // The errors plugin accepts errors as items, though its types do not.
    if (!one.success) return new InvalidInputError(issuesOf(one.error)) as never;
    const { value: result } = results.next();
    if (result === undefined) throw new Error('An input has no result.');
    return result instanceof Error ? (result as never) : toSuccess(result);
  });
}
