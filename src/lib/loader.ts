import DataLoader from 'dataloader';

/** Reads values by key in batches, each key once. */
export interface BatchReader<Key, Value> {
  load(key: Key): Value | Promise<Value>;
  /** Makes a value known, unless one is. */
  prime(key: Key, value: Value): void;
  forget(): void;
}

export interface BatchReaderOptions<Key, Value> {
  /** Returns the values in the order of the keys. */
  load(keys: readonly Key[]): Promise<Value[]>;
  schedule(flush: () => void): void;
  keyOf(key: Key): string;
}

export function createBatchReader<Key, Value>({
  load,
  schedule,
  keyOf,
}: BatchReaderOptions<Key, Value>): BatchReader<Key, Value> {
  // Made when they are needed: values that were all primed need no batches.
  let known: Map<string, Value> | undefined;
  let batches: DataLoader<Key, Value, string> | undefined;
  return {
    load(key) {
      const name = keyOf(key);
      const value = known?.get(name);
      if (value !== undefined || known?.has(name)) return value as Value;
      batches ??= new DataLoader(load, { batchScheduleFn: schedule, cacheKeyFn: keyOf });
      return batches.load(key);
    },
    prime(key, value) {
      const name = keyOf(key);
      known ??= new Map();
      if (!known.has(name)) known.set(name, value);
    },
    forget() {
      known?.clear();
      batches?.clearAll();
    },
  };
}
