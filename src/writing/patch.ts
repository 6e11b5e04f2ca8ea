import type { Ctx, Run } from '../ctx.ts';
import { joined } from '../db/rows.ts';
import { AppError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { writeInBatch } from './batch.ts';
import {
  earlierAnswer,
  findEarlierAnswers,
  type KeyValues,
  keyConstraint,
  keyPlaceholders,
  keyValues,
} from './idempotency.ts';
import type { PatchStatement, PatchStatements, Refused } from './patch-statement.ts';
import { retryOnViolation } from './retry.ts';
import type { Repeatable } from './rules.ts';

/** The most updates in a batch. */
const maxBatchSize = 100;

export interface PatchInput extends Repeatable {
  id: string;
  expectedVersion?: number | null | undefined;
}

/**
 * The outcome of a patch: the earlier result of its key, the written row, or the row that was not allowed to change.
 */
export type PatchOutcome<Row> = { answer: unknown } | { after: Row } | { refused: Refused | null };

interface Attempt {
  ctx: Ctx;
  id: string;
  key: KeyValues;
  /** The input of the statement. */
  row: Record<string, unknown>;
}

function patchAll(run: Run, statement: PatchStatement, attempts: readonly Attempt[]) {
  const ctx = attempts.at(-1)?.ctx;
  if (ctx === undefined) throw new Error('A batch needs at least one update.');
  const input = JSON.stringify(attempts.map(({ row }) => row));
  return run(statement, { ...keyPlaceholders(ctx), input });
}

/** Returns the attempts whose id and key no earlier attempt has. Updates of the same row must run one after another. */
function withoutDuplicates(attempts: readonly Attempt[]): Attempt[] {
  const ids = new Set<string>();
  const keys = new Set<string>();
  return attempts.filter(({ id, key: { idempotencyKey } }) => {
    if (ids.has(id) || keys.has(idempotencyKey ?? '')) return false;
    ids.add(id);
    if (idempotencyKey !== null) keys.add(idempotencyKey);
    return true;
  });
}

/**
 * Updates a row in one batch with concurrent requests. An attempt that must wait for another one joins the next batch.
 */
async function patchInBatch(ctx: Ctx, statement: PatchStatement, attempt: Attempt) {
  const request = { item: attempt, size: 1, maxSize: maxBatchSize };
  for (;;) {
    const outcomes = await writeInBatch(ctx, statement.name, request, async (run, attempts) => {
      const firsts = withoutDuplicates(attempts);
      const rows = await patchAll(run, statement, firsts);
      const byId = new Map(rows.map((row) => [row.id, row]));
      return new Map(firsts.map((first) => [first, byId.get(first.id)]));
    });
    if (outcomes === undefined || outcomes.has(attempt)) return outcomes?.get(attempt);
  }
}

function outcomeOf<Row extends { id: string | null }>(
  { key }: Attempt,
  row: Awaited<ReturnType<typeof patchAll>>[number],
): PatchOutcome<Row> {
  const earlier = earlierAnswer(row, key);
  if (earlier instanceof AppError) throw earlier;
  if (earlier !== undefined) return { answer: earlier };
  const { before, after } = row as unknown as { before: Refused | null; after: Row | null };
  const written = joined(after);
  return written === null ? { refused: joined(before) } : { after: written };
}

function newAttempt(ctx: Ctx, mutation: string, input: PatchInput, values: Record<string, unknown>): Attempt {
  const { id, expectedVersion } = input;
  const { idempotencyKey, fingerprint } = keyValues(mutation, input, null);
  const key = { idempotencyKey, fingerprint };
  const change = { changeId: newUuid(), at: ctx.now, actor: ctx.viewer.actor, requestId: ctx.requestId };
  const row = { ...values, ...key, ...change, id, set: Object.keys(values), expectedVersion };
  return { ctx, id, key: { ...key, answer: null }, row };
}

/**
 * Runs a patch. `values` are the columns to set; others keep their values. Throws IdempotencyError. The caller explains
 * other refusals.
 */
export async function runPatch<Row extends { id: string | null }>(
  ctx: Ctx,
  { statementOf, mutation }: { statementOf: PatchStatements; mutation: string },
  input: PatchInput,
  values: Partial<Row>,
): Promise<PatchOutcome<Row>> {
  const attempt = newAttempt(ctx, mutation, input, values);
  const { key } = attempt;
  const statement = statementOf(Object.keys(values), key.idempotencyKey !== null);
  return retryOnViolation<PatchOutcome<Row>>(
    [keyConstraint],
    async (tries) => {
      const batched = tries === 1 ? await patchInBatch(ctx, statement, attempt) : undefined;
      const row = batched ?? (await patchAll(ctx.run, statement, [attempt]))[0];
      if (row === undefined) throw new Error('The statement returned no row for its input.');
      return outcomeOf(attempt, row);
    },
    async () => {
      const answer = (await findEarlierAnswers(ctx, [key])).get(key.idempotencyKey ?? '');
      if (answer instanceof AppError) throw answer;
      return answer === undefined ? undefined : { answer };
    },
  );
}
