import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Config } from '../config.ts';
import { type Connection, type Database, openDatabase } from '../db/client.ts';
import { applyMigrations, countMissingMigrations } from '../db/migrate.ts';
import { runningEmbedded, startEmbedded } from '../embedded/postgres.ts';
import { StartupError } from '../lib/errors.ts';
import { findRoute } from './pooler.ts';

const oldestVersion = 15;

const poolerAdvice = 'it is a pooler such as PgBouncer, behind which DATABASE_PREPARE must be false';

interface SystemError {
  code?: string;
  message: string;
}

/** Whether the driver or the server reported it; a fault of ours has no code of theirs. */
function isDatabaseError(error: unknown): error is SystemError {
  return error instanceof Error && typeof (error as SystemError).code === 'string';
}

function nameOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `The database ${decodeURIComponent(pathname.slice(1))} at ${host || 'localhost'} (DATABASE_URL)`;
}

/** What Drizzle and the pool have wrapped. */
function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}

/** Says in one sentence why a database cannot be used; whatever is no fault of the database is thrown as it is. */
export function databaseProblem(error: unknown, { databaseUrl }: Config): unknown {
  if (error instanceof StartupError || databaseUrl === undefined) return error;
  const cause = rootOf(error);
  if (!isDatabaseError(cause)) return error;
  const pooler = /unsupported startup parameter/.test(cause.message) ? `; ${poolerAdvice}` : '';
  return new StartupError(`${nameOf(databaseUrl)} cannot be used: ${cause.message || cause.code}${pooler}.`);
}

/** Throws StartupError unless the database is of a version that the service knows. */
export async function requireVersion({ orm }: Database, { databaseUrl }: Config): Promise<void> {
  if (databaseUrl === undefined) return;
  const [row] = await orm.execute<{ version: number }>(
    sql`select current_setting('server_version_num')::integer / 10000 as version`,
  );
  if (row === undefined || row.version >= oldestVersion) return;
  throw new StartupError(
    `${nameOf(databaseUrl)} is PostgreSQL ${row.version}: at least ${oldestVersion} is needed.`,
  );
}

/** Throws StartupError where a pooler loses prepared statements, and warns where it may. */
export async function requireStatementsKept({ databaseUrl, database }: Config, log: Logger): Promise<void> {
  if (databaseUrl === undefined || !database.prepare) return;
  const route = await findRoute(databaseUrl, database.limits.connectTimeoutMs);
  if (route === 'loses statements')
    throw new StartupError(`${nameOf(databaseUrl)} loses prepared statements; ${poolerAdvice}.`);
  if (route === 'unknown pooler') {
    log.warn(
      'Between the service and the database is a pooler. If it gives each transaction another connection, set DATABASE_PREPARE=false.',
    );
  }
}

/** Throws StartupError unless the database has every migration. */
export async function requireMigrated(database: Database): Promise<void> {
  const missing = await countMissingMigrations(database);
  if (missing === 0) return;
  const number = missing === 1 ? '1 migration' : `${missing} migrations`;
  throw new StartupError(
    `The database lacks ${number}: run \`accountgraph migrate\`, or set MIGRATE=true to apply them at start.`,
  );
}

/** Which database a command works on: the one at DATABASE_URL, or the embedded one, started if it is not running. */
async function findDatabase(
  config: Config,
): Promise<{ connection: Connection; started: boolean; stop(): Promise<void> }> {
  const found = { started: false, stop: () => Promise.resolve() };
  if (config.databaseUrl !== undefined) return { ...found, connection: { url: config.databaseUrl } };
  const running = await runningEmbedded(config.dataDir);
  if (running !== undefined) return { ...found, connection: running };
  const { dataDir } = config;
  return { ...(await startEmbedded({ dataDir, onNotice: console.error })), started: true };
}

/**
 * Runs a command on the configured database. What it starts itself it migrates; any other database must be, unless
 * the command is the one that migrates.
 */
export async function withDatabase<T>(
  config: Config,
  command: (database: Database) => Promise<T>,
  { migrates = false } = {},
): Promise<T> {
  const { connection, started, stop } = await findDatabase(config);
  const database = openDatabase({ connection, poolSize: 2, prepare: config.database.prepare });
  try {
    await requireVersion(database, config);
    if (!migrates) await (started ? applyMigrations : requireMigrated)(database);
    return await command(database);
  } catch (error) {
    throw databaseProblem(error, config);
  } finally {
    await database.close();
    await stop();
  }
}
