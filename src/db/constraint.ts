import { DrizzleQueryError } from 'drizzle-orm';
import { UnavailableError } from '../lib/errors.ts';

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

/**
 * What the database says when it cannot serve: no connection, no such user or database (08, 28, 3D), no room (53), an
 * operator's or the system's intervention (57, 58), and sessions that were given up or can only read (a standby).
 */
const cannotServe = /^(08|28|3D|53|57|58)|^(25P03|25006)$/;
/** It took a statement back that ran, or waited for a lock, for too long, or that it kept taking back for others. */
const tookBack = ['57014', '55P03', '40001', '40P01'];

/** The statement failed, and with it its transaction, because the database's machine lacks something. */
const shortages: Record<string, UnavailableError['reason']> = {
  '53000': 'EXHAUSTED',
  '53100': 'DISK_FULL',
  '53200': 'EXHAUSTED',
  '53300': 'EXHAUSTED',
  '53400': 'EXHAUSTED',
  '58030': 'DISK_FAILS',
};

/** What the driver and the system call a connection that failed. */
const connectionFailed = /^(CONNECT|E[A-Z]{4})/;

/**
 * The error of a database that cannot serve; undefined for any other one: a statement's own fault, or a bug.
 * @param entered whether the database had let the session in; nothing has been sent before that
 */
export function unavailability(error: unknown, entered: boolean): UnavailableError | undefined {
  for (const known of [error, (error as Error).cause]) if (known instanceof UnavailableError) return known;
  const { code = '' } = driverError(error);
  const shortage = shortages[code];
  if (shortage !== undefined) return new UnavailableError(shortage, error);
  if (!entered) return new UnavailableError('UNREACHABLE', error);
  if (tookBack.includes(code)) return new UnavailableError('SLOW', error);
  return cannotServe.test(code) || connectionFailed.test(code)
    ? new UnavailableError('LOST', error)
    : undefined;
}

/** What of a failed statement may be logged: its text, but none of its values. Undefined for any other error. */
export function describeDriverError(error: unknown): Record<string, unknown> | undefined {
  if (!(error instanceof DrizzleQueryError)) return undefined;
  const { code, constraint_name: constraint, message } = driverError(error);
  return { type: 'DatabaseError', code, constraint, message, statement: error.query };
}
