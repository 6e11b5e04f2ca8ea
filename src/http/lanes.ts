import type { Viewer } from '../ctx.ts';
import type { Cancel } from '../lib/cancel.ts';
import { BusyError } from '../lib/errors.ts';

export interface LaneOptions {
  /** What may run in a lane at a time, by its cost: more begins while that is less. */
  width: number;
  /** How many more of them may wait; the next is refused. */
  maxWaiting: number;
}

interface Waiting {
  cost: number;
  begin(): void;
}

interface Lane {
  /** What costs so much runs. */
  load: number;
  waiting: Waiting[];
}

/** An operation that is to run. */
export interface Asking {
  /** Whose it is, and what is told when its time is over. */
  caller: { viewer: Viewer; cancel: Cancel };
  cost: number;
  /** When its time began, by performance.now(); undefined: now. */
  arrivedAt?: number | undefined;
}

/** Runs an operation for its tenant, in bounded time. */
export type RunOperation = <T>(asking: Asking, work: () => T | Promise<T>) => T | Promise<T>;

/** Runs work that costs so much in the lane that its key names. */
export type InLane<Key> = <T>(key: Key, cost: number, work: () => T | Promise<T>) => T | Promise<T>;

/**
 * Gives each key, such as a tenant, a lane: however much one sends, what another sends waits for no more than a lane's
 * width of it. Throws BusyError when too much waits.
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
