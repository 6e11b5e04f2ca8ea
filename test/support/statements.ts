import type { Database } from '../../src/db/client.ts';

/**
 * Counts the runs of each statement, except background ones: clean-up, the last use of keys, appending to the feed, and
 * looking for webhook endpoints.
 */
async function statementCounts(database: Database): Promise<Map<string, number>> {
  const rows = await database.orm.execute<{ query: string; calls: string }>(
    `select query, sum(calls) as calls from pg_stat_statements s join pg_database d on d.oid = s.dbid
     where d.datname = current_database() and query not like '%pg_stat_statements%'
       and query not like '%"feed_state"%' and query not like 'delete from "webhook_attempts"%skip locked%'
       and (query not like 'select exists (select from "webhook_endpoints"%' or query like '%"webhook_leases"%')
       and query not like 'delete from "idempotency_records"%skip locked%'
       and query not like 'update "api_keys" set "last_used_at"%' group by query`,
  );
  return new Map(rows.map((row) => [row.query, Number(row.calls)]));
}

/** Returns the statements that a database received during `work`. */
export async function statementsDuring(database: Database, work: () => Promise<unknown>): Promise<string[]> {
  const before = await statementCounts(database);
  await work();
  const after = await statementCounts(database);
  return [...after].flatMap(([text, calls]) => Array<string>(calls - (before.get(text) ?? 0)).fill(text));
}
