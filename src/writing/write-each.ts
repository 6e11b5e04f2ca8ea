import type { Ctx, Run } from '../ctx.ts';
import { AppError } from '../lib/errors.ts';
import { writeInBatch } from './batch.ts';
import { IdempotencyError } from './errors.ts';
import {
  earlierAnswer,
  findEarlierAnswers,
  type KeyOutcome,
  type KeyValues,
  keyConstraint,
  type Written,
} from './idempotency.ts';
import { retryOnViolation } from './retry.ts';
import { inputsPerCall } from './rules.ts';

/** The result of one of several inputs: the row, or the reason why it was refused. */
export type WriteResult<Row> = Written<Row> | AppError;

/** The work for one input. */
export interface Attempt {
  ctx: Ctx;
  input: { id: string };
  key: KeyValues;
}

/** A write of several attempts in one statement. */
export interface EachWrite<A extends Attempt, Outcome extends KeyOutcome, Row> {
  /** Concurrent requests of the same group share a statement. */
  group: string;
  /** The constraints that can fail because of other attempts or concurrent writes. */
  constraints: readonly string[];
  /** Writes attempts with different ids, and returns their outcomes. If a constraint fails, throws and writes nothing. */
  write(run: Run, attempts: readonly A[]): Promise<Map<A, Outcome>>;
  /** Returns the row of an attempt whose idempotency key is new. Throws the AppError of a refusal. */
  rowOf(attempt: A, outcome: Outcome): Row;
  /** Returns the row of an earlier result. */
  revive(answer: unknown): Row;
  /** Returns the refused attempts after a violation, and prepares the others to be written again. */
  settle(attempts: readonly A[]): Promise<Map<A, AppError>>;
}

/** Returns the context of the latest of the batched requests. */
export function latestCtx(attempts: readonly Attempt[]): Ctx {
  const last = attempts.at(-1);
  if (last === undefined) throw new Error('A batch needs at least one attempt.');
  return last.ctx;
}

/** Returns the outcomes of a statement by their attempts. `place` is the index of the attempt. */
export function byPlace<A, Outcome extends { place: number }>(
  attempts: readonly A[],
  outcomes: readonly Outcome[],
): Map<A, Outcome> {
  const placed = new Map(outcomes.map((outcome) => [outcome.place, outcome]));
  return new Map(attempts.map((attempt, place) => [attempt, placed.get(place) ?? throwMissingResult()]));
}

function throwMissingResult(): never {
  throw new Error('An input has no result.');
}

/** Refuses attempts that repeat an idempotency key of the same request: the first one has no result yet. */
function refuseRepeatedKeys<A extends Attempt>(attempts: readonly A[]): [A, AppError][] {
  const seen = new Map<string, KeyValues>();
  return attempts.flatMap((attempt): [A, AppError][] => {
    const { idempotencyKey, fingerprint } = attempt.key;
    if (idempotencyKey === null) return [];
    const first = seen.get(idempotencyKey);
    if (first === undefined) {
      seen.set(idempotencyKey, attempt.key);
      return [];
    }
    const same = first.fingerprint === fingerprint;
    return [[attempt, new IdempotencyError(same ? 'IDEMPOTENCY_IN_PROGRESS' : 'IDEMPOTENCY_KEY_REUSED')]];
  });
}

/**
 * Returns the attempts whose id and key no earlier attempt has. Writes of the same row run one after another, and a
 * statement finds what belongs to a row by its id.
 */
function withoutRepeats<A extends Attempt>(attempts: readonly A[]): A[] {
  const ids = new Set<string>();
  const keys = new Set<string>();
  return attempts.filter(({ input: { id }, key: { idempotencyKey } }) => {
    if (ids.has(id) || keys.has(idempotencyKey ?? '')) return false;
    ids.add(id);
    if (idempotencyKey !== null) keys.add(idempotencyKey);
    return true;
  });
}

function resultOf<A extends Attempt, Outcome extends KeyOutcome, Row>(
  { rowOf, revive }: EachWrite<A, Outcome, Row>,
  attempt: A,
  outcome: Outcome,
): WriteResult<Row> {
  const earlier = earlierAnswer(outcome, attempt.key);
  if (earlier instanceof AppError) return earlier;
  if (earlier !== undefined) return { written: revive(earlier), replayed: true };
  try {
    return { written: rowOf(attempt, outcome), replayed: false };
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

/**
 * Returns the results of attempts that an earlier request has completed. Their rows exist, so they would look like
 * conflicts.
 */
async function findReplays<A extends Attempt, Row>(
  ctx: Ctx,
  attempts: readonly A[],
  revive: (answer: unknown) => Row,
): Promise<Map<A, WriteResult<Row>>> {
  const answers = await findEarlierAnswers(
    ctx,
    attempts.map(({ key }) => key),
  );
  const found = attempts.flatMap((attempt): [A, WriteResult<Row>][] => {
    const answer = answers.get(attempt.key.idempotencyKey ?? '');
    if (answer === undefined) return [];
    return [[attempt, answer instanceof AppError ? answer : { written: revive(answer), replayed: true }]];
  });
  return new Map(found);
}

/**
 * Writes attempts in one statement, in one batch with concurrent requests. Attempts with the same id run one after
 * another, in a statement each. A refused attempt does not affect the others: after a violation, the statement runs again
 * without those that are refused. Returns the results in the order of the attempts.
 */
export async function writeEach<A extends Attempt, Outcome extends KeyOutcome, Row>(
  ctx: Ctx,
  attempts: readonly A[],
  each: EachWrite<A, Outcome, Row>,
): Promise<WriteResult<Row>[]> {
  const { group, constraints, revive, settle } = each;
  const write = (run: Run, all: readonly A[]) => each.write(run, withoutRepeats(all));
  const results = new Map<A, WriteResult<Row>>(refuseRepeatedKeys(attempts));
  const findOpen = () => attempts.filter((attempt) => !results.has(attempt));

  async function writeOpen(tries: number): Promise<typeof results> {
    for (let open = findOpen(); open.length > 0; open = findOpen()) {
      const request = { item: open, size: open.length, maxSize: inputsPerCall.max };
      const batched =
        tries === 1
          ? await writeInBatch(ctx, group, request, (run, items) => write(run, items.flat()))
          : undefined;
      const outcomes = batched ?? (await write(ctx.run, open));
      ctx.forget();
      for (const attempt of open) {
        const outcome = outcomes.get(attempt);
        if (outcome !== undefined) results.set(attempt, resultOf(each, attempt, outcome));
      }
    }
    return results;
  }

  await retryOnViolation([...constraints, keyConstraint], writeOpen, async () => {
    const open = findOpen();
    const replays = await findReplays(ctx, open, revive);
    const settled = replays.size > 0 ? replays : await settle(open);
    for (const [attempt, result] of settled) results.set(attempt, result);
    return undefined;
  });
  return attempts.map((attempt) => results.get(attempt) ?? throwMissingResult());
}

/** Returns the result of a write of one input. Throws the AppError of a refusal. */
export function onlyResult<Row>([result = throwMissingResult()]: readonly WriteResult<Row>[]): Written<Row> {
  if (result instanceof AppError) throw result;
  return result;
}
