import { setTimeout as sleep } from 'node:timers/promises';
import { drizzle } from 'drizzle-orm/postgres-js';
import type postgres from 'postgres';
import type { CancelSignal } from '../lib/cancel.ts';
import type { UnavailableError } from '../lib/errors.ts';
import { createGate } from '../lib/gate.ts';
import { isRetryable, toUnavailableError } from './constraint.ts';
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

/** Runs the statements of requests. */
export interface StatementRunner {
  /** Runs one statement in its own transaction. A signal cancels it. Throws UnavailableError. */
  run: Run;
  /**
   * Runs several statements in a transaction. A signal rolls it back. `work` can be called again, so it must have no
   * other effects. Throws UnavailableError, and the errors of `work`.
   */
  transaction<T>(work: (run: Run) => Promise<T>, signal?: CancelSignal): Promise<T>;
  /**
   * Runs several writes in one transaction, each in a savepoint: a write that fails leaves those before it. Rolls all
   * back if `work` throws, or at its end with `isDryRun`. The statements run one after another.
   */
  inOneTransaction<T>(
    work: (runner: StatementRunner) => Promise<T>,
    options?: { isDryRun?: boolean; signal?: CancelSignal },
  ): Promise<T>;
}

export interface Database extends StatementRunner {
  /** For commands such as migrations. Requests use `run` and `transaction`. */
  orm: Orm;
  /**
   * Runs statements that all read the state of one instant, in a read-only transaction. `work` is called once. Throws
   * UnavailableError, and the errors of `work`.
   */
  snapshot<T>(work: (run: Run) => Promise<T>): Promise<T>;
  /** Returns the milliseconds since the database last answered a request. */
  sinceAnswer(): number;
  /** Returns the number of connections for requests, and of calls that wait for one. */
  usage(): { used: number; idle: number; waiting: number };
  /** Returns why the disk of the database fails; undefined if no call has shown a failure. */
  diskError(): UnavailableError | undefined;
  /**
   * Tests the disk of the database with a write of 1 MB, and clears `diskError` if it succeeds. Throws
   * UnavailableError.
   */
  probeDisk(): Promise<void>;
  close(): Promise<void>;
}

/** Limits on the time that a request spends at the database. */
export interface DatabaseLimits extends Limits {
  connectTimeoutMs: number;
  /** The PostgreSQL timeouts: of a statement, of waiting for a lock, and between the statements of a transaction. */
  statementTimeoutMs: number;
  lockTimeoutMs: number;
  idleTransactionTimeoutMs: number;
}

export interface DatabaseOptions {
  connection: Connection;
  poolSize: number;
  /** Whether statements are prepared. False behind a pooler in transaction mode. */
  prepare?: boolean;
  /** undefined: no limits, for commands. */
  limits?: DatabaseLimits | undefined;
  onDisk?: PoolOptions['onDisk'];
  isDiskFull?: PoolOptions['isDiskFull'];
}

const unlimited: Limits & { connectTimeoutMs: number } = {
  connectTimeoutMs: 5000,
  queueSize: Number.POSITIVE_INFINITY,
  waitTimeoutMs: Number.POSITIVE_INFINITY,
  callTimeoutMs: Number.POSITIVE_INFINITY,
};

function timeouts(limits: DatabaseLimits | undefined): Record<string, number> {
  return {
    statement_timeout: limits?.statementTimeoutMs ?? 0,
    lock_timeout: limits?.lockTimeoutMs ?? 0,
    idle_in_transaction_session_timeout: limits?.idleTransactionTimeoutMs ?? 0,
  };
}

const oneSnapshot = 'isolation level repeatable read, read only';

/**
 * Returns the settings of sessions and the texts that begin transactions. Poolers reject or lose session settings, so
 * there each transaction sets its own.
 */
function sessionSetup({ prepare = true, limits }: DatabaseOptions) {
  if (prepare) {
    // Every statement suits all values, so planning it again for each call would only cost time.
    const planning = { plan_cache_mode: 'force_generic_plan' };
    const settings = { TimeZone: 'UTC', ...planning, ...timeouts(limits) };
    return { begin: 'begin', beginSnapshot: `begin ${oneSnapshot}`, settings };
  }
  const sets = Object.entries(timeouts(limits)).map(([name, value]) => `set local ${name} = ${value}`);
  return {
    begin: ['begin', ...sets].join('; '),
    beginSnapshot: [`begin ${oneSnapshot}`, ...sets].join('; '),
    settings: { TimeZone: 'UTC' },
  };
}

/**
 * Writes 1 MB to a temporary file in the default tablespace. A table would need a transaction id and write-ahead log,
 * and PostgreSQL stops if the log fills the disk.
 */
const diskProbe = `set local work_mem = '64kB'; set local temp_tablespaces = '';
  select count(*) from generate_series(1, 50000)`;

const maxTries = 4;
const retryDelayMs = 20;

/** Runs a transaction again if the database rolled it back because of a deadlock or a serialization failure. */
async function withRetry<T>(attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isRetryable(error) || tries === maxTries) throw error;
      await sleep(Math.random() * retryDelayMs * tries);
    }
  }
}

/** Waits for the result of a session. If the signal aborts first, ends the session, also on the server. */
async function endOnAbort<T>(
  signal: CancelSignal | undefined,
  session: Session,
  query: object,
  result: PromiseLike<T>,
): Promise<T> {
  if (signal === undefined) return result;
  // A query that was sent has `state`, which the driver's types lack.
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
  /** Whether to roll back at the end. */
  isDryRun?: boolean;
}

async function transact<T>(session: Session, transaction: Transaction<T>): Promise<T> {
  const { signal } = transaction;
  signal?.throwIfAborted();
  const opening = session.client.unsafe(transaction.begin);
  return endOnAbort(signal, session, opening, endAfter(session, opening, transaction));
}

async function endAfter<T>(
  { client, destroy }: Session,
  opening: PromiseLike<unknown>,
  { work, isDryRun = false }: Transaction<T>,
): Promise<T> {
  await opening;
  let result: T;
  try {
    result = await work();
  } catch (error) {
    await client.unsafe('rollback').catch(destroy);
    throw error;
  }
  if (isDryRun) {
    await client.unsafe('rollback');
    return result;
  }
  const { command } = await client.unsafe('commit');
  if (command !== 'COMMIT')
    throw new Error('The transaction was rolled back because an error of a statement was ignored.');
  return result;
}

/** Returns a runner for the open transaction of a session. Its own transactions are savepoints. */
function nestedRunner(session: Session, run: Run): StatementRunner {
  const { client } = session;
  const inTurn = createGate({ width: 1, failsAll: () => false });
  const inSavepoint = <T>(work: () => Promise<T>, isDryRun = false): Promise<T> =>
    inTurn(() =>
      withRetry(async () => {
        await client.unsafe('savepoint one_write');
        try {
          const result = await work();
          await client.unsafe(`${isDryRun ? 'rollback to' : 'release'} savepoint one_write`);
          return result;
        } catch (error) {
          await client.unsafe('rollback to savepoint one_write');
          throw toUnavailableError(error, true) ?? error;
        }
      }),
    );
  return {
    run: (statement, values) => inSavepoint(() => run(statement, values)),
    transaction: (work) => inSavepoint(() => work(run)),
    inOneTransaction: (work, { isDryRun } = {}) =>
      inSavepoint(() => work(nestedRunner(session, run)), isDryRun),
  };
}

interface PooledClient {
  client: postgres.Sql;
  /** Passes a signal to the statement that `start` sends. */
  withSignal<T>(signal: CancelSignal | undefined, start: () => T): T;
}

/** Returns a client for Drizzle that runs each statement and transaction on a pooled session. */
function pooledClient(pool: Pool, begin: string): PooledClient {
  // Drizzle calls the client synchronously, but cannot pass a signal to it.
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
            return endOnAbort(signal, session, query, take(query));
          }),
        );
      return {
        values: () => answer((query) => query.values()),
        // biome-ignore lint/suspicious/noThenProperty: the driver sends a query when it is awaited
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
    withSignal(signal, start) {
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

/**
 * Returns a function that runs statements and builds each once. Throws if two have the same name: PostgreSQL would run
 * the text of the first one for both.
 */
function createStatementRunner(orm: Orm) {
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

/** Opens a database. Connections are opened when they are needed. */
export function openDatabase(options: DatabaseOptions): Database {
  const { connection, poolSize, prepare = true, limits, onDisk, isDiskFull } = options;
  const { begin, beginSnapshot, settings } = sessionSetup(options);
  const pool = openPool({
    ...unlimited,
    ...limits,
    connection,
    poolSize,
    prepare,
    settings,
    onDisk,
    isDiskFull,
  });
  const commandSetup = sessionSetup({ ...options, limits: undefined });
  const commandPool = openPool({
    ...pool.options,
    ...unlimited,
    // A migration holds a lock on one connection while it works on another.
    poolSize: Math.max(2, poolSize),
    settings: commandSetup.settings,
    onDisk: undefined,
  });
  const { client, withSignal } = pooledClient(pool, begin);
  const run = createStatementRunner(drizzle(client, { casing: 'snake_case' }));
  const runners = new WeakMap<Session, Run>();

  function runnerOf(session: Session): Run {
    const known = runners.get(session);
    if (known !== undefined) return known;
    const runOn = createStatementRunner(session.orm);
    const runner: Run = (statement, values) => runOn(statement, values);
    runners.set(session, runner);
    return runner;
  }
  return {
    orm: drizzle(pooledClient(commandPool, commandSetup.begin).client, { casing: 'snake_case' }),
    run: (statement, values, signal) =>
      run(statement, values, (send) => withSignal(signal, send)).catch((error: unknown) => {
        throw toUnavailableError(error, true) ?? error;
      }),
    transaction: (work, signal) =>
      useSession(pool, (session) =>
        withRetry(() => transact(session, { begin, work: () => work(runnerOf(session)), signal })),
      ),
    snapshot: (work) =>
      useSession(pool, (session) =>
        transact(session, {
          begin: beginSnapshot,
          work: () => work(runnerOf(session)),
          signal: undefined,
        }),
      ),
    inOneTransaction: (work, { isDryRun = false, signal } = {}) =>
      useSession(pool, (session) => {
        const runner = nestedRunner(session, runnerOf(session));
        return transact(session, { begin, work: () => work(runner), signal, isDryRun });
      }),
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
      await Promise.all([closePool(pool), closePool(commandPool)]);
    },
  };
}
