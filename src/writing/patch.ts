import type { Ctx, Run } from '../ctx.ts';
import { joined } from '../db/rows.ts';
import type { Statement } from '../db/statement.ts';
import { newUuid } from '../lib/id.ts';
import { type KeyValues, keyPlaceholders, keyValues } from './idempotency.ts';
import type { PatchStatement, PatchStatements, Refused } from './patch-statement.ts';
import type { Repeatable } from './rules.ts';
import { latestCtx, type WriteResult, writeEach } from './write-each.ts';

export interface PatchInput extends Repeatable {
  id: string;
  expectedVersion?: number | null | undefined;
}

/** The updates of a table. */
export interface Patches<Input extends PatchInput, Row> {
  /** The mutation, for the fingerprint of an idempotency key. */
  mutation: string;
  statementOf: PatchStatements;
  /** Returns the columns to set. Others keep their values. */
  columnsToSet(input: Input): Partial<Row>;
  /** Returns the row of an earlier result. */
  revive(answer: unknown): Row;
  /** Throws the AppError that explains why the row was not allowed to change. */
  refuse(row: Refused | null, input: Input): never;
}

interface Attempt<Input extends PatchInput> {
  ctx: Ctx;
  input: Input;
  key: KeyValues;
  /** The columns to set. */
  set: string[];
  /** The input of the statement. */
  row: Record<string, unknown>;
}

function newAttempt<Input extends PatchInput, Row>(
  ctx: Ctx,
  { mutation, columnsToSet }: Patches<Input, Row>,
  input: Input,
): Attempt<Input> {
  const { id, expectedVersion } = input;
  const values = columnsToSet(input);
  const set = Object.keys(values);
  const { idempotencyKey, fingerprint } = keyValues(mutation, input, null);
  const key = { idempotencyKey, fingerprint };
  const change = { changeId: newUuid(), at: ctx.now, actor: ctx.viewer.actor, requestId: ctx.requestId };
  const row = { ...values, ...key, ...change, id, set, expectedVersion };
  return { ctx, input, key: { ...key, answer: null }, set, row };
}

type Outcome = PatchStatement extends Statement<(infer Row)[]> ? Row : never;

async function patchAll<A extends Attempt<PatchInput>>(
  run: Run,
  statement: PatchStatement,
  attempts: readonly A[],
): Promise<Map<A, Outcome>> {
  const input = JSON.stringify(attempts.map(({ row }) => row));
  const rows = await run(statement, { ...keyPlaceholders(latestCtx(attempts)), input });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return new Map(
    attempts.map((attempt) => {
      const row = byId.get(attempt.input.id);
      if (row === undefined) throw new Error('The statement returned no row for its input.');
      return [attempt, row];
    }),
  );
}

/**
 * Changes fields of rows in one statement. Inputs with the same id run one after another, in a statement each. Returns the
 * results in the order of the inputs.
 */
export function runPatches<Input extends PatchInput, Row extends { id: string | null }>(
  ctx: Ctx,
  patches: Patches<Input, Row>,
  inputs: readonly Input[],
): Promise<WriteResult<Row>[]> {
  const { statementOf, revive, refuse } = patches;
  const attempts = inputs.map((input) => newAttempt(ctx, patches, input));
  const set = new Set(attempts.flatMap((attempt) => attempt.set));
  const hasKeys = attempts.some(({ key }) => key.idempotencyKey !== null);
  const statement = statementOf([...set], hasKeys);
  return writeEach<Attempt<Input>, Outcome, Row>(ctx, attempts, {
    group: statement.name,
    constraints: [],
    write: (run, all) => patchAll(run, statement, all),
    rowOf({ input }, outcome) {
      const { before, after } = outcome as unknown as { before: Refused | null; after: Row | null };
      return joined(after) ?? refuse(joined(before), input);
    },
    revive,
    settle: async () => new Map(),
  });
}
