import { UnavailableError } from '../lib/errors.ts';
import { toUnavailableError } from './constraint.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';

export interface Limits {
  /** The most calls that can wait for a session. The next one is refused at once. */
  queueSize: number;
  /** The longest wait of a call for a session. */
  waitTimeoutMs: number;
  /** The longest use of a session by a call, including the time to connect. */
  callTimeoutMs: number;
}

export interface PoolOptions extends SessionOptions, Limits {
  /** The most sessions. */
  poolSize: number;
  /** Returns whether the database is down because its disk is full. */
  isDiskFull?: (() => boolean) | undefined;
  /** Called with the error when the disk of the database fails, and with undefined when it works again. */
  onDisk?: ((error: UnavailableError | undefined) => void) | undefined;
}

interface Call {
  /** Runs the call. Never rejects. */
  run(session: Session): Promise<void>;
  refuse(error: UnavailableError): void;
  /** When it started to wait, or got its session. */
  since: number;
  /** Resolves when its session is free again. */
  done: Promise<void>;
}

/**
 * A pool that gives each call its own session for a limited time. A session that does not answer in time is abandoned,
 * and so are all idle sessions: their connections are probably broken in the same way.
 */
export interface Pool {
  options: PoolOptions;
  idle: Session[];
  busy: Map<Session, Call>;
  waiting: Call[];
  /** When each session was opened, by `now`. */
  opened: WeakMap<Session, number>;
  /** When a call last got a session, by `now`. */
  startedAt: number;
  /** The number of sessions opened so far. */
  attempts: number;
  /** A clock in milliseconds that skips stalls, so that a frozen process causes no timeouts. */
  now: number;
  /** When the database last answered, by `performance.now()`. */
  answeredAt: number;
  /** Why the disk of the database fails; undefined while it works. */
  diskError: UnavailableError | undefined;
  /** The timer that ends late calls; undefined while there are none. */
  sweep: NodeJS.Timeout | undefined;
  closing: boolean;
}

const sweepEveryMs = 50;
/** Sessions are replaced, because they use more and more memory of the server, and never move to another host. */
const maxAgeMs = 30 * 60_000;
const minAgeMs = 2_000;

export function openPool(options: PoolOptions): Pool {
  return {
    options,
    idle: [],
    busy: new Map(),
    waiting: [],
    opened: new WeakMap(),
    startedAt: 0,
    attempts: 0,
    now: 0,
    answeredAt: Number.NEGATIVE_INFINITY,
    diskError: undefined,
    sweep: undefined,
    closing: false,
  };
}

/** Runs `work` on a pooled session. Throws UnavailableError, and the errors of `work`. */
export function useSession<T>(pool: Pool, work: (session: Session) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    startSweep(pool);
    const run = async (session: Session) => {
      try {
        resolve(await work(session));
        pool.answeredAt = performance.now();
      } catch (error) {
        const unavailable = withDiskReason(pool, toUnavailableError(error, session.entered));
        // A failed connection can look alive for a moment, and a connection to a standby stays useless.
        if (unavailable === undefined) pool.answeredAt = performance.now();
        else if (!session.entered || !harmlessReasons.includes(unavailable.reason)) session.destroy();
        if (unavailable !== undefined) noteDisk(pool, unavailable);
        reject((unavailable ?? error) as Error);
      }
    };
    const call = { run, refuse: reject, since: pool.now, done: Promise.resolve() };
    const session = pool.closing ? undefined : freeSession(pool);
    if (session !== undefined) startCall(pool, session, call);
    else if (pool.closing || isSaturated(pool) || pool.waiting.length >= pool.options.queueSize)
      reject(new UnavailableError('BUSY'));
    else pool.waiting.push({ ...call, run: bindContext(run) });
  });
}

type Reason = UnavailableError['reason'];

/** Reasons after which the session can still be used. */
const harmlessReasons: Reason[] = ['SLOW', 'DISK_FULL', 'DISK_FAILS', 'EXHAUSTED'];

/** Replaces UNREACHABLE by DISK_FULL if the disk is full. */
function withDiskReason<T extends UnavailableError | undefined>(pool: Pool, error: T): T | UnavailableError {
  const isFull = error?.reason === 'UNREACHABLE' && pool.options.isDiskFull?.();
  return isFull ? new UnavailableError('DISK_FULL', error.cause) : error;
}

function noteDisk(pool: Pool, error: UnavailableError): void {
  if (pool.diskError !== undefined || !['DISK_FULL', 'DISK_FAILS'].includes(error.reason)) return;
  pool.diskError = error;
  pool.options.onDisk?.(error);
}

/** Records that the disk of the database works. */
export function noteDiskWorks(pool: Pool): void {
  if (pool.diskError === undefined) return;
  pool.diskError = undefined;
  pool.options.onDisk?.(undefined);
}

/**
 * Binds a queued function to the async context of its caller. Without it, traces would show its statements under the
 * request that freed the session.
 */
function bindContext<T>(run: (given: T) => Promise<void>): (given: T) => Promise<void> {
  let give: (given: T) => void = () => undefined;
  const done = new Promise<T>((resolve) => {
    give = resolve;
  }).then(run);
  return (given) => {
    give(given);
    return done;
  };
}

/** Returns whether no call has got a session for the longest wait, so that new calls need not wait in vain. */
function isSaturated({ now, startedAt, options }: Pool): boolean {
  return now - startedAt > options.waitTimeoutMs;
}

function freeSession(pool: Pool): Session | undefined {
  const session = pool.idle.pop();
  if (session !== undefined || pool.busy.size >= pool.options.poolSize) return session;
  pool.attempts += 1;
  const made = openSession(pool.options, pool.attempts, (lost) => removeSession(pool, lost));
  pool.opened.set(made, pool.now);
  return made;
}

/** The driver rejects the queries of a lost session, but not in every case. */
function removeSession(pool: Pool, session: Session): void {
  const place = pool.idle.indexOf(session);
  if (place >= 0) pool.idle.splice(place, 1);
  const call = pool.busy.get(session);
  if (call !== undefined) setImmediate(() => abandon(pool, session, call));
}

/** Rejects a call that will get no answer. */
function abandon(pool: Pool, session: Session, call: Call): void {
  if (pool.busy.get(session) !== call) return;
  pool.busy.delete(session);
  call.refuse(withDiskReason(pool, new UnavailableError(session.entered ? 'LOST' : 'UNREACHABLE')));
  session.destroy();
  startWaiting(pool);
}

function startCall(pool: Pool, session: Session, call: Call): void {
  call.since = pool.now;
  pool.startedAt = pool.now;
  pool.busy.set(session, call);
  call.done = call.run(session).then(() => {
    // A late call has already lost its session.
    if (pool.busy.delete(session)) return giveBack(pool, session);
  });
}

/**
 * Returns the greatest age of a session: the age of the pool when it was opened. Sessions cache plans. Plans made for
 * nearly empty tables become slow as the tables grow.
 */
function maxAgeOf(opened: number): number {
  return Math.min(Math.max(opened, minAgeMs), maxAgeMs);
}

function giveBack(pool: Pool, session: Session): void {
  if (session.alive) {
    const opened = pool.opened.get(session) ?? 0;
    if (pool.now - opened > maxAgeOf(opened) && !pool.closing) void session.end();
    else pool.idle.push(session);
  }
  startWaiting(pool);
}

function startWaiting(pool: Pool): void {
  while (pool.waiting.length > 0) {
    const session = freeSession(pool);
    const call = session && pool.waiting.shift();
    if (session === undefined || call === undefined) return;
    startCall(pool, session, call);
  }
}

function startSweep(pool: Pool): void {
  if (pool.sweep !== undefined) return;
  let last = performance.now();
  pool.sweep = setInterval(() => {
    const current = performance.now();
    pool.now += Math.min(current - last, 2 * sweepEveryMs);
    last = current;
    endLateCalls(pool);
    if (pool.busy.size > 0 || pool.waiting.length > 0) return;
    clearInterval(pool.sweep);
    pool.sweep = undefined;
  }, sweepEveryMs).unref();
}

function endLateCalls(pool: Pool): void {
  const { callTimeoutMs, waitTimeoutMs } = pool.options;
  const late = [...pool.busy].filter(([, { since }]) => pool.now - since > callTimeoutMs);
  if (late.length > 0) for (const session of pool.idle.splice(0)) session.destroy();
  const inTime = pool.waiting.findIndex(({ since }) => pool.now - since <= waitTimeoutMs);
  for (const call of pool.waiting.splice(0, inTime < 0 ? pool.waiting.length : inTime)) {
    call.refuse(new UnavailableError('BUSY'));
  }
  for (const [session, call] of late) abandon(pool, session, call);
}

/** Rejects waiting and new calls, waits for running calls, and closes the sessions. */
export async function closePool(pool: Pool): Promise<void> {
  pool.closing = true;
  for (const call of pool.waiting.splice(0)) call.refuse(new UnavailableError('BUSY'));
  await Promise.all([...pool.busy.values()].map((call) => call.done));
  await Promise.all(pool.idle.splice(0).map((session) => session.end()));
}
