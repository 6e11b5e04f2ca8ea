import { SubscriptionError } from '../lib/errors.ts';
import { type ChangeFilter, maxWaitingChanges } from './rules.ts';
import type { ChangeRow } from './table.ts';

/** A subscription to changes. Changes that its client has not read yet are queued. */
export interface Subscription {
  changes: AsyncIterableIterator<ChangeRow>;
  offer(change: ChangeRow): void;
  /** Completes after the queued changes. With a reason, fails at once. */
  end(reason?: SubscriptionError): void;
}

function matches({ accountId, customerId }: ChangeFilter, change: ChangeRow): boolean {
  return (
    (accountId ?? change.accountId) === change.accountId &&
    (customerId ?? change.customerId) === change.customerId
  );
}

export function tooSlowError(): SubscriptionError {
  return new SubscriptionError(
    'SERVICE_UNAVAILABLE',
    `More than ${maxWaitingChanges} changes are waiting for the client. Subscribe again, and read the missed changes in the history of the accounts.`,
  );
}

/** A queue of values for one reader. */
function createQueue<T>() {
  let waiting: T[] = [];
  let ended = false;
  let failure: Error | undefined;
  let wake = () => {};
  return {
    isOpen: () => !ended,
    size: () => waiting.length,
    push(value: T): void {
      waiting.push(value);
      wake();
    },
    end(reason?: Error): void {
      ended = true;
      failure = reason;
      if (reason !== undefined) waiting = [];
      wake();
    },
    drop(): void {
      waiting = [];
    },
    /** Returns the next value, undefined after the last. Throws the reason of the end, once. */
    async take(): Promise<T | undefined> {
      while (waiting.length === 0 && !ended) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const thrown = failure;
      failure = undefined;
      if (thrown !== undefined) throw thrown;
      return waiting.shift();
    },
  };
}

/** Creates a subscription. `onEnd` is called once when it ends. */
export function createSubscription(filter: ChangeFilter, onEnd: () => void): Subscription {
  const queue = createQueue<ChangeRow>();
  function end(reason?: SubscriptionError): void {
    if (!queue.isOpen()) return;
    queue.end(reason);
    onEnd();
  }
  // Not a generator, because `return` of a generator waits for the next change.
  const changes: AsyncIterableIterator<ChangeRow> = {
    async next() {
      const value = await queue.take();
      return value === undefined ? { value, done: true } : { value, done: false };
    },
    async return() {
      queue.drop();
      end();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => changes,
  };
  return {
    changes,
    end,
    offer(change) {
      if (!queue.isOpen() || !matches(filter, change)) return;
      if (queue.size() < maxWaitingChanges) queue.push(change);
      else end(tooSlowError());
    },
  };
}
