import { LRUCache } from 'lru-cache';
import { createCancel } from '../lib/cancel.ts';
import { createRequestBatcher } from '../lib/request-batching.ts';

/** How long results are cached. A revoked key is refused within 5 s: this time, and 1 s for a slow look-up. */
export const freshMs = 4_000;
const maxRemembered = 10_000;
const maxBatchSize = 1_000;

/** Returns a result for each key, in order; undefined for unknown keys. */
export type Find<Found> = (keys: readonly string[]) => Promise<readonly (Found | undefined)[]>;

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
 * Creates a look-up with a short cache. Concurrent requests share look-ups. Unknown keys and errors are not
 * cached, so a flood of invalid keys evicts no valid ones, and few statements look them up.
 */
export function createLookUp<Found>(find: Find<Found>): (key: string) => Promise<Found | undefined> {
  const memory = createMemory<Found>();
  const batch = createRequestBatcher();
  const { signal } = createCancel();

  async function load(keys: readonly string[]): Promise<Map<string, Found | undefined>> {
    const since = Date.now();
    const distinct = [...new Set(keys)];
    const all = await find(distinct);
    distinct.forEach((key, index) => {
      const found = all[index];
      if (found !== undefined) memory.remember(key, found, since);
      else memory.forget(key);
    });
    return new Map(distinct.map((key, index) => [key, all[index]]));
  }
  return async (key) => {
    const known = memory.recall(key);
    if (known !== undefined) return known;
    const found = await batch('keys', { item: key, size: 1, maxSize: maxBatchSize, signal }, load);
    return found.get(key);
  };
}
