/** Runs work with limited concurrency. Waiting work starts in order. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export interface GateOptions {
  /** Maximum number of concurrent runs. */
  width: number;
  /** Whether waiting work would fail in the same way. It is then rejected with the same error. */
  failsAll(error: unknown): boolean;
}

interface Waiting {
  begin(): void;
  reject(error: unknown): void;
}

function createCountingGate({ width, failsAll }: GateOptions) {
  const waiting: Waiting[] = [];
  let running = 0;

  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next.begin();
  }
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      if (running < width) running += 1;
      // Work that ends passes its place on.
      else await new Promise<void>((begin, reject) => waiting.push({ begin, reject }));
      try {
        return await work();
      } catch (error) {
        if (failsAll(error)) for (const one of waiting.splice(0)) one.reject(error);
        throw error;
      } finally {
        leave();
      }
    },
    isIdle: () => running === 0,
  };
}

export function createGate(options: GateOptions): Gate {
  return createCountingGate(options).run;
}

/** Creates a gate for each key, and drops it when it is idle. */
export function createGates<Key>(options: GateOptions): (key: Key) => Gate {
  const gates = new Map<Key, ReturnType<typeof createCountingGate>>();
  return (key) => async (work) => {
    const gate = gates.get(key) ?? createCountingGate(options);
    gates.set(key, gate);
    try {
      return await gate.run(work);
    } finally {
      if (gate.isIdle()) gates.delete(key);
    }
  };
}
