import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type Database, openDatabase } from '../../src/db/client.ts';
import { applyMigrations, compareMigrations } from '../../src/db/migrate.ts';

const migrations = join(import.meta.dirname, '..', '..', 'migrations');

let database: Database;
let folder = '';

beforeEach(async () => {
  const name = `m_${randomUUID().replaceAll('-', '')}`;
  const admin = openDatabase({ connection: inject('server'), poolSize: 1 });
  await admin.orm.execute(`create database ${name}`);
  await admin.close();
  database = openDatabase({ connection: { ...inject('server'), database: name }, poolSize: 4 });
  folder = await mkdtemp(join(tmpdir(), 'ag-migrations-'));
});
afterEach(async () => {
  await database.close();
  await rm(folder, { recursive: true });
});

async function journal(): Promise<{ entries: { tag: string }[] }> {
  return JSON.parse(await readFile(join(migrations, 'meta', '_journal.json'), 'utf8'));
}

/** Creates a folder with the first migrations, as an earlier version of the service has it. */
async function firstMigrations(count: number): Promise<string> {
  const { entries, ...rest } = await journal();
  const path = join(folder, String(count));
  await mkdir(join(path, 'meta'), { recursive: true });
  for (const { tag } of entries.slice(0, count)) {
    await symlink(join(migrations, `${tag}.sql`), join(path, `${tag}.sql`));
  }
  const shortened = { ...rest, entries: entries.slice(0, count) };
  await writeFile(join(path, 'meta', '_journal.json'), JSON.stringify(shortened));
  return path;
}

const statements = [
  `insert into tenants (name, base_currency, net_term_days, created_at) values ('old', 'USD', 30, now())`,
  `insert into api_keys (tenant_id, id, name, token_hash, created_at)
    select 1, gen_random_uuid(), 'key', decode(md5(n::text), 'hex'), now() from generate_series(1, 20) n`,
  `insert into customers (tenant_id, id, node_id, name, status, primary_email, address_city, metadata, version, created_at, updated_at)
    select 1, 'c' || n, gen_random_uuid(), 'Customer', 'ACTIVE', 'a@acme.example', 'Rome', '{}', 1, now(), now() from generate_series(1, 100) n`,
  `insert into accounts (tenant_id, id, node_id, customer_id, name, status, tags, metadata, version, created_at, updated_at)
    select 1, 'a' || n, gen_random_uuid(), 'c' || (n % 100 + 1), 'Account', 'ACTIVE', '{}', '{}', 1, now(), now() from generate_series(1, 1000) n`,
  `insert into aliases (tenant_id, value, account_id, effective_from, effective_until, created_at)
    select 1, 'alias' || n, 'a' || n, '-infinity', 'infinity', now() from generate_series(1, 1000) n`,
  `insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
    select 1, 'ACCOUNT', 'a' || n, 'n', 's', 'S', 'STRING', 'v' from generate_series(1, 1000) n`,
  `insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
    select 1, gen_random_uuid(), 'c' || (n % 100 + 1), 'a' || n, 'ACCOUNT_CREATED', now(), 'key_1', 'r', 1 from generate_series(1, 1000) n`,
  `insert into idempotency_records (tenant_id, key, fingerprint, answer, created_at)
    select 1, 'k' || n, 'f', '{}', now() from generate_series(1, 100) n`,
];

async function rowCounts() {
  const tables = [
    'tenants',
    'api_keys',
    'customers',
    'accounts',
    'aliases',
    'settings',
    'changes',
    'idempotency_records',
  ];
  const counts = tables.map((table) => `(select count(*)::integer from ${table}) as ${table}`);
  const [row] = await database.orm.execute(`select ${counts.join(', ')}`);
  return row;
}

/** Applies the first migration and inserts rows in every table. */
async function populate(): Promise<void> {
  expect(await applyMigrations(database, await firstMigrations(1))).toBe(1);
  for (const statement of statements) await database.orm.execute(statement);
}

it('keeps every row in each migration of a populated database', async () => {
  await populate();
  const before = await rowCounts();
  const { entries } = await journal();
  for (let count = 2; count <= entries.length; count += 1) {
    expect(await applyMigrations(database, await firstMigrations(count))).toBe(1);
    expect({ after: entries[count - 1]?.tag, ...(await rowCounts()) }).toMatchObject({ ...before });
  }
  expect(await compareMigrations(database)).toEqual({ missing: 0, newer: 0 });
  expect(await applyMigrations(database)).toBe(0);
});

it('gives up its locks while transactions use a table, and finishes afterwards', async () => {
  await populate();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let migrated = false;
  const using = database.orm.transaction(async (tx) => {
    await tx.execute('lock table aliases in access share mode');
    await released;
  });
  const migrating = applyMigrations(database).then((count) => {
    migrated = true;
    return count;
  });
  // Each read waits behind the migration at most until the migration gives up its lock.
  for (let reads = 0; reads < 5; reads += 1) {
    await database.orm.execute('set lock_timeout = 2000; select count(*) from aliases');
  }
  expect(migrated).toBe(false);
  release();
  await using;
  const { entries } = await journal();
  expect(await migrating).toBe(entries.length - 1);
});

/** Returns the statements with which the first version writes a tenant and an account. */
const writesOfFirstVersion = (id: string) => [
  `insert into tenants (name, base_currency, net_term_days, created_at) values ('${id}', 'USD', 30, now())`,
  `insert into accounts (tenant_id, id, node_id, customer_id, name, status, tags, metadata, version, created_at, updated_at)
    values (1, '${id}', gen_random_uuid(), 'c1', 'Account', 'ACTIVE', '{}', '{}', 1, now(), now())`,
  `insert into aliases (tenant_id, value, account_id, effective_from, effective_until, created_at)
    values (1, '${id}-alias', '${id}', '-infinity', 'infinity', now())`,
  `insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
    values (1, 'ACCOUNT', '${id}', 'n', 's', 'S', 'STRING', 'v')`,
  `insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
    values (1, gen_random_uuid(), 'c1', '${id}', 'ACCOUNT_CREATED', now(), 'key_1', 'r', 1)`,
  `update accounts set name = 'Renamed', version = version + 1 where tenant_id = 1 and id = '${id}'`,
  `insert into idempotency_records (tenant_id, key, fingerprint, answer, created_at)
    values (1, '${id}', 'f', '{}', now())`,
];

it('does not fail the writes of the previous version, while it runs and afterwards', async () => {
  await populate();
  const before = await rowCounts();
  let written = 0;
  let migrated = false;
  const writer = async () => {
    for (let more = 20; more > 0; more -= migrated ? 1 : 0) {
      const id = `old${written++}`;
      await database.orm.transaction(async (tx) => {
        for (const statement of writesOfFirstVersion(id)) await tx.execute(statement);
      });
    }
  };
  const writing = [writer(), writer()];
  await applyMigrations(database);
  migrated = true;
  await Promise.all(writing);
  expect(await compareMigrations(database)).toEqual({ missing: 0, newer: 0 });
  const after = await rowCounts();
  for (const table of ['tenants', 'accounts', 'aliases', 'settings', 'changes', 'idempotency_records']) {
    expect({ table, rows: after?.[table] }).toEqual({ table, rows: Number(before?.[table]) + written });
  }
  // Searches find what it wrote.
  const missed = await database.orm.execute(`select accounts.id from accounts
    join aliases on aliases.tenant_id = accounts.tenant_id and aliases.account_id = accounts.id
    where (search_text like all(search_patterns(accounts.id || ' ' || accounts.name || ' ' || value))) is not true`);
  expect(missed).toEqual([]);
});

it('leaves no partial migration if it is killed, and finishes in the next run', async () => {
  await populate();
  const before = await rowCounts();
  let release = (): void => undefined;
  const holding = database.orm.transaction(async (tx) => {
    await tx.execute('lock table changes in access share mode');
    await new Promise<void>((resolve) => {
      release = resolve;
    });
  });
  const killed = applyMigrations(database).then(
    () => 'done',
    () => 'killed',
  );
  const waiting = sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await database.orm.execute(waiting)).length === 0);
  expect(await killed).toBe('killed');
  release();
  await holding;
  expect(await rowCounts()).toEqual(before);
  const { entries } = await journal();
  expect(await compareMigrations(database)).toEqual({ missing: entries.length - 1, newer: 0 });
  expect(await applyMigrations(database)).toBe(entries.length - 1);
  expect(await rowCounts()).toEqual(before);
});

/** Ends the session that runs a statement which waits for another transaction, and returns what it ran. */
async function endWaiting(): Promise<string> {
  for (;;) {
    const [row] = await database.orm.execute<{ query: string }>(sql`
      select query, pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event = 'virtualxid'`);
    if (row !== undefined) return row.query;
  }
}

it('replaces the invalid index of an interrupted build, and blocks no write meanwhile', async () => {
  await populate();
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  // A concurrent build waits for this transaction, which has an old snapshot.
  const holding = database.orm.transaction(
    async (tx) => {
      await tx.execute('select 1');
      await released;
    },
    { isolationLevel: 'repeatable read' },
  );
  const killed = applyMigrations(database).then(
    () => 'done',
    () => 'killed',
  );
  const rename = `update accounts set name = 'Renamed', version = version + 1 where id = 'a1'`;
  expect(await endWaiting()).toContain('INDEX CONCURRENTLY "accounts_search_idx"');
  await database.orm.execute(`set lock_timeout = 1000; ${rename}`);
  expect(await killed).toBe('killed');
  const invalid = `select indexrelid::regclass::text as name from pg_index where not indisvalid`;
  expect(await database.orm.execute(invalid)).toEqual([{ name: 'accounts_search_idx' }]);
  const { missing } = await compareMigrations(database);
  release();
  await holding;
  expect(await applyMigrations(database)).toBe(missing);
  expect(await database.orm.execute(invalid)).toEqual([]);
  const old = await database.orm.execute(
    `select indexrelid::regclass::text as name from pg_index where indexrelid::regclass::text like '%filter_idx'`,
  );
  expect(old).toEqual([]);
});
