/** Runs work, at most so many pieces at a time; the others wait in their order. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

export interface GateOptions {
  /** How many pieces run at a time. */
  width: number;
  /** Whether work that fails like this would fail for all that wait: they are rejected with the same error. */
  failsAll(error: unknown): boolean;
}

interface Waiting {
  begin(): void;
  reject(error: unknown): void;
}

function createCounted({ width, failsAll }: GateOptions) {
  const waiting: Waiting[] = [];
  let running = 0;

  async function enter(): Promise<void> {
    if (running < width) running += 1;
    // Work that ends hands its place on.
    else await new Promise<void>((begin, reject) => waiting.push({ begin, reject }));
  }
  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next.begin();
  }
  return {
    async run<T>(work: () => Promise<T>): Promise<T> {
      await enter();
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
  return createCounted(options).run;
}

/** Returns a gate for each key, which is kept while it is used. */
export function createGates<Key>(options: GateOptions): (key: Key) => Gate {
  const gates = new Map<Key, ReturnType<typeof createCounted>>();
  return (key) => async (work) => {
    const gate = gates.get(key) ?? createCounted(options);
    gates.set(key, gate);
    try {
      return await gate.run(work);
    } finally {
      if (gate.isIdle()) gates.delete(key);
    }
  };
}
