import { sql } from 'drizzle-orm';
import type { Config } from '../config.ts';
import { type Connection, type Database, openDatabase } from '../db/client.ts';
import { applyMigrations, compareMigrations } from '../db/migrate.ts';
import { runningEmbedded, startEmbedded } from '../embedded/postgres.ts';
import { AppError, StartupError, UnavailableError, UnreachableError } from '../lib/errors.ts';
import { countOf } from '../lib/wording.ts';
import { findRoute, type Route } from './pooler.ts';

const oldestVersion = 15;

const poolerAdvice = 'Set DATABASE_PREPARE=false behind a pooler such as PgBouncer.';

interface SystemError {
  code?: string;
  message: string;
}

/** Whether the driver or PostgreSQL reported the error. Errors of the service's own code have no code. */
export function isDatabaseError(error: unknown): error is SystemError {
  if (!(error instanceof Error) || error instanceof AppError) return false;
  return typeof (error as SystemError).code === 'string';
}

/** Whether PostgreSQL refuses the role, its password or the database, or a statement. */
const isPermanent = ({ code = '' }: SystemError): boolean => /^(28|3D|42)/.test(code);

/** Returns a name of the database for messages, without user and password. */
export function nameOf(url: string): string {
  const { host, pathname } = new URL(url);
  return `The database ${decodeURIComponent(pathname.slice(1))} at ${host || 'localhost'} (DATABASE_URL)`;
}

/** Returns the original error, which Drizzle and the pool wrap. */
export function rootOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? rootOf(error.cause) : error;
}

/** What to do about errors of a database, by code. */
const adviceByCode: [RegExp, string][] = [
  [/^E[A-Z]+$|^CONNECT/, 'Start the database, or correct DATABASE_URL.'],
  [/^28/, 'Correct the user and the password in DATABASE_URL.'],
  [/^3D000$/, 'Create the database, or correct its name in DATABASE_URL.'],
  [/^42501$/, 'Grant its role this right, or use the role that owns the tables.'],
  [/^53300$/, 'Close other connections, or raise the limit.'],
];

function adviceFor({ code = '', message }: SystemError): string {
  if (/unsupported startup parameter/.test(message)) return poolerAdvice;
  return adviceByCode.find(([codes]) => codes.test(code))?.[1] ?? 'See the log of the database.';
}

/** Converts a database error to a StartupError that says why the database cannot be used. Returns other errors. */
export function databaseProblem(error: unknown, { databaseUrl }: Config): unknown {
  if (error instanceof StartupError) return error;
  if (databaseUrl === undefined)
    return error instanceof UnavailableError ? new UnreachableError(error.message) : error;
  const cause = rootOf(error);
  if (!isDatabaseError(cause)) return error;
  const reason = cause.message || cause.code;
  const message = `${nameOf(databaseUrl)} cannot be used: ${reason}. ${adviceFor(cause)}`;
  return isPermanent(cause) ? new StartupError(message) : new UnreachableError(message);
}

/** @throws StartupError if the PostgreSQL version is too old */
export async function requireVersion({ orm }: Database, { databaseUrl }: Config): Promise<void> {
  if (databaseUrl === undefined) return;
  const [row] = await orm.execute<{ version: number }>(
    sql`select current_setting('server_version_num')::integer / 10000 as version`,
  );
  if (row === undefined || row.version >= oldestVersion) return;
  throw new StartupError(
    `${nameOf(databaseUrl)} is PostgreSQL ${row.version}. Use version ${oldestVersion} or newer.`,
  );
}

export const unknownPooler = {
  message: 'There is a pooler between the service and the database.',
  advice: 'If it runs in transaction mode, set DATABASE_PREPARE=false.',
};

/**
 * Returns how the service reaches the database, if it uses prepared statements.
 * @throws StartupError if a pooler loses prepared statements
 */
export async function requireStatementsKept({ databaseUrl, database }: Config): Promise<Route | undefined> {
  if (databaseUrl === undefined || !database.prepare) return undefined;
  const route = await findRoute(databaseUrl, database.limits.connectTimeoutMs);
  if (route === 'loses statements')
    throw new StartupError(`${nameOf(databaseUrl)} loses prepared statements. ${poolerAdvice}`);
  return route;
}

export const migrateAdvice = 'Run `accountgraph migrate`, or set MIGRATE=true to migrate at startup.';

/** @throws StartupError if the database lacks a migration */
export async function requireMigrated(database: Database): Promise<void> {
  const { missing } = await compareMigrations(database);
  if (missing === 0) return;
  throw new StartupError(`The database lacks ${countOf(missing, 'migration')}. ${migrateAdvice}`);
}

/** Finds the database of a command: the one at DATABASE_URL, or the embedded one, which it starts if necessary. */
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
 * Runs a command on the configured database. If it starts the embedded database, it also migrates it. Any other
 * database must be migrated, unless the command itself `migrates`.
 */
export async function withDatabase<T>(
  config: Config,
  command: (database: Database) => Promise<T>,
  { migrates = false, poolSize = 2 } = {},
): Promise<T> {
  const { connection, started, stop } = await findDatabase(config);
  const database = openDatabase({ connection, poolSize, prepare: config.database.prepare });
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
