import type { Viewer } from '../ctx.ts';
import type { Cancel } from '../lib/cancel.ts';
import { BusyError } from '../lib/errors.ts';

export interface LaneOptions {
  /** The cost that can run in a lane at the same time. Work starts while the running cost is below it. */
  width: number;
  /** The most operations that can wait in a lane. The next one is refused. */
  maxWaiting: number;
}

interface Waiting {
  cost: number;
  begin(): void;
}

interface Lane {
  /** Cost of the running work. */
  load: number;
  waiting: Waiting[];
}

/** An operation to run. */
export interface Operation {
  /** The caller; `cancel` is aborted at the deadline. */
  caller: { viewer: Viewer; cancel: Cancel };
  cost: number;
  /** Whether it may write. */
  canWrite: boolean;
  /** Arrival of the request, by `performance.now()`; default: now. */
  arrivedAt?: number | undefined;
}

/** Runs an operation in the lane of its tenant, with a deadline. */
export type RunOperation = <T>(operation: Operation, work: () => T | Promise<T>) => T | Promise<T>;

/** Runs work of a given cost in the lane of a key. */
export type InLane<Key> = <T>(key: Key, cost: number, work: () => T | Promise<T>) => T | Promise<T>;

/**
 * Creates a lane for each key, such as a tenant, so that no key waits for more than one width of another's work.
 * Throws BusyError if too much waits.
 */
export function createLanes<Key>({ width, maxWaiting }: LaneOptions): InLane<Key> {
  const lanes = new Map<Key, Lane>();

  function leave(key: Key, lane: Lane, cost: number): void {
    lane.load -= cost;
    while (lane.load < width) {
      const next = lane.waiting.shift();
      if (next === undefined) break;
      lane.load += next.cost;
      next.begin();
    }
    if (lane.load === 0) lanes.delete(key);
  }
  function start<T>(key: Key, lane: Lane, cost: number, work: () => T | Promise<T>): T | Promise<T> {
    let result: T | Promise<T>;
    try {
      result = work();
    } catch (error) {
      leave(key, lane, cost);
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => leave(key, lane, cost));
    leave(key, lane, cost);
    return result;
  }
  return (key, cost, work) => {
    const lane = lanes.get(key) ?? { load: 0, waiting: [] };
    lanes.set(key, lane);
    if (lane.load < width) {
      lane.load += cost;
      return start(key, lane, cost, work);
    }
    if (lane.waiting.length >= maxWaiting) throw new BusyError(maxWaiting);
    return new Promise<void>((begin) => lane.waiting.push({ cost, begin })).then(() =>
      start(key, lane, cost, work),
    );
  };
}
