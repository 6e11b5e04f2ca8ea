import { DrizzleQueryError } from 'drizzle-orm';
import { UnavailableError } from '../lib/errors.ts';

interface DriverError {
  code?: string;
  constraint_name?: string;
  message?: string;
}

/** Returns the error of the driver, which Drizzle may have wrapped. */
function driverError(error: unknown): DriverError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return typeof cause === 'object' && cause !== null ? cause : {};
}

/** Returns the name of the violated constraint; undefined for other errors. */
export function violatedConstraint(error: unknown): string | undefined {
  return driverError(error).constraint_name;
}

export function isViolation(error: unknown, constraints: readonly string[]): boolean {
  return constraints.includes(violatedConstraint(error) ?? '');
}

/** Returns whether a transaction failed because of a deadlock or serialization failure, so that a retry may succeed. */
export function isRetryable(error: unknown): boolean {
  return ['40001', '40P01'].includes(driverError(error).code ?? '');
}

/**
 * SQLSTATE codes of an unavailable database: connection errors, an unknown user or database, insufficient resources, an
 * operator's intervention, system errors, and sessions that are closed or read-only.
 */
const unavailableCodes = /^(08|28|3D|53|57|58)|^(25P03|25006)$/;
/**
 * SQLSTATE codes of statements that were rolled back: statement timeout, lock timeout, serialization failure, deadlock.
 */
const rolledBackCodes = ['57014', '55P03', '40001', '40P01'];

/** SQLSTATE codes of a database host that lacks resources. The transaction was rolled back. */
const shortageReasons: Record<string, UnavailableError['reason']> = {
  '53000': 'EXHAUSTED',
  '53100': 'DISK_FULL',
  '53200': 'EXHAUSTED',
  '53300': 'EXHAUSTED',
  '53400': 'EXHAUSTED',
  '58030': 'DISK_FAILS',
};

/** Error codes of the driver and the system for a failed connection. */
const connectionErrorCodes = /^(CONNECT|E[A-Z]{4})/;

/**
 * Returns the error of an unavailable database; undefined for other errors.
 * @param entered whether the session was established; nothing has been sent before
 */
export function toUnavailableError(error: unknown, entered: boolean): UnavailableError | undefined {
  for (const known of [error, (error as Error).cause]) if (known instanceof UnavailableError) return known;
  const { code = '' } = driverError(error);
  const shortage = shortageReasons[code];
  if (shortage !== undefined) return new UnavailableError(shortage, error);
  if (!entered) return new UnavailableError('UNREACHABLE', error);
  if (rolledBackCodes.includes(code)) return new UnavailableError('SLOW', error);
  return unavailableCodes.test(code) || connectionErrorCodes.test(code)
    ? new UnavailableError('LOST', error)
    : undefined;
}

/** Returns the loggable part of a failed statement: its text without its values. Undefined for other errors. */
export function describeDriverError(error: unknown): Record<string, unknown> | undefined {
  if (!(error instanceof DrizzleQueryError)) return undefined;
  const { code, constraint_name: constraint, message } = driverError(error);
  return { type: 'DatabaseError', code, constraint, message, statement: error.query };
}
