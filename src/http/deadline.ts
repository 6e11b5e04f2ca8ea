import type { Cancel } from '../lib/cancel.ts';
import { DeadlineError } from '../lib/errors.ts';

const isInParts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/**
 * Ends work that takes too long: `cancel` is told, so that it begins nothing more, and the answer is a DeadlineError.
 * An answer that comes in parts is bound until its last.
 */
export function withDeadline<T>(
  timeoutMs: number,
  cancel: Cancel,
  work: () => T | Promise<T>,
): T | Promise<T> {
  const result = work();
  const atDeadline = (end: (late: DeadlineError) => void) =>
    setTimeout(() => {
      const late = new DeadlineError(timeoutMs);
      cancel.abort(late);
      end(late);
    }, timeoutMs).unref();
  if (!(result instanceof Promise)) {
    if (isInParts(result)) atDeadline(() => undefined);
    return result;
  }
  return new Promise((resolve, reject) => {
    const timer = atDeadline(reject);
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
