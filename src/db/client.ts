import { setTimeout as sleep } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import type { CancelSignal } from '../lib/cancel.ts';
import type { UnavailableError } from '../lib/errors.ts';
import { mayRunAgain, unavailability } from './constraint.ts';
import {
  closePool,
  type Limits,
  noteDiskWorks,
  openPool,
  type Pool,
  type PoolOptions,
  useSession,
} from './pool.ts';
import type { Backend, Connection, Session } from './session.ts';
import type { Begin, Orm, Statement } from './statement.ts';

export type { Connection } from './session.ts';
export type Values = Record<string, unknown>;
export type Run = <Answer>(
  statement: Statement<Answer>,
  values: Values,
  signal?: CancelSignal,
) => Promise<Answer>;

export interface Database {
  /** For commands that run once, such as migrations; whatever serves requests goes through `run`. */
  orm: Orm;
  /** Runs one statement, a transaction of its own; a signal cancels it. Throws UnavailableError when the database cannot serve. */
  run: Run;
  /**
   * Runs several statements, all or nothing; a signal takes them back. `work` may be called again, so it must have no other effects.
   * Throws UnavailableError when the database cannot serve, and what `work` throws.
   */
  transaction<T>(work: (run: Run) => Promise<T>, signal?: CancelSignal): Promise<T>;
  /** How long ago, in milliseconds, the database last answered a request. */
  sinceAnswer(): number;
  /** The connections for requests, and the calls that wait for one. */
  usage(): { used: number; idle: number; waiting: number };
  /** Why the database's disk fails; undefined while it works, as far as calls have shown. */
  diskError(): UnavailableError | undefined;
  /** Has the database write a megabyte to its disk; `diskError` is undefined after that. Throws UnavailableError. */
  probeDisk(): Promise<void>;
  close(): Promise<void>;
}

/** What bounds the time of a request at the database. */
export interface DatabaseLimits extends Limits {
  connectTimeoutMs: number;
  /** How long a statement may run, and wait for a lock, and a transaction may wait for its next statement. */
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  idleTransactionTimeoutMs: number;
}

export interface DatabaseOptions {
  connection: Connection;
  poolSize: number;
  /** Whether statements are prepared: false behind a pooler that changes sessions between transactions. */
  prepare?: boolean;
  /** undefined: a command that runs once may take its time. */
  limits?: DatabaseLimits | undefined;
  onDisk?: PoolOptions['onDisk'];
  isDiskFull?: PoolOptions['isDiskFull'];
}

const patience: Limits & { connectTimeoutMs: number } = {
  connectTimeoutMs: 5000,
  queueSize: Number.POSITIVE_INFINITY,
  waitTimeoutMs: Number.POSITIVE_INFINITY,
  callTimeoutMs: Number.POSITIVE_INFINITY,
};

function timeouts(limits: DatabaseLimits | undefined): Record<string, number> {
  if (limits === undefined) return {};
  return {
    statement_timeout: limits.statementTimeoutMs,
    lock_timeout: limits.lockTimeoutMs,
    idle_in_transaction_session_timeout: limits.idleTransactionTimeoutMs,
  };
}

/** What a session begins with. Poolers refuse or forget settings of sessions, so there every transaction sets its own. */
function openings({ prepare = true, limits }: DatabaseOptions) {
  if (prepare) {
    // Every statement is written for any values; planned for each anew, a search costs 8 to 15 ms more.
    const planning = { plan_cache_mode: 'force_generic_plan' };
    return { begin: 'begin', settings: { TimeZone: 'UTC', ...planning, ...timeouts(limits) } };
  }
  const sets = Object.entries(timeouts(limits)).map(([name, value]) => `set local ${name} = ${value}`);
  return { begin: ['begin', ...sets].join('; '), settings: { TimeZone: 'UTC' } };
}

/**
 * Writes a megabyte to a temporary file in the default tablespace. Unlike a table, that takes no transaction id and no
 * write-ahead log: PostgreSQL ends itself if the log finds the disk full.
 */
const diskProbe = `set local work_mem = '64kB'; set local temp_tablespaces = '';
  select count(*) from generate_series(1, 50000)`;

const maxTries = 4;
const retryDelayMs = 20;

/** Runs a whole transaction again when the database took it back to end a deadlock. */
async function withRetry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!mayRunAgain(error) || tries === maxTries) throw error;
      await sleep(Math.random() * retryDelayMs * tries);
    }
  }
}

/** Waits for what a session does, and ends it, at the server too, when the signal comes first. */
async function untilAborted<T>(
  signal: CancelSignal | undefined,
  session: Session,
  query: object,
  result: PromiseLike<T>,
): Promise<T> {
  if (signal === undefined) return result;
  // The driver's types do not know that a query which was sent tells where it runs.
  const end = () => session.cancel((query as { state: Backend }).state ?? { pid: 0, secret: 0 });
  signal.addEventListener('abort', end);
  try {
    return await result;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

interface Transaction<T> {
  begin: string;
  work: () => Promise<T>;
  signal: CancelSignal | undefined;
}

async function transact<T>(session: Session, { begin, work, signal }: Transaction<T>): Promise<T> {
  signal?.throwIfAborted();
  const opening = session.client.unsafe(begin);
  return untilAborted(signal, session, opening, commitAfter(session, opening, work));
}

async function commitAfter<T>(
  { client, destroy }: Session,
  opening: PromiseLike<unknown>,
  work: () => Promise<T>,
): Promise<T> {
  await opening;
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await client.unsafe('rollback').catch(destroy);
    throw error;
  }
  const { command } = await client.unsafe('commit');
  if (command !== 'COMMIT')
    throw new Error('A failed statement was passed over: the transaction was not kept.');
  return result;
}

interface PooledClient {
  client: postgres.Sql;
  /** Gives a signal to the statement that `start` begins. */
  within<T>(signal: CancelSignal | undefined, start: () => T): T;
}

/** A client as Drizzle wants it, each of whose statements and transactions gets a session of the pool. */
function pooledClient(pool: Pool, begin: string): PooledClient {
  // Drizzle calls the client at once when a statement is run, but has no way to hand it a signal.
  let current: CancelSignal | undefined;
  const client = {
    options: { parsers: {}, serializers: {} },
    unsafe(text: string, parameters: never[], options: postgres.UnsafeQueryOptions) {
      type Query = postgres.PendingQuery<postgres.Row[]>;
      const signal = current;
      const answer = <T>(take: (query: Query) => PromiseLike<T>) =>
        useSession(pool, (session) =>
          withRetry(async () => {
            signal?.throwIfAborted();
            const query: Query = session.client.unsafe<postgres.Row[]>(text, parameters, options);
            return untilAborted(signal, session, query, take(query));
          }),
        );
      return {
        values: () => answer((query) => query.values()),
        // biome-ignore lint/suspicious/noThenProperty: a query is a promise that begins when it is awaited
        then: <T>(...settle: Parameters<Promise<T>['then']>) =>
          answer((query) => query).then(...(settle as [])),
      };
    },
    begin: <T>(work: (client: postgres.Sql) => Promise<T>) =>
      useSession(pool, (session) =>
        withRetry(() => transact(session, { begin, work: () => work(session.client), signal: undefined })),
      ),
  };
  return {
    client: client as unknown as postgres.Sql,
    within(signal, start) {
      current = signal;
      try {
        return start();
      } finally {
        current = undefined;
      }
    },
  };
}

interface Built {
  statement: Statement<unknown>;
  query: { execute(values: Values, begin?: Begin): Promise<unknown> };
}

/** Runs statements, each built once. Throws if two have the same name: PostgreSQL would run the first one's text for both. */
function prepareOn(orm: Orm) {
  const known = new Map<string, Built>();
  return <Answer>(statement: Statement<Answer>, values: Values, begin?: Begin): Promise<Answer> => {
    let built = known.get(statement.name);
    if (built === undefined) {
      built = { statement, query: statement.build(orm).prepare(statement.name) };
      known.set(statement.name, built);
    } else if (built.statement !== statement) throw new Error(`Two statements are named ${statement.name}.`);
    return built.query.execute(values, begin) as never;
  };
}

/** Opens a database; connections are made when they are needed. */
export function openDatabase(options: DatabaseOptions): Database {
  const { connection, poolSize, prepare = true, limits, onDisk, isDiskFull } = options;
  const { begin, settings } = openings(options);
  const pool = openPool({
    ...patience,
    ...limits,
    connection,
    poolSize,
    prepare,
    settings,
    onDisk,
    isDiskFull,
  });
  const patient = openings({ ...options, limits: undefined });
  const atEase = openPool({ ...pool.options, ...patience, settings: patient.settings, onDisk: undefined });
  const { client, within } = pooledClient(pool, begin);
  const run = prepareOn(drizzle(client, { casing: 'snake_case' }));
  const runners = new WeakMap<Session, Run>();

  function runnerOf(session: Session): Run {
    const known = runners.get(session);
    if (known !== undefined) return known;
    const runOn = prepareOn(session.orm);
    const runner: Run = (statement, values) => runOn(statement, values);
    runners.set(session, runner);
    return runner;
  }
  return {
    orm: drizzle(pooledClient(atEase, patient.begin).client, { casing: 'snake_case' }),
    run: (statement, values, signal) =>
      run(statement, values, (send) => within(signal, send)).catch((error: unknown) => {
        throw unavailability(error, true) ?? error;
      }),
    transaction: (work, signal) =>
      useSession(pool, (session) =>
        withRetry(() => transact(session, { begin, work: () => work(runnerOf(session)), signal })),
      ),
    sinceAnswer: () => performance.now() - pool.answeredAt,
    diskError: () => pool.diskError,
    async probeDisk() {
      await useSession(pool, (session) =>
        transact(session, { begin, work: async () => session.client.unsafe(diskProbe), signal: undefined }),
      );
      noteDiskWorks(pool);
    },
    usage: () => ({ used: pool.busy.size, idle: pool.idle.length, waiting: pool.waiting.length }),
    async close() {
      await Promise.all([closePool(pool), closePool(atEase)]);
    },
  };
}
