import { DeadlineError } from '../lib/errors.ts';

const isInParts = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

/**
 * Ends work that takes too long: `cancel` is told, so that it begins nothing more, and the answer is a DeadlineError.
 * An answer that comes in parts is bound until its last.
 */
export function withDeadline<T>(
  timeoutMs: number,
  cancel: AbortController,
  work: () => T | Promise<T>,
): T | Promise<T> {
  const result = work();
  const isLater = result instanceof Promise;
  if (!isLater && !isInParts(result)) return result;
  const timer = setTimeout(() => cancel.abort(new DeadlineError(timeoutMs)), timeoutMs).unref();
  if (!isLater) return result;
  return new Promise((resolve, reject) => {
    cancel.signal.addEventListener('abort', () => reject(cancel.signal.reason as Error));
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
