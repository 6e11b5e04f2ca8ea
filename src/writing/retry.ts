import { isViolation } from '../db/constraint.ts';

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
