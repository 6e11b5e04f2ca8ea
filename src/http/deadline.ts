import type { Cancel } from '../lib/cancel.ts';
import { DeadlineError } from '../lib/errors.ts';

const isInParts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

interface Limit {
  timeoutMs: number;
  /** Start of the period, by `performance.now()`; default: now. */
  since?: number | undefined;
}

/**
 * Rejects with DeadlineError if work takes too long, and aborts `cancel` so that no more work starts. For a stream, the
 * deadline applies until its last part.
 */
export function withDeadline<T>(
  { timeoutMs, since = performance.now() }: Limit,
  cancel: Cancel,
  work: () => T | Promise<T>,
): T | Promise<T> {
  const leftMs = since + timeoutMs - performance.now();
  if (leftMs <= 0) throw new DeadlineError(timeoutMs);
  const end = (tell?: (late: DeadlineError) => void) => {
    const late = new DeadlineError(timeoutMs);
    cancel.abort(late);
    tell?.(late);
  };
  const result = work();
  if (!(result instanceof Promise)) {
    if (isInParts(result)) setTimeout(end, leftMs).unref();
    return result;
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(end, leftMs, reject).unref();
    result.then(
      (value) => {
        if (!isInParts(value)) clearTimeout(timer);
        resolve(value);
      },
      (error: Error) => {
        clearTimeout(timer);
        reject(error);
      },
    );
  });
}
