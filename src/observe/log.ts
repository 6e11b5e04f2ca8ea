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
