/** Runs work, at most so many pieces at a time; the others wait in their order. */
export type Gate = <T>(work: () => Promise<T>) => Promise<T>;

interface Counted {
  run: Gate;
  isIdle(): boolean;
}

function createCounted(width: number): Counted {
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async run(work) {
      if (running < width) running += 1;
      // Whoever ends hands its place on.
      else await new Promise<void>((begin) => waiting.push(begin));
      try {
        return await work();
      } finally {
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
    isIdle: () => running === 0,
  };
}

export function createGate(width: number): Gate {
  return createCounted(width).run;
}

/** Returns a gate for each key, which is kept while it is used. */
export function createGates<Key>(width: number): (key: Key) => Gate {
  const gates = new Map<Key, Counted>();
  return (key) => async (work) => {
    const gate = gates.get(key) ?? createCounted(width);
    gates.set(key, gate);
    try {
      return await gate.run(work);
    } finally {
      if (gate.isIdle()) gates.delete(key);
    }
  };
}
