import type { Ctx, Run } from '../ctx.ts';
import { joined } from '../db/rows.ts';
import { AppError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { writeTogether } from './batch.ts';
import {
  answersSoFar,
  earlierAnswer,
  type KeyValues,
  keyConstraint,
  keyPlaceholders,
  keyValues,
} from './idempotency.ts';
import type { patchStatement, Refused } from './patch-statement.ts';
import { retryOnViolation } from './retry.ts';
import type { Repeatable } from './rules.ts';

/** So many updates go out as one at most. */
const maxTogether = 100;

export interface PatchInput extends Repeatable {
  id: string;
  expectedVersion?: number | null | undefined;
}

type Statement = ReturnType<typeof patchStatement>;

/** How a patch ended: the row that it wrote, what was answered before, or the row that it was not allowed to change. */
export type PatchOutcome<Row> = { answer: unknown } | { after: Row } | { refused: Refused | null };

interface Attempt {
  ctx: Ctx;
  id: string;
  key: KeyValues;
  /** What the statement gets of it. */
  row: Record<string, unknown>;
}

function patchAll(run: Run, statement: Statement, attempts: readonly Attempt[]) {
  const ctx = attempts.at(-1)?.ctx;
  if (ctx === undefined) throw new Error('There is nothing to update.');
  const input = JSON.stringify(attempts.map(({ row }) => row));
  return run(statement, { ...keyPlaceholders(ctx), input });
}

/** Those that name an id or key which none before them names: of one row, each update must see the one before. */
function firstOfEach(attempts: readonly Attempt[]): Attempt[] {
  const ids = new Set<string>();
  const keys = new Set<string>();
  return attempts.filter(({ id, key: { idempotencyKey } }) => {
    if (ids.has(id) || keys.has(idempotencyKey ?? '')) return false;
    ids.add(id);
    if (idempotencyKey !== null) keys.add(idempotencyKey);
    return true;
  });
}

/** Runs the statement for all who update rows at the moment; whoever has to wait for one of them goes out with the next. */
async function patchTogether(ctx: Ctx, statement: Statement, attempt: Attempt) {
  const asking = { ask: attempt, size: 1, maxSize: maxTogether };
  for (;;) {
    const outcomes = await writeTogether(ctx, statement.name, asking, async (run, attempts) => {
      const firsts = firstOfEach(attempts);
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

function attemptOf(ctx: Ctx, mutation: string, input: PatchInput, values: Record<string, unknown>): Attempt {
  const { id, expectedVersion } = input;
  const { idempotencyKey, fingerprint } = keyValues(mutation, input, null);
  const key = { idempotencyKey, fingerprint };
  const change = { changeId: newUuid(), at: ctx.now, actor: ctx.viewer.actor, requestId: ctx.requestId };
  const row = { ...values, ...key, ...change, id, set: Object.keys(values), expectedVersion };
  return { ctx, id, key: { ...key, answer: null }, row };
}

/**
 * Runs a patch. `values` are the columns to set; a column that is not there stays. Throws IdempotencyError; a refusal
 * is for the caller to explain, for it knows the rules.
 */
export async function runPatch<Row extends { id: string | null }>(
  ctx: Ctx,
  { statement, mutation }: { statement: Statement; mutation: string },
  input: PatchInput,
  values: Partial<Row>,
): Promise<PatchOutcome<Row>> {
  const attempt = attemptOf(ctx, mutation, input, values);
  const { key } = attempt;
  return retryOnViolation<PatchOutcome<Row>>(
    [keyConstraint],
    async (tries) => {
      const together = tries === 1 ? await patchTogether(ctx, statement, attempt) : undefined;
      const row = together ?? (await patchAll(ctx.run, statement, [attempt]))[0];
      if (row === undefined) throw new Error('The statement lost its input.');
      return outcomeOf(attempt, row);
    },
    async () => {
      const answer = (await answersSoFar(ctx, [key])).get(key.idempotencyKey ?? '');
      if (answer instanceof AppError) throw answer;
      return answer === undefined ? undefined : { answer };
    },
  );
}
