import { type DestinationStream, type Logger, pino } from 'pino';
import { describeDriverError } from '../db/constraint.ts';
import { UnavailableError } from '../lib/errors.ts';

/** What a log may say of an error: never the values of a statement, which hold emails and addresses. */
function serializeError(error: unknown): Record<string, unknown> {
  const driver = describeDriverError(error);
  if (driver !== undefined) return driver;
  if (error instanceof UnavailableError) {
    const { name: type, reason, cause } = error;
    return { type, reason, ...(cause === undefined ? {} : { cause: serializeError(cause) }) };
  }
  return error instanceof Error
    ? { type: error.name, message: error.message, stack: error.stack }
    : { type: typeof error };
}

/**
 * One JSON line per event on standard error: standard output is for what a person asked for. `ids` are added to
 * every line.
 */
export function createLog(
  level: string,
  ids?: () => object,
  destination: DestinationStream = pino.destination(2),
): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: serializeError },
    ...(ids && { mixin: ids }),
  };
  return pino(options, destination);
}

export interface AnsweredRequest {
  requestId: string;
  method: string;
  status: number;
  /** Who sent it; undefined when nobody was let in. */
  viewer: { tenant: { id: number }; actor: string } | undefined;
  /** The codes of its errors. */
  codes: string[] | undefined;
  /** By the clock of `performance.now`. */
  beganAt: number;
}

/**
 * Logs a line for a request: who sent it, how it ended, how long it took. Nothing of what it says, neither of its
 * address nor of its body. A line costs as much as a tenth of a small request, so it is one for debugging.
 */
export function logRequest(log: Logger, { viewer, beganAt, ...answered }: AnsweredRequest): void {
  const ms = Math.round((performance.now() - beganAt) * 1000) / 1000;
  const key = viewer && { tenant: viewer.tenant.id, actor: viewer.actor };
  log.debug({ ...answered, ...key, ms }, 'answered a request');
}
