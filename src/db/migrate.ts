import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { Database } from './client.ts';
import { unavailability } from './constraint.ts';
import { type Orm, statement } from './statement.ts';

/** As far up from here as from where this is bundled to. */
const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));

/** Any number that no other program takes an advisory lock on. */
const lockId = 7_022_011_941;

/** The `when` of the newest migration that was applied, 0 before the first one. */
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
    // The very table that drizzle-kit keeps.
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

/** While a migration waits for a table, every request to that table waits behind it: less than a request may wait. */
const lockTimeoutMs = 1000;
const maxTries = 30;
const pauseMs = 1000;

/**
 * Applies the migrations that are missing, all of them or none, and answers how many there were. The lock makes
 * replicas that start together wait for each other; it ends with the transaction, behind a transaction pooler too.
 * Where others use the tables it steps back and tries again, for half a minute or more.
 */
export async function applyMigrations({ orm }: Database, folder = migrationsFolder): Promise<number> {
  const migrations = readMigrationFiles({ migrationsFolder: folder });
  for (let tries = 1; ; tries += 1) {
    try {
      return await applyOnce(orm, migrations);
    } catch (error) {
      const inUse = unavailability(error, true)?.reason === 'SLOW';
      if (!inUse || tries === maxTries) throw error;
      await sleep(pauseMs * (0.5 + Math.random()));
    }
  }
}

/** When the migrations of this version were made, as drizzle-kit keeps it. */
function migrationTimes(): number[] {
  const journal: { entries: { when: number }[] } = JSON.parse(
    readFileSync(`${migrationsFolder}/meta/_journal.json`, 'utf8'),
  );
  return journal.entries.map((entry) => entry.when);
}

/** How many migrations of this version the database lacks. */
export async function countMissingMigrations({ orm }: Database): Promise<number> {
  const applied = await newestApplied(orm);
  return migrationTimes().filter((when) => when > applied).length;
}

const newestMigration = statement(
  'newest_migration',
  (orm) => orm.select({ at: sql<string>`max(created_at)` }).from(sql`drizzle.__drizzle_migrations`),
  { acrossTenants: 'Migrations are nobody’s.' },
);

/** Whether the database has every migration of this version; throws when it cannot say, or has none at all. */
export async function isMigrated({ run }: Database): Promise<boolean> {
  const [newest] = await run(newestMigration, {});
  return Number(newest?.at ?? 0) >= Math.max(...migrationTimes());
}
