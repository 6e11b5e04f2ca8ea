import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';

/** How long an answer is used again. What is revoked ends everywhere within 5 s: this, and a second for a slow answer. */
export const freshMs = 4_000;
const maxRemembered = 10_000;
const maxBatchSize = 1_000;

/** What was found, for each of the keys in their order; undefined for those of which there is nothing. */
export type Find<Found> = (keys: readonly string[]) => Promise<readonly (Found | undefined)[]>;

/** Lets batches go out one after another: what is asked meanwhile waits, and goes out together. */
function oneByOne() {
  const waiting: (() => void)[] = [];
  let underWay = false;
  const next = () => {
    if (!underWay) waiting.shift()?.();
  };
  return {
    schedule(dispatch: () => void): void {
      waiting.push(dispatch);
      queueMicrotask(next);
    },
    async track<T>(work: Promise<T>): Promise<T> {
      underWay = true;
      try {
        return await work;
      } finally {
        underWay = false;
        next();
      }
    },
  };
}

/** Remembers what was found for a moment, of so many keys as fit; `since` is when the look began. */
export function createMemory<Found>() {
  const remembered = new LRUCache<string, { found: Found; since: number }>({ max: maxRemembered });
  return {
    recall(key: string): Found | undefined {
      const known = remembered.get(key);
      const age = known === undefined ? -1 : Date.now() - known.since;
      // A clock that was set back makes an answer old, not young for longer.
      return known !== undefined && age >= 0 && age < freshMs ? known.found : undefined;
    },
    remember(key: string, found: Found, since: number): void {
      remembered.set(key, { found, since });
    },
    forget(key: string): void {
      remembered.delete(key);
    },
  };
}

/**
 * A look-up that remembers for a moment what it found, and asks for each key once however many wait for it. What it did
 * not find it does not remember, nor a failure: a flood of bad keys drives no good one out, and takes one connection.
 */
export function createLookUp<Found>(find: Find<Found>): (key: string) => Promise<Found | undefined> {
  const memory = createMemory<Found>();
  const { schedule, track } = oneByOne();

  async function load(keys: readonly string[]) {
    const since = Date.now();
    const all = await track(find(keys));
    keys.forEach((key, index) => {
      const found = all[index];
      if (found !== undefined) memory.remember(key, found, since);
      else memory.forget(key);
    });
    return all;
  }
  const asked = new DataLoader(load, { batchScheduleFn: schedule, maxBatchSize });

  return async (key) => {
    const known = memory.recall(key);
    if (known !== undefined) return known;
    try {
      return await asked.load(key);
    } finally {
      asked.clear(key);
    }
  };
}
