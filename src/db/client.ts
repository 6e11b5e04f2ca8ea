import { setTimeout as sleep } from 'node:timers/promises';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import { drizzle, type PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { mayRunAgain } from './constraint.ts';
import type { Statement } from './statement.ts';

export type Orm = PgDatabase<PostgresJsQueryResultHKT, Record<string, never>>;

/** Where a PostgreSQL is: a URL from the configuration, or the socket of the embedded one. */
export type Connection = { url: string } | { path: string; user: string; database: string };

export type Values = Record<string, unknown>;
export type Run = <Answer>(statement: Statement<Answer>, values: Values) => Promise<Answer>;

export interface Database {
  /** For commands that run once, such as migrations; whatever serves requests goes through `run`. */
  orm: Orm;
  /** Runs one statement, a transaction of its own. */
  run: Run;
  /** Runs several statements, all or nothing. `work` may be called again, so it must have no other effects. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  connection: Connection;
  poolSize: number;
}

const connectTimeoutS = 5;
const statementTimeoutMs = 10_000;

function openPool({ connection, poolSize }: DatabaseOptions) {
  const options: postgres.Options<Record<string, never>> = {
    max: poolSize,
    connect_timeout: connectTimeoutS,
    onnotice: () => undefined,
    connection: {
      application_name: 'accountgraph',
      statement_timeout: statementTimeoutMs,
      lock_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: statementTimeoutMs,
      TimeZone: 'UTC',
      // Every statement is written for any values; planned for each anew, a search costs 8 to 15 ms more.
      plan_cache_mode: 'force_generic_plan',
    },
  };
  return 'url' in connection ? postgres(connection.url, options) : postgres({ ...options, ...connection });
}

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

/** Opens a pool; connections are made when they are needed. */
export function openDatabase(options: DatabaseOptions): Database {
  const pool = openPool(options);
  const orm: Orm = drizzle(pool, { casing: 'snake_case' });
  const prepared = new Map<string, ReturnType<ReturnType<Statement<unknown>['build']>['prepare']>>();

  function prepare<Answer>(statement: Statement<Answer>) {
    let query = prepared.get(statement.name);
    if (query === undefined) {
      query = statement.build(orm).prepare(statement.name);
      prepared.set(statement.name, query);
    }
    return query as { execute(values: Values): Promise<Answer> };
  }
  return {
    orm,
    run: (statement, values) => withRetry(() => prepare(statement).execute(values)),
    transaction: (work) =>
      withRetry(() =>
        orm.transaction((tx) =>
          work((statement, values) => statement.build(tx).prepare(statement.name).execute(values)),
        ),
      ),
    close: () => pool.end({ timeout: 5 }),
  };
}
