import { sql } from 'drizzle-orm';
import { expect } from 'vitest';
import type { Client, Json, Service } from './service.ts';

const tables = ['customers', 'accounts', 'aliases', 'settings', 'changes', 'idempotency_records'] as const;

export type Stored = Record<(typeof tables)[number], Json[]>;

/** Every row that a tenant has, as the database holds it. */
export async function stored(service: Service, { tenantId }: Client): Promise<Stored> {
  const rows = tables.map(
    (table) => sql`(select coalesce(jsonb_agg(row order by row::text), '[]') from (
      select to_jsonb(t) as row from ${sql.identifier(table)} t where tenant_id = ${tenantId}) as rows) as ${sql.identifier(table)}`,
  );
  const [found] = await service.database.orm.execute<Stored>(sql`select ${sql.join(rows, sql`, `)}`);
  if (found === undefined) throw new Error('nothing is stored');
  return { ...found };
}

/** Fails unless the work leaves every row of these tenants as it was; answers with its result. */
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

/** The history of a tenant, oldest first. */
export async function changesOf(service: Service, { tenantId }: Client): Promise<Json[]> {
  const rows = await service.database.orm.execute(
    sql`select customer_id, account_id, kind, at, actor, request_id, version, before, after from changes
      where tenant_id = ${tenantId} order by id`,
  );
  return [...rows];
}

/** The history of one account, oldest first. */
export async function changesOfAccount(service: Service, client: Client, id: string): Promise<Json[]> {
  return (await changesOf(service, client)).filter((change) => change.account_id === id);
}

/** Makes everything that is known of a tenant's keys this much older. */
export function ageKeys(service: Service, { tenantId }: Client, hours: number) {
  return service.database.orm.execute(
    sql`update idempotency_records set created_at = created_at - make_interval(hours => ${hours})
      where tenant_id = ${tenantId}`,
  );
}
