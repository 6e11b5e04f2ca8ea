import { DrizzleQueryError } from 'drizzle-orm';

interface DriverError {
  code?: string;
  constraint_name?: string;
  message?: string;
}

/** What the driver says of an error that Drizzle may have wrapped; no other file knows how the two name things. */
function driverError(error: unknown): DriverError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return typeof cause === 'object' && cause !== null ? cause : {};
}

/** The name of the constraint that a statement violated, or undefined when it failed of something else. */
export function violatedConstraint(error: unknown): string | undefined {
  return driverError(error).constraint_name;
}

export function isViolation(error: unknown, constraints: readonly string[]): boolean {
  return constraints.includes(violatedConstraint(error) ?? '');
}

/** Serialization failure and deadlock: the database took the transaction back, and the same one may succeed now. */
export function mayRunAgain(error: unknown): boolean {
  return ['40001', '40P01'].includes(driverError(error).code ?? '');
}

/** What of a failed statement may be logged: its text, but none of its values. Undefined for any other error. */
export function describeDriverError(error: unknown): Record<string, unknown> | undefined {
  if (!(error instanceof DrizzleQueryError)) return undefined;
  const { code, constraint_name: constraint, message } = driverError(error);
  return { type: 'DatabaseError', code, constraint, message, statement: error.query };
}
