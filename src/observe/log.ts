import { type DestinationStream, type Logger, pino } from 'pino';
import { describeDriverError } from '../db/constraint.ts';
import { UnavailableError } from '../lib/errors.ts';

/** Serialises an error without the values of a statement, which hold emails and addresses. */
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
 * Creates the log: one JSON line per event on standard error, because standard output is for results. `ids` are added
 * to every line.
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
  /** Undefined if the token was invalid. */
  viewer: { tenant: { id: number }; actor: string } | undefined;
  /** Error codes of the response. */
  codes: string[] | undefined;
  /** Arrival, by `performance.now()`. */
  beganAt: number;
}

/**
 * Logs one line per request: its key, status and duration, and nothing from its path or body. The level is debug
 * because a line is costly compared with a small request.
 */
export function logRequest(log: Logger, { viewer, beganAt, ...answered }: AnsweredRequest): void {
  const ms = Math.round((performance.now() - beganAt) * 1000) / 1000;
  const key = viewer && { tenant: viewer.tenant.id, actor: viewer.actor };
  log.debug({ ...answered, ...key, ms }, 'Request finished');
}
