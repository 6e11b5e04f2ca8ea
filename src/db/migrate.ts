import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { Database } from './client.ts';
import { isRetryable, toUnavailableError } from './constraint.ts';
import { type Orm, statement } from './statement.ts';

/** The same relative path from here and from the bundle. */
const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));

/** An arbitrary id for the advisory lock. */
const lockId = 7_022_011_941;

/** Returns the `when` of the newest applied migration, or 0. */
async function newestApplied(db: Pick<Orm, 'execute'>): Promise<number> {
  const [exists] = await db.execute<{ found: string | null }>(
    sql`select to_regclass('drizzle.__drizzle_migrations')::text as found`,
  );
  if (exists?.found == null) return 0;
  const [last] = await db.execute<{ at: string | null }>(
    sql`select max(created_at)::text as at from drizzle.__drizzle_migrations`,
  );
  return Number(last?.at ?? 0);
}

/** Whether the statements of a migration run outside a transaction. Each of them can be run again. */
const isOutside = ({ sql: [first = ''] }: MigrationMeta) => first.startsWith('-- outside a transaction');

async function applyStatements(
  db: Pick<Orm, 'execute'>,
  { sql: statements, hash, folderMillis }: MigrationMeta,
) {
  for (const statement of statements) await db.execute(sql.raw(statement));
  await db.execute(
    sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`,
  );
}

/** Applies migrations in one transaction. */
async function applyTogether(orm: Orm, migrations: MigrationMeta[]): Promise<void> {
  if (migrations.length === 0) return;
  await orm.transaction(async (tx) => {
    await tx.execute(sql.raw(`set local lock_timeout = ${lockTimeoutMs}`));
    for (const migration of migrations) await applyStatements(tx, migration);
  });
}

async function applyMissing(orm: Orm, migrations: MigrationMeta[]): Promise<number> {
  const applied = await newestApplied(orm);
  const missing = migrations.filter((migration) => migration.folderMillis > applied);
  if (missing.length === 0) return 0;
  // The table that drizzle-kit uses.
  await orm.execute(sql`create schema if not exists drizzle`);
  await orm.execute(
    sql`create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`,
  );
  let together: MigrationMeta[] = [];
  for (const migration of missing) {
    if (!isOutside(migration)) together.push(migration);
    else {
      await applyTogether(orm, together);
      together = [];
      await applyStatements(orm, migration);
    }
  }
  await applyTogether(orm, together);
  return missing.length;
}

/**
 * Applies the missing migrations while a transaction of another connection holds the lock. Returns undefined if another
 * process holds it. A statement that waits for the lock would have a snapshot, for which a concurrent index build of
 * the other process waits. So would a portal, which the driver leaves for a statement with parameters.
 */
async function applyOnce(orm: Orm, migrations: MigrationMeta[]): Promise<number | undefined> {
  return orm.transaction(async (tx) => {
    const [row] = await tx.execute<{ locked: boolean }>(
      sql.raw(`select pg_try_advisory_xact_lock(${lockId}) as locked`),
    );
    return row?.locked ? applyMissing(orm, migrations) : undefined;
  });
}

/**
 * Shorter than the wait of a request: while a migration waits for a table lock, all requests to the table wait behind
 * it.
 */
const lockTimeoutMs = 1000;
const maxTries = 30;
const pauseMs = 1000;

/**
 * Applies the missing migrations, and returns their number. Those that need no transaction of their own are applied
 * all or none. Concurrent replicas wait for each other. If a table is in use, retries for at least half
 * a minute.
 */
export async function applyMigrations({ orm }: Database, folder = migrationsFolder): Promise<number> {
  const migrations = readMigrationFiles({ migrationsFolder: folder });
  for (let tries = 1; ; ) {
    try {
      const applied = await applyOnce(orm, migrations);
      if (applied !== undefined) return applied;
    } catch (error) {
      const inUse = toUnavailableError(error, true)?.reason === 'SLOW' || isRetryable(error);
      if (!inUse || tries === maxTries) throw error;
      tries += 1;
    }
    await sleep(pauseMs * (0.5 + Math.random()));
  }
}

/** Returns the `when` of each migration of this version. */
function migrationTimes(): number[] {
  const journal: { entries: { when: number }[] } = JSON.parse(
    readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8'),
  );
  return journal.entries.map((entry) => entry.when);
}

/** Returns how many migrations the database lacks, and how many it has from a newer version. */
export async function compareMigrations({
  orm,
}: Pick<Database, 'orm'>): Promise<{ missing: number; newer: number }> {
  const applied = await newestApplied(orm);
  const times = migrationTimes();
  const newest = Math.max(...times);
  const missing = times.filter((when) => when > applied).length;
  if (applied <= newest) return { missing, newer: 0 };
  const [row] = await orm.execute<{ count: number }>(
    sql`select count(*)::integer as count from drizzle.__drizzle_migrations where created_at > ${newest}`,
  );
  return { missing, newer: row?.count ?? 0 };
}

/** Returns the extensions that the migrations create. */
export function requiredExtensions(): string[] {
  const text = readMigrationFiles({ migrationsFolder }).flatMap((migration) => migration.sql);
  const names = text.flatMap((part) => [...part.matchAll(/^CREATE EXTENSION IF NOT EXISTS (\w+)/gm)]);
  return [...new Set(names.map(([, name = '']) => name))];
}

const newestMigration = statement(
  'newest_migration',
  (orm) => orm.select({ at: sql<string>`max(created_at)` }).from(sql`drizzle.__drizzle_migrations`),
  { acrossTenants: 'Migrations belong to no tenant.' },
);

/** Returns whether the database has all migrations of this version. Throws if it has none or is unavailable. */
export async function isMigrated({ run }: Database): Promise<boolean> {
  const [newest] = await run(newestMigration, {});
  return Number(newest?.at ?? 0) >= Math.max(...migrationTimes());
}
