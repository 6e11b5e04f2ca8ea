import type { Logger } from 'pino';

/** Interval of polls while there is a reader. The changes of other replicas wait half of it on average. */
const intervalMs = 75;
/** Minimum time between the starts of two polls that writes of this replica cause. */
const gatherMs = 50;

export interface Poller {
  /** Returns when a poll that begins now or later has completed. Throws the error of the poll. */
  now(): Promise<void>;
  /** Polls within a few milliseconds. */
  soon(): void;
  /** Starts no more polls. Returns when the running one has ended. */
  stop(): Promise<void>;
}

interface PollerOptions {
  hasReaders(): boolean;
  /** Interval of polls while there is no reader. Undefined: there are none. */
  idleMs?: number;
  log: Logger;
}

/**
 * Polls at an interval while `hasReaders` returns true, one poll at a time. A poll returns whether there is more to
 * read at once.
 */
export function createPoller(
  poll: () => Promise<boolean>,
  { hasReaders, idleMs, log }: PollerOptions,
): Poller {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let startedAt = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let failing = false;
  let isStopped = false;

  function schedule(at: number): void {
    if (isStopped || at >= dueAt) return;
    clearTimeout(timer);
    dueAt = at;
    timer = setTimeout(pollAgain, Math.max(0, at - performance.now())).unref();
  }
  function unschedule(): void {
    clearTimeout(timer);
    dueAt = Number.POSITIVE_INFINITY;
  }
  async function stop(): Promise<void> {
    isStopped = true;
    unschedule();
    await (next ?? running)?.catch(() => undefined);
  }
  async function pollOnce(): Promise<void> {
    unschedule();
    startedAt = performance.now();
    let hasMore = false;
    try {
      hasMore = await poll();
      failing = false;
    } finally {
      running = undefined;
      if (hasReaders()) schedule(hasMore ? 0 : startedAt + intervalMs);
      else if (idleMs !== undefined) schedule(startedAt + idleMs);
    }
  }
  function start(): Promise<void> {
    next = undefined;
    running = pollOnce();
    return running;
  }
  function now(): Promise<void> {
    // First: the next poll may be about to start, after the running one has ended.
    if (next !== undefined) return next;
    if (running === undefined) return start();
    next = running.then(start, start);
    return next;
  }
  function pollAgain(): void {
    dueAt = Number.POSITIVE_INFINITY;
    // The next poll sees what this one missed.
    now().catch((error: unknown) => {
      if (!failing) log.warn({ err: error }, 'Change feed delayed: polling failed');
      failing = true;
    });
  }
  return { now, stop, soon: () => schedule(startedAt + gatherMs) };
}
