import type { Ctx } from '../ctx.ts';
import { isViolation } from '../db/constraint.ts';
import { AppError } from '../lib/errors.ts';
import { findEarlierAnswers, type KeyValues, keyConstraint, type Written } from './idempotency.ts';

/** The most attempts of a write that conflicts with concurrent writes. */
const maxTries = 10;

/**
 * Runs a write until no constraint fails. After each violation, `settle` returns a result, throws a refusal, or returns
 * undefined to try again.
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

/** A write of one row that an idempotency key can repeat. */
export interface KeyedWrite<Row> {
  key: KeyValues;
  /** The constraints that can fail because of concurrent writes. */
  constraints: readonly string[];
  write(tries: number): Promise<Written<Row>>;
  /** Returns the row of an earlier result. */
  revive(answer: unknown): Row;
  /** Throws a refusal, or prepares the next attempt. */
  settle?(violation: unknown): Promise<void>;
}

/**
 * Runs a write. If a constraint fails because an equal request finished first, returns the result of that request.
 * Throws IdempotencyError, and the errors of `write` and `settle`.
 */
export function writeKeyed<Row>(ctx: Ctx, keyed: KeyedWrite<Row>): Promise<Written<Row>> {
  const { key, constraints, write, revive } = keyed;
  return retryOnViolation([...constraints, keyConstraint], write, async (violation) => {
    const answer = (await findEarlierAnswers(ctx, [key])).get(key.idempotencyKey ?? '');
    if (answer instanceof AppError) throw answer;
    if (answer !== undefined) return { written: revive(answer), replayed: true };
    await keyed.settle?.(violation);
    return undefined;
  });
}
