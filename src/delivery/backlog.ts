import { sql } from 'drizzle-orm';
import type { Database } from '../db/client.ts';
import { oneRow } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { feed } from '../feed/table.ts';
import { webhookAttempts, webhookEndpoints, webhookLanes, webhookLeases } from '../webhook/table.ts';

const acrossTenants = 'Health, metrics and the clean-up are those of the whole database.';

const leaseStatus = statement(
  'webhook_lease_status',
  (orm) =>
    orm
      .select({
        hasEndpoints: sql<boolean>`exists (select from ${webhookEndpoints} where ${webhookEndpoints.status} = 'ENABLED')`,
        hasLease: sql<boolean>`exists (select from ${webhookLeases} where ${webhookLeases.expiresAt} > now())`,
      })
      .from(oneRow),
  { acrossTenants },
);

/** Returns whether any replica delivers webhooks. */
export async function findDeliveryStatus(
  database: Database,
): Promise<'delivering' | 'not delivering' | 'idle'> {
  const [found] = await database.run(leaseStatus, {});
  if (found?.hasEndpoints !== true) return 'idle';
  return found.hasLease ? 'delivering' : 'not delivering';
}

const backlogOfAll = statement(
  'webhook_backlog_of_all',
  (orm) => {
    const state = sql`case when ${webhookLanes.nextAttemptAt} = 'infinity' then 'blocked'
      when ${webhookLanes.attempts} > 0 then 'retrying' else 'waiting' end`;
    return orm
      .select({
        positions: sql<number>`(select coalesce(sum(head.position - endpoint.position), 0)
          from ${webhookEndpoints} as endpoint, lateral (select max(newest.position) as position from ${feed} as newest
            where newest.tenant_id = endpoint.tenant_id) as head where endpoint.status = 'ENABLED')`.mapWith(
          Number,
        ),
        lanes: sql<LaneState[]>`(select coalesce(json_agg(by_state), '[]') from (select ${state} as state,
          count(*)::integer as count, extract(epoch from now() - min(${webhookLanes.behindSince}))::float as seconds
          from ${webhookLanes} group by 1) as by_state)`,
      })
      .from(oneRow);
  },
  { acrossTenants },
);

interface LaneState {
  state: 'waiting' | 'retrying' | 'blocked';
  count: number;
  seconds: number;
}

/** Returns what the endpoints of all tenants have not received yet. */
export async function findBacklog(database: Database): Promise<{ positions: number; lanes: LaneState[] }> {
  const [found] = await database.run(backlogOfAll, {});
  const known = new Map(found?.lanes.map((lane) => [lane.state, lane]));
  const lanes = (['waiting', 'retrying', 'blocked'] as const).map(
    (state) => known.get(state) ?? { state, count: 0, seconds: 0 },
  );
  return { positions: found?.positions ?? 0, lanes };
}

/** Small enough to keep the transaction short. */
const forgottenAtOnce = 2000;
const attemptsKeptDays = 30;

const forgetBatch = statement(
  'forget_webhook_attempts',
  (orm) =>
    orm
      .delete(webhookAttempts)
      .where(
        sql`(tenant_id, endpoint_id, id) in (select tenant_id, endpoint_id, id from ${webhookAttempts}
          where at < now() - ${sql.raw(String(attemptsKeptDays))} * interval '1 day'
          order by at limit ${sql.raw(String(forgottenAtOnce))} for update skip locked)`,
      )
      .returning({ id: webhookAttempts.id }),
  { acrossTenants },
);

/** Deletes the attempts of all tenants that are older than 30 days. */
export async function forgetAttempts(database: Database): Promise<void> {
  while ((await database.run(forgetBatch, {})).length === forgottenAtOnce);
}
