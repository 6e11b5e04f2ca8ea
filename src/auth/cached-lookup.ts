import DataLoader from 'dataloader';
import { LRUCache } from 'lru-cache';

/** How long results are cached. A revoked key is refused within 5 s: this time, and 1 s for a slow look-up. */
export const freshMs = 4_000;
const maxRemembered = 10_000;
const maxBatchSize = 1_000;

/** Returns a result for each key, in order; undefined for unknown keys. */
export type Find<Found> = (keys: readonly string[]) => Promise<readonly (Found | undefined)[]>;

/** Runs one batch at a time. Keys that arrive during a batch wait for the next one. */
function createBatchQueue() {
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

/** Creates a cache of fixed size whose entries last `freshMs`. `since` is when the look-up started. */
export function createMemory<Found>() {
  const remembered = new LRUCache<string, { found: Found; since: number }>({ max: maxRemembered });
  return {
    recall(key: string): Found | undefined {
      const known = remembered.get(key);
      const age = known === undefined ? -1 : Date.now() - known.since;
      // The age is negative if the clock was set back; the entry then counts as expired.
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
 * Creates a look-up with a short cache. Concurrent requests for a key share one look-up. Unknown keys and errors are
 * not cached, so a flood of invalid keys evicts no valid ones, and uses one connection.
 */
export function createLookUp<Found>(find: Find<Found>): (key: string) => Promise<Found | undefined> {
  const memory = createMemory<Found>();
  const { schedule, track } = createBatchQueue();

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
  const loader = new DataLoader(load, { batchScheduleFn: schedule, maxBatchSize });

  return async (key) => {
    const known = memory.recall(key);
    if (known !== undefined) return known;
    try {
      return await loader.load(key);
    } finally {
      loader.clear(key);
    }
  };
}
