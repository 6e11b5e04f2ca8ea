import { UnavailableError } from '../lib/errors.ts';
import { unavailability } from './constraint.ts';
import { openSession, type Session, type SessionOptions } from './session.ts';

export interface Limits {
  /** How many calls may wait for a session; the next is refused at once. */
  queueSize: number;
  /** How long a call may wait for a session. */
  waitTimeoutMs: number;
  /** How long a call may have a session, which it may first have to make. */
  callTimeoutMs: number;
}

export interface PoolOptions extends SessionOptions, Limits {
  /** How many sessions there are at most. */
  poolSize: number;
  /** Whether the database cannot be reached because its disk is full, if anything can tell. */
  isDiskFull?: (() => boolean) | undefined;
  /** Called when the disk of the database begins to fail, with the error of the call, and when it works again. */
  onDisk?: ((error: UnavailableError | undefined) => void) | undefined;
}

interface Call {
  /** Settles the call; never fails. */
  run(session: Session): Promise<void>;
  refuse(error: UnavailableError): void;
  /** When it began to wait or, after that, when it was given its session. */
  since: number;
  /** Settles once its session is free again. */
  done: Promise<void>;
}

/**
 * Gives every call a session to itself, for a bounded time. A session that does not answer in time is left behind and
 * all idle ones with it, for what became of it has become of them.
 */
export interface Pool {
  options: PoolOptions;
  idle: Session[];
  busy: Map<Session, Call>;
  waiting: Call[];
  /** When each session was opened. */
  opened: WeakMap<Session, number>;
  /** When a call last got a session, by `now`. */
  startedAt: number;
  /** How many sessions have been opened. */
  attempts: number;
  /** Milliseconds in which this process had its turns: nobody is late because the machine stood still. */
  now: number;
  /** When the database last answered, by the clock of `performance.now`. */
  answeredAt: number;
  /** Why the database's disk fails; undefined while it works. */
  diskError: UnavailableError | undefined;
  /** One timer watches over all calls; undefined while there are none. */
  sweep: NodeJS.Timeout | undefined;
  closing: boolean;
}

const sweepEveryMs = 50;
/** A session takes more and more of the server's memory, and stays on the server that it was opened on. */
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

/** Gives `work` a session. Throws UnavailableError, or what `work` throws. */
export function useSession<T>(pool: Pool, work: (session: Session) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    watch(pool);
    const run = async (session: Session) => {
      try {
        resolve(await work(session));
        pool.answeredAt = performance.now();
      } catch (error) {
        const unavailable = explained(pool, unavailability(error, session.entered));
        // A connection that failed is still there for a moment; and one to a standby stays useless.
        if (unavailable === undefined) pool.answeredAt = performance.now();
        else if (!session.entered || !keepsSession.includes(unavailable.reason)) session.destroy();
        if (unavailable !== undefined) noteDisk(pool, unavailable);
        reject((unavailable ?? error) as Error);
      }
    };
    const call = { run, refuse: reject, since: pool.now, done: Promise.resolve() };
    const session = pool.closing ? undefined : freeSession(pool);
    if (session !== undefined) start(pool, session, call);
    else if (pool.closing || isHopeless(pool) || pool.waiting.length >= pool.options.queueSize)
      reject(new UnavailableError('BUSY'));
    else pool.waiting.push({ ...call, run: inTurn(run) });
  });
}

type Reason = UnavailableError['reason'];

/** The database answered, and its session is as good as before. */
const keepsSession: Reason[] = ['SLOW', 'DISK_FULL', 'DISK_FAILS', 'EXHAUSTED'];

/** Replaces the error of a database that cannot be reached if the reason is known. */
function explained<T extends UnavailableError | undefined>(pool: Pool, error: T): T | UnavailableError {
  const isFull = error?.reason === 'UNREACHABLE' && pool.options.isDiskFull?.();
  return isFull ? new UnavailableError('DISK_FULL', error.cause) : error;
}

function noteDisk(pool: Pool, error: UnavailableError): void {
  if (pool.diskError !== undefined || !['DISK_FULL', 'DISK_FAILS'].includes(error.reason)) return;
  pool.diskError = error;
  pool.options.onDisk?.(error);
}

/** Notes that the disk of the database works. */
export function noteDiskWorks(pool: Pool): void {
  if (pool.diskError === undefined) return;
  pool.diskError = undefined;
  pool.options.onDisk?.(undefined);
}

/** What runs once its turn has come belongs, for who traces it, to its own request, not to the one before it. */
function inTurn<T>(run: (given: T) => Promise<void>): (given: T) => Promise<void> {
  let give: (given: T) => void = () => undefined;
  const done = new Promise<T>((resolve) => {
    give = resolve;
  }).then(run);
  return (given) => {
    give(given);
    return done;
  };
}

/** Whether nobody got a session for as long as a call may wait for one: what comes need not find that out again. */
function isHopeless({ now, startedAt, options }: Pool): boolean {
  return now - startedAt > options.waitTimeoutMs;
}

function freeSession(pool: Pool): Session | undefined {
  const session = pool.idle.pop();
  if (session !== undefined || pool.busy.size >= pool.options.poolSize) return session;
  pool.attempts += 1;
  const made = openSession(pool.options, pool.attempts, (lost) => forget(pool, lost));
  pool.opened.set(made, pool.now);
  return made;
}

/** The driver fails what runs on a lost session, but not in every case. */
function forget(pool: Pool, session: Session): void {
  const place = pool.idle.indexOf(session);
  if (place >= 0) pool.idle.splice(place, 1);
  const call = pool.busy.get(session);
  if (call !== undefined) setImmediate(() => abandon(pool, session, call));
}

/** Fails a call that gets no answer any more. */
function abandon(pool: Pool, session: Session, call: Call): void {
  if (pool.busy.get(session) !== call) return;
  pool.busy.delete(session);
  call.refuse(explained(pool, new UnavailableError(session.entered ? 'LOST' : 'UNREACHABLE')));
  session.destroy();
  startWaiting(pool);
}

function start(pool: Pool, session: Session, call: Call): void {
  call.since = pool.now;
  pool.startedAt = pool.now;
  pool.busy.set(session, call);
  call.done = call.run(session).then(() => {
    // A call that was late has lost its session.
    if (pool.busy.delete(session)) return giveBack(pool, session);
  });
}

/**
 * How old a session may get: as old as the pool was when it was opened. A session keeps its plans, and those made for
 * tables that were nearly empty read all of a tenant for one account; later ones know better.
 */
function mayAge(opened: number): number {
  return Math.min(Math.max(opened, minAgeMs), maxAgeMs);
}

function giveBack(pool: Pool, session: Session): void {
  if (session.alive) {
    const opened = pool.opened.get(session) ?? 0;
    if (pool.now - opened > mayAge(opened) && !pool.closing) void session.end();
    else pool.idle.push(session);
  }
  startWaiting(pool);
}

function startWaiting(pool: Pool): void {
  while (pool.waiting.length > 0) {
    const session = freeSession(pool);
    const call = session && pool.waiting.shift();
    if (session === undefined || call === undefined) return;
    start(pool, session, call);
  }
}

function watch(pool: Pool): void {
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

/** Refuses what waits and what comes, lets what is under way finish, and closes the sessions. */
export async function closePool(pool: Pool): Promise<void> {
  pool.closing = true;
  for (const call of pool.waiting.splice(0)) call.refuse(new UnavailableError('BUSY'));
  await Promise.all([...pool.busy.values()].map((call) => call.done));
  await Promise.all(pool.idle.splice(0).map((session) => session.end()));
}
