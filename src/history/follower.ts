import { FollowingError } from '../lib/errors.ts';
import { type ChangeFilter, maxWaitingChanges } from './rules.ts';
import type { ChangeRow } from './table.ts';

/** One who follows changes: what it was not yet given waits here. */
export interface Follower {
  changes: AsyncIterableIterator<ChangeRow>;
  offer(change: ChangeRow): void;
  /** Without a reason it ends in peace, after what waits; with one, at once. */
  end(reason?: FollowingError): void;
}

function matches({ accountId, customerId }: ChangeFilter, change: ChangeRow): boolean {
  return (
    (accountId ?? change.accountId) === change.accountId &&
    (customerId ?? change.customerId) === change.customerId
  );
}

export function tooSlow(): FollowingError {
  return new FollowingError(
    'SERVICE_UNAVAILABLE',
    `More than ${maxWaitingChanges} changes wait for you. Subscribe again, and read what you missed in the history of the accounts.`,
  );
}

/** Values on their way to one who takes them one by one. */
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
    /** The next value, undefined after the last. Throws, once, the reason of the end. */
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

/** Makes a follower; `leave` is called once, however it ends. */
export function createFollower(filter: ChangeFilter, leave: () => void): Follower {
  const queue = createQueue<ChangeRow>();
  function end(reason?: FollowingError): void {
    if (!queue.isOpen()) return;
    queue.end(reason);
    leave();
  }
  // Not a generator: the return of one waits for its next change.
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
      else end(tooSlow());
    },
  };
}
