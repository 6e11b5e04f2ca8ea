import type { Viewer } from '../ctx.ts';
import type { Cancel } from '../lib/cancel.ts';
import { BusyError } from '../lib/errors.ts';

export interface LaneOptions {
  /** How many operations of one tenant run at a time. */
  width: number;
  /** How many more of them may wait; the next is refused. */
  maxWaiting: number;
}

interface Lane {
  running: number;
  waiting: (() => void)[];
}

/** Runs an operation for its tenant, in bounded time; `cancel` is told when that is over. */
export type RunOperation = <T>(viewer: Viewer, cancel: Cancel, work: () => T | Promise<T>) => T | Promise<T>;

/** Runs work in the lane of its tenant. */
export type InLane = <T>(tenantId: number, work: () => T | Promise<T>) => T | Promise<T>;

/**
 * Gives each tenant a lane: however much one sends, what another sends waits for no more than a lane's width of it.
 * Throws BusyError when too much waits.
 */
export function createLanes({ width, maxWaiting }: LaneOptions): InLane {
  const lanes = new Map<number, Lane>();

  function leave(tenantId: number, lane: Lane): void {
    const next = lane.waiting.shift();
    if (next === undefined) lane.running -= 1;
    else next();
    if (lane.running === 0) lanes.delete(tenantId);
  }
  function start<T>(tenantId: number, lane: Lane, work: () => T | Promise<T>): T | Promise<T> {
    let result: T | Promise<T>;
    try {
      result = work();
    } catch (error) {
      leave(tenantId, lane);
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => leave(tenantId, lane));
    leave(tenantId, lane);
    return result;
  }
  return (tenantId, work) => {
    const lane = lanes.get(tenantId) ?? { running: 0, waiting: [] };
    lanes.set(tenantId, lane);
    if (lane.running < width) {
      lane.running += 1;
      return start(tenantId, lane, work);
    }
    if (lane.waiting.length >= maxWaiting) throw new BusyError(maxWaiting);
    return new Promise<void>((resolve) => lane.waiting.push(resolve)).then(() => start(tenantId, lane, work));
  };
}
