import { sql } from 'drizzle-orm';
import type { Config } from '../../config.ts';
import { type Connection, type Database, openDatabase } from '../../db/client.ts';
import { compareMigrations, requiredExtensions } from '../../db/migrate.ts';
import { countOf } from '../../lib/wording.ts';
import { migrateAdvice, nameOf, requireStatementsKept, requireVersion, unknownPooler } from '../database.ts';
import { attempt, type Check, isProblem, ok, problem, warning } from './check.ts';
import { checkConnections } from './connections.ts';

interface Place {
  config: Config;
  database: Database;
  /** The time of this machine in milliseconds. */
  now: () => number;
}

async function checkVersion({ config, database }: Place): Promise<Check> {
  await requireVersion(database, config);
  const [row] = await database.orm.execute<{ version: string }>(
    sql`select current_setting('server_version') as version`,
  );
  const name = config.databaseUrl === undefined ? 'The embedded PostgreSQL' : nameOf(config.databaseUrl);
  return ok('database', `${name} is reachable: PostgreSQL ${row?.version}.`);
}

/** Checks the encoding, and the letters that searches know. */
async function checkText({ database: { orm } }: Place): Promise<Check> {
  const [text] = await orm.execute<{ encoding: string; ctype: string }>(
    sql`select pg_encoding_to_char(encoding) as encoding, datctype as ctype from pg_database where datname = current_database()`,
  );
  const { encoding = '', ctype = '' } = text ?? {};
  const advice =
    "Create another database with `encoding 'UTF8' lc_ctype 'C.UTF-8' template template0`, and move the data.";
  if (encoding !== 'UTF8') {
    return problem('text', `The encoding of the database is ${encoding}, not UTF8.`, advice);
  }
  // The provider of the locale can be another one than that of LC_CTYPE, which trigrams use.
  const [row] = await orm.execute<{ folds: boolean }>(sql`select lower(chr(201)) = chr(233) as folds`);
  if (row?.folds && !/^(C|POSIX)$/.test(ctype)) return ok('text', `UTF8 with LC_CTYPE ${ctype}.`);
  const message = `LC_CTYPE of the database is ${ctype}, which covers only ASCII letters. A search in another script reads every account, and case is ignored only in ASCII.`;
  return warning('text', message, advice);
}

/** Checks that a pooler keeps prepared statements. Without one, also checks the number of connections. */
async function checkRoute({ config, database }: Place): Promise<Check[]> {
  if (config.databaseUrl === undefined) return [];
  const name = 'prepared statements';
  // First, because sessions that have just ended still count.
  const connections = await checkConnections(database, config.database.poolSize);
  const route = await requireStatementsKept(config);
  if (route === undefined) return [];
  if (route === 'unknown pooler') return [warning(name, unknownPooler.message, unknownPooler.advice)];
  if (route === 'keeps statements') return [ok(name, 'The pooler keeps prepared statements.')];
  return [ok(name, 'There is no pooler, so PostgreSQL keeps prepared statements.'), connections];
}

interface Extension extends Record<string, unknown> {
  name: string;
  installed: boolean;
  /** Whether the role of the service can create it. */
  creatable: boolean;
}

async function checkExtensions({ database: { orm } }: Place): Promise<Check[]> {
  const available = await orm.execute<Extension>(sql`
    select a.name, a.installed_version is not null as installed, r.rolsuper or not v.superuser
      or (v.trusted and has_database_privilege(current_database(), 'create')) as creatable
    from pg_available_extensions as a
    join pg_available_extension_versions as v on v.name = a.name and v.version = a.default_version
    join pg_roles as r on r.rolname = current_user`);
  return explainExtensions(requiredExtensions(), available);
}

/** Returns a problem for each required extension that is neither installed nor creatable. */
export function explainExtensions(required: readonly string[], available: readonly Extension[]): Check[] {
  const name = 'extensions';
  const found = required.map((wanted) => available.find((one) => one.name === wanted) ?? wanted);
  const problems = found.flatMap((one) => {
    if (typeof one === 'string') {
      const advice = "Install the package with PostgreSQL's additional modules, such as postgresql-contrib.";
      return problem(name, `The server does not have the extension ${one}.`, advice);
    }
    if (one.installed || one.creatable) return [];
    const message = `The role of the service cannot create the extension ${one.name}.`;
    return problem(name, message, `As a superuser, run \`create extension ${one.name}\` in the database.`);
  });
  return problems.length > 0
    ? problems
    : [ok(name, `The database has, or the role can create, ${required.join(', ')}.`)];
}

/** Checks that the role of the service can migrate. */
async function checkRights({ orm }: Database): Promise<Check> {
  const name = 'rights';
  const [row] = await orm.execute<{ database: boolean; schema: boolean; owner: boolean }>(sql`
    select has_database_privilege(current_database(), 'create') as database,
      coalesce(has_schema_privilege(current_schema(), 'create'), false) as schema,
      coalesce((select pg_has_role(relowner, 'usage') from pg_class
        where oid = to_regclass('drizzle.__drizzle_migrations')), true) as owner`);
  const lacking = [
    row?.database ? [] : ['create schemas in the database'],
    row?.schema ? [] : ['create tables in the schema'],
    row?.owner ? [] : ['alter the tables, because another role owns them'],
  ].flat();
  if (lacking.length === 0) return ok(name, 'The role of the service can migrate.');
  const message = `The role of the service cannot ${lacking.join(', and cannot ')}.`;
  return problem(name, message, 'Migrate with the role that owns the database, or make this role its owner.');
}

async function checkMigrations({ config, database }: Place): Promise<Check[]> {
  const name = 'migrations';
  const { missing, newer } = await compareMigrations(database);
  if (newer > 0) {
    const message = `The database has ${countOf(newer, 'migration')} of a newer version.`;
    return [warning(name, message, 'Update this service to the version that migrated the database.')];
  }
  if (missing === 0) return [ok(name, 'The database has every migration.')];
  const lacks = `The database lacks ${countOf(missing, 'migration')}`;
  const migrations = config.migrate
    ? ok(name, `${lacks}. The next start applies them.`)
    : problem(name, `${lacks}.`, migrateAdvice);
  return [migrations, await checkRights(database)];
}

const warnAboveMs = 2000;
const failAboveMs = 30_000;

/** Compares the clocks of this machine and the database. The time of the round trip is uncertain. */
async function checkClock({ database, now }: Place): Promise<Check> {
  const sentAt = now();
  const [row] = await database.orm.execute<{ at: number }>(
    sql`select extract(epoch from clock_timestamp())::float8 * 1000 as at`,
  );
  const receivedAt = now();
  const ahead = (row?.at ?? 0) - (sentAt + receivedAt) / 2;
  const skewMs = Math.abs(ahead) - (receivedAt - sentAt) / 2;
  if (skewMs < warnAboveMs) return ok('clock', 'The clocks of this machine and the database agree.');
  const direction = ahead > 0 ? 'ahead of' : 'behind';
  const message = `The clock of the database is ${Math.round(skewMs / 1000)} s ${direction} the clock of this machine, so the history can show changes in the wrong order.`;
  const advice = 'Synchronize the clocks of all machines, for example with chrony.';
  return skewMs < failAboveMs ? warning('clock', message, advice) : problem('clock', message, advice);
}

/** Runs the checks of a database that is reachable. Changes nothing. */
export async function checkDatabase(
  config: Config,
  connection: Connection,
  now: () => number,
): Promise<Check[]> {
  const database = openDatabase({ connection, poolSize: 1, prepare: config.database.prepare });
  const place = { config, database, now };
  const log = config.databaseUrl === undefined ? `${config.dataDir}/postgres.log` : 'the log of the database';
  const advice = `See ${log}.`;
  const run = (name: string, work: (place: Place) => Promise<Check | Check[]>) =>
    attempt(name, { config, advice }, () => work(place));
  try {
    const reached = await run('database', checkVersion);
    if (reached.some(isProblem)) return reached;
    return [
      ...reached,
      ...(await run('text', checkText)),
      ...(await run('prepared statements', checkRoute)),
      ...(await run('extensions', checkExtensions)),
      ...(await run('migrations', checkMigrations)),
      ...(await run('clock', checkClock)),
    ];
  } finally {
    await database.close();
  }
}
