import { sql } from 'drizzle-orm';
import type { Client, Service } from './service.ts';

const tables = ['customers', 'accounts', 'aliases', 'settings', 'changes', 'idempotency_records'] as const;

export type RowCounts = { [table in (typeof tables)[number]]: number };

/** What a tenant has of each table, counted in the database itself. */
export async function rowCounts(service: Service, { tenantId }: Client): Promise<RowCounts> {
  const counts = tables.map(
    (table) =>
      sql`(select count(*)::integer from ${sql.identifier(table)} where tenant_id = ${tenantId}) as ${sql.identifier(table)}`,
  );
  const [row] = await service.database.orm.execute<RowCounts>(sql`select ${sql.join(counts, sql`, `)}`);
  if (row === undefined) throw new Error('no counts');
  return { ...row };
}

/** The statements that `work` costs beside the look-up of its token. */
export async function statementsOf(service: Service, work: () => Promise<unknown>): Promise<string[]> {
  const all = await service.statements(work);
  return all.filter((text) => !text.includes('api_keys'));
}

/** How many statements wait for what another transaction holds. */
export async function waitingStatements(service: Service): Promise<number> {
  const [row] = await service.database.orm.execute<{ count: number }>(
    sql`select count(*)::integer as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
  );
  return row?.count ?? 0;
}
