import type { Viewer } from '../ctx.ts';
import type { Cancel } from '../lib/cancel.ts';
import { BusyError } from '../lib/errors.ts';

export interface LaneOptions {
  /** What the operations of one tenant that run at a time may cost: another begins while they cost less. */
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

/** Runs an operation for its tenant, in bounded time; `cancel` is told when that is over. */
export type RunOperation = <T>(
  caller: { viewer: Viewer; cancel: Cancel },
  cost: number,
  work: () => T | Promise<T>,
) => T | Promise<T>;

/** Runs work that costs so much in the lane of its tenant. */
export type InLane = <T>(tenantId: number, cost: number, work: () => T | Promise<T>) => T | Promise<T>;

/**
 * Gives each tenant a lane: however much one sends, what another sends waits for no more than a lane's width of it.
 * Throws BusyError when too much waits.
 */
export function createLanes({ width, maxWaiting }: LaneOptions): InLane {
  const lanes = new Map<number, Lane>();

  function leave(tenantId: number, lane: Lane, cost: number): void {
    lane.load -= cost;
    while (lane.load < width) {
      const next = lane.waiting.shift();
      if (next === undefined) break;
      lane.load += next.cost;
      next.begin();
    }
    if (lane.load === 0) lanes.delete(tenantId);
  }
  function start<T>(tenantId: number, lane: Lane, cost: number, work: () => T | Promise<T>): T | Promise<T> {
    let result: T | Promise<T>;
    try {
      result = work();
    } catch (error) {
      leave(tenantId, lane, cost);
      throw error;
    }
    if (result instanceof Promise) return result.finally(() => leave(tenantId, lane, cost));
    leave(tenantId, lane, cost);
    return result;
  }
  return (tenantId, cost, work) => {
    const lane = lanes.get(tenantId) ?? { load: 0, waiting: [] };
    lanes.set(tenantId, lane);
    if (lane.load < width) {
      lane.load += cost;
      return start(tenantId, lane, cost, work);
    }
    if (lane.waiting.length >= maxWaiting) throw new BusyError(maxWaiting);
    return new Promise<void>((begin) => lane.waiting.push({ cost, begin })).then(() =>
      start(tenantId, lane, cost, work),
    );
  };
}
