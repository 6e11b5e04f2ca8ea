import type { Ctx } from '../ctx.ts';
import { isViolation } from '../db/constraint.ts';
import { AppError } from '../lib/errors.ts';
import { answersSoFar, type KeyValues, keyConstraint, type Written } from './idempotency.ts';

/** The attempts of a write that concurrent writes get in the way of. */
const maxTries = 10;

/**
 * Runs a write until none of the constraints refuses it. After each violation, `settle` decides: it returns a result,
 * throws a refusal, or returns undefined to try again.
 */
export async function retryOnViolation<Result>(
  constraints: readonly string[],
  write: (tries: number) => Promise<Result>,
  settle: (violation: unknown) => Promise<Result | undefined>,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await write(tries);
    } catch (error) {
      if (!isViolation(error, constraints) || tries === maxTries) throw error;
      const settled = await settle(error);
      if (settled !== undefined) return settled;
    }
  }
}

/** A write of one row, which an idempotency key can repeat. */
export interface KeyedWrite<Row> {
  key: KeyValues;
  /** The constraints that concurrent writes can make it violate. */
  constraints: readonly string[];
  write(tries: number): Promise<Written<Row>>;
  /** Returns the row of an earlier answer. */
  revive(answer: unknown): Row;
  /** Throws a refusal, or prepares the next attempt. */
  settle?(violation: unknown): Promise<void>;
}

/**
 * Runs a write. If a constraint refuses it, an equal request may have been faster: then its answer is replayed.
 * Throws IdempotencyError, and the errors of `write` and `settle`.
 */
export function writeKeyed<Row>(ctx: Ctx, keyed: KeyedWrite<Row>): Promise<Written<Row>> {
  const { key, constraints, write, revive } = keyed;
  return retryOnViolation([...constraints, keyConstraint], write, async (violation) => {
    const answer = (await answersSoFar(ctx, [key])).get(key.idempotencyKey ?? '');
    if (answer instanceof AppError) throw answer;
    if (answer !== undefined) return { written: revive(answer), replayed: true };
    await keyed.settle?.(violation);
    return undefined;
  });
}
