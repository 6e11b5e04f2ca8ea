import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { Database } from './client.ts';
import { toUnavailableError } from './constraint.ts';
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

async function applyOnce(orm: Orm, migrations: MigrationMeta[]): Promise<number> {
  return orm.transaction(async (tx) => {
    await tx.execute(sql`set local statement_timeout = 0`);
    await tx.execute(sql`set local lock_timeout = 0`);
    await tx.execute(sql`select pg_advisory_xact_lock(${lockId})`);
    await tx.execute(sql.raw(`set local lock_timeout = ${lockTimeoutMs}`));
    const applied = await newestApplied(tx);
    const missing = migrations.filter((migration) => migration.folderMillis > applied);
    if (missing.length === 0) return 0;
    // The table that drizzle-kit uses.
    await tx.execute(sql`create schema if not exists drizzle`);
    await tx.execute(
      sql`create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`,
    );
    for (const { sql: statements, hash, folderMillis } of missing) {
      for (const statement of statements) await tx.execute(sql.raw(statement));
      await tx.execute(
        sql`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`,
      );
    }
    return missing.length;
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
 * Applies the missing migrations in one transaction, and returns their number. A transaction-level lock makes
 * concurrent replicas wait. If a table is in use, retries for at least half a minute.
 */
export async function applyMigrations({ orm }: Database, folder = migrationsFolder): Promise<number> {
  const migrations = readMigrationFiles({ migrationsFolder: folder });
  for (let tries = 1; ; tries += 1) {
    try {
      return await applyOnce(orm, migrations);
    } catch (error) {
      const inUse = toUnavailableError(error, true)?.reason === 'SLOW';
      if (!inUse || tries === maxTries) throw error;
      await sleep(pauseMs * (0.5 + Math.random()));
    }
  }
}

/** Returns the `when` of each migration of this version. */
function migrationTimes(): number[] {
  const journal: { entries: { when: number }[] } = JSON.parse(
    readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8'),
  );
  return journal.entries.map((entry) => entry.when);
}

/** Returns the number of migrations that the database lacks. */
export async function countMissingMigrations({ orm }: Database): Promise<number> {
  const applied = await newestApplied(orm);
  return migrationTimes().filter((when) => when > applied).length;
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
