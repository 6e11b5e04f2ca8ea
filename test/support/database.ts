import { sql } from 'drizzle-orm';
import { expect } from 'vitest';
import type { Client, Json, Service } from './service.ts';

const tables = ['customers', 'accounts', 'aliases', 'settings', 'changes', 'idempotency_records'] as const;

export type RowCounts = { [table in (typeof tables)[number]]: number };

/** Counts a tenant's rows in each table. */
export async function rowCounts(service: Service, { tenantId }: Client): Promise<RowCounts> {
  const counts = tables.map(
    (table) =>
      sql`(select count(*)::integer from ${sql.identifier(table)} where tenant_id = ${tenantId}) as ${sql.identifier(table)}`,
  );
  const [row] = await service.database.orm.execute<RowCounts>(sql`select ${sql.join(counts, sql`, `)}`);
  if (row === undefined) throw new Error('no counts');
  return { ...row };
}

/** Returns the statements that `work` runs, without the lookup of its token. */
export async function statementsOf(service: Service, work: () => Promise<unknown>): Promise<string[]> {
  const all = await service.statements(work);
  return all.filter((text) => !text.includes('api_keys'));
}

/** Counts the statements that wait for a lock of another transaction. */
export async function waitingStatements(service: Service): Promise<number> {
  const [row] = await service.database.orm.execute<{ count: number }>(
    sql`select count(*)::integer as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return row?.count ?? 0;
}

export type Stored = Record<(typeof tables)[number], Json[]>;

/** Returns every row of a tenant as the database stores it. */
export async function stored(service: Service, { tenantId }: Client): Promise<Stored> {
  const rows = tables.map(
    (table) => sql`(select coalesce(jsonb_agg(row order by row::text), '[]') from (
      select to_jsonb(t) as row from ${sql.identifier(table)} t where tenant_id = ${tenantId}) as rows) as ${sql.identifier(table)}`,
  );
  const [found] = await service.database.orm.execute<Stored>(sql`select ${sql.join(rows, sql`, `)}`);
  if (found === undefined) throw new Error('nothing is stored');
  return { ...found };
}

/** Runs `work`, fails if it changes a row of these tenants, and returns its result. */
export async function writesNothing<T>(
  service: Service,
  clients: Client[],
  work: () => Promise<T>,
): Promise<T> {
  const read = () => Promise.all(clients.map((client) => stored(service, client)));
  const before = await read();
  const result = await work();
  expect(await read()).toEqual(before);
  return result;
}

/** Returns the history of a tenant, oldest entry first. */
export async function changesOf(service: Service, { tenantId }: Client): Promise<Json[]> {
  const rows = await service.database.orm.execute(
    sql`select customer_id, account_id, kind, at, actor, request_id, version, before, after from changes
      where tenant_id = ${tenantId} order by id`,
  );
  return [...rows];
}

/** Returns the history of an account, oldest entry first. */
export async function changesOfAccount(service: Service, client: Client, id: string): Promise<Json[]> {
  return (await changesOf(service, client)).filter((change) => change.account_id === id);
}

/** Moves the creation of a tenant's idempotency records this many hours into the past. */
export function ageKeys(service: Service, { tenantId }: Client, hours: number) {
  return service.database.orm.execute(
    sql`update idempotency_records set created_at = created_at - make_interval(hours => ${hours})
      where tenant_id = ${tenantId}`,
  );
}
