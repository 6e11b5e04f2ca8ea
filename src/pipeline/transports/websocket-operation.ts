import type { GraphQLError } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import type { Cancel } from '../../lib/cancel.ts';
import { isEvents, type Part, type Result } from '../exchange.ts';
import { toResult } from '../execute.ts';

/** An operation failed as a whole. graphql-ws sends its errors as an `error` message, which ends the operation. */
export class OperationError extends Error {
  override name = 'OperationError';
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super('The operation failed.');
    this.errors = errors;
  }
}

interface OperationOptions {
  /** Runs the pipeline. */
  run(): Promise<Result>;
  /** Masks the errors of a result. */
  show(part: Part): Part;
  /** Logs a masked result that is the only one of its operation. */
  log(part: Part): void;
  /** Waits until the socket takes more data. */
  drained(): Promise<void> | undefined;
  /** Aborted when the client completes the operation or the socket closes. */
  cancel: Cancel;
  /** Called once, when nothing of the operation runs any more. */
  onEnd(): void;
}

/** Returns a result. Throws OperationError if it has nothing but errors. */
function unlessFailed(part: Part): Part {
  const { errors, data, incremental } = part;
  if (errors === undefined || data !== undefined || incremental !== undefined) return part;
  throw new OperationError(errors);
}

/** Yields the results of an operation one by one. Takes the next event only if the socket takes more data. */
async function* resultsOf({ run, show, log, drained }: OperationOptions): AsyncGenerator<Part, undefined> {
  const result = await run();
  if (isEvents(result)) {
    for await (const batch of result) {
      for (const event of batch) {
        yield unlessFailed(show(event.result));
        await drained();
      }
    }
  } else if (isAsyncIterable<Part>(result)) {
    for await (const part of result) {
      yield unlessFailed(show(part));
      await drained();
    }
  } else {
    const shown = show(result);
    log(shown);
    yield unlessFailed(shown);
  }
  return undefined;
}

/**
 * Returns the results of an operation. Nothing runs before the first call of `next`. Unlike that of a generator,
 * `return` does not wait for a pending result, because graphql-ws frees the id of the operation when it returns.
 */
export function createOperation(options: OperationOptions): AsyncIterableIterator<Part, undefined> {
  const { cancel, show, onEnd } = options;
  const results = resultsOf(options);
  const done = { value: undefined, done: true } as const;
  let hasEnded = false;
  let settle: ((result: typeof done) => void) | undefined;

  function end(): void {
    if (!hasEnded) onEnd();
    hasEnded = true;
  }
  async function pull(): Promise<IteratorResult<Part, undefined>> {
    try {
      const result = await results.next();
      if (result.done) end();
      return result;
    } catch (error) {
      end();
      if (error instanceof OperationError) throw error;
      throw new OperationError(show(toResult(error)).errors ?? []);
    }
  }
  const operation: AsyncIterableIterator<Part, undefined> = {
    next() {
      if (cancel.signal.aborted) return Promise.resolve(done);
      return new Promise((resolve, reject) => {
        settle = resolve;
        pull().then(resolve, reject);
      });
    },
    async return() {
      cancel.abort(new Error('The client completed the operation.'));
      settle?.(done);
      void results.return(undefined).then(end, end);
      return done;
    },
    [Symbol.asyncIterator]: () => operation,
  };
  return operation;
}
