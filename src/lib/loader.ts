import DataLoader from 'dataloader';

/** Reads values by key, in batches and each key once per request. */
export interface Loader<Key, Value> {
  /** Returns a known value without a promise, because a promise for each value is slow on large pages. */
  load(key: Key): Value | Promise<Value>;
  /** Caches a value unless the key has one. */
  prime(key: Key, value: Value): Loader<Key, Value>;
  clear(key: Key): Loader<Key, Value>;
  clearAll(): Loader<Key, Value>;
}

export interface LoaderOptions<Key, Value> {
  /** Returns values in the order of the keys. */
  load(keys: readonly Key[]): Promise<Value[]>;
  schedule(flush: () => void): void;
  nameOf(key: Key): string;
}

export function createLoader<Key, Value>({
  load,
  schedule,
  nameOf,
}: LoaderOptions<Key, Value>): Loader<Key, Value> {
  // Created on first use: a request uses few of its loaders, and primed values need no batches.
  let known: Map<string, Value> | undefined;
  let made: DataLoader<Key, Value, string> | undefined;
  const loader: Loader<Key, Value> = {
    load(key) {
      const name = nameOf(key);
      const value = known?.get(name);
      if (value !== undefined || known?.has(name)) return value as Value;
      made ??= new DataLoader(load, { batchScheduleFn: schedule, cacheKeyFn: nameOf });
      return made.load(key);
    },
    prime(key, value) {
      const name = nameOf(key);
      known ??= new Map();
      if (!known.has(name)) known.set(name, value);
      return loader;
    },
    clear(key) {
      known?.delete(nameOf(key));
      made?.clear(key);
      return loader;
    },
    clearAll() {
      known?.clear();
      made?.clearAll();
      return loader;
    },
  };
  return loader;
}
