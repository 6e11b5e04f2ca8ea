import { type SQL, sql } from 'drizzle-orm';
import { jsonRow } from '../db/json.ts';
import { given, oneRow } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changeAt } from '../feed/read.ts';
import { type FeedEntry, feed } from '../feed/table.ts';
import { changes } from '../history/table.ts';
import {
  type EndpointRow,
  webhookAttempts,
  webhookEndpointChanges,
  webhookEndpoints,
  webhookLanes,
  webhookLeases,
} from '../webhook/table.ts';

/** The most entries of the feed that one statement looks at for an endpoint, and the endpoints of one statement. */
const dispatchedEntries = 500;
export const dispatchedEndpoints = 10;
/** The most changes that are delivered for a claim of a lane. */
export const claimedChanges = 20;

const acrossTenants =
  'One replica delivers for all tenants. Each endpoint gets only the changes of its tenant.';

/** The condition that the row `change` matches the filter of the row `endpoint`. */
export const isSelected = sql`(endpoint.customer_id is null or change.customer_id = endpoint.customer_id)
  and (endpoint.kinds is null or change.kind = any(endpoint.kinds))`;

/**
 * Moves endpoints along the feed: adds the matching entries to the lanes of their accounts and customers. Endpoints
 * that another replica moves are skipped. Returns a row for each endpoint that has moved.
 */
export const dispatchEntries = statement(
  'dispatch_webhooks',
  (orm) => {
    const behind = orm.$with('behind', { one: sql`1` }).as(sql`
      select endpoint.tenant_id, endpoint.id, endpoint.position, endpoint.customer_id, endpoint.kinds, head.position as head,
        least(head.position, endpoint.position + ${sql.raw(String(dispatchedEntries))}) as until
      from ${webhookEndpoints} as endpoint, lateral (select max(newest.position) as position from ${feed} as newest
        where newest.tenant_id = endpoint.tenant_id) as head
      where endpoint.status = 'ENABLED' and endpoint.position < head.position
      limit ${sql.raw(String(dispatchedEndpoints))} for update of endpoint skip locked`);
    const lanes = orm.$with('lanes', { one: sql`1` }).as(sql`
      insert into ${webhookLanes} (tenant_id, endpoint_id, is_account, entity_id, next_version, last_version,
        attempts, next_attempt_at, behind_since)
      select endpoint.tenant_id, endpoint.id, change.account_id is not null, coalesce(change.account_id, change.customer_id),
        min(change.version), max(change.version), 0, now(), now()
      from behind as endpoint, ${feed} as place, ${changeAt} as change
      where place.tenant_id = endpoint.tenant_id and place.position > endpoint.position and place.position <= endpoint.until
        and ${isSelected}
      group by 1, 2, 3, 4
      on conflict (tenant_id, endpoint_id, is_account, entity_id) do update set
        next_version = coalesce(webhook_lanes.next_version, excluded.next_version), last_version = excluded.last_version
      returning 1`);
    const moved = orm.$with('moved', { one: sql`1` }).as(sql`
      update ${webhookEndpoints} as endpoint set position = behind.until from behind
      where endpoint.tenant_id = behind.tenant_id and endpoint.id = behind.id returning 1`);
    return orm.with(behind, lanes, moved).select({ hasMore: sql<boolean>`head > until` }).from(sql`behind`);
  },
  { acrossTenants },
);

export interface LaneKey {
  tenantId: number;
  endpointId: string;
  isAccount: boolean;
  entityId: string;
}

/** A lane that this replica delivers, and its next changes. */
export interface ClaimedLane extends LaneKey {
  endpoint: EndpointRow;
  attempts: number;
  againRequests: number;
  /** The last version to deliver or to deliver again; null if the statement did not see it yet. */
  until: number | null;
  entries: FeedEntry[];
}

const change = jsonRow(changes, 'entry');
const endpointOf = jsonRow(webhookEndpoints, 'endpoint');

/** Selects the first versions of the entity of a lane that are due. The filter may have changed since the lane got them. */
const firstDue = (isOfEntity: SQL) => sql`(select change.* from ${changes} as change
  where change.tenant_id = lane.tenant_id and ${isOfEntity} and ${isSelected}
    and change.version >= least(lane.next_version, lane.again_from)
    and (change.version between lane.next_version and lane.last_version
      or change.version between lane.again_from and lane.again_to)
  order by change.version limit ${sql.raw(String(claimedChanges))})`;
const ofAccount = sql`lane.is_account and change.account_id = lane.entity_id`;
const ofCustomer = sql`not lane.is_account and change.customer_id = lane.entity_id and change.account_id is null`;

/** Selects the next changes of a lane by the index of its entity, with their positions. */
const entriesOfLane = sql`(select coalesce(json_agg(json_build_array(entry.position, ${change.value}) order by entry.version), '[]')
  from (select found.*, place.position from (${firstDue(ofAccount)} union all ${firstDue(ofCustomer)}) as found, lateral (select placed.position from ${feed} as placed
    where placed.tenant_id = found.tenant_id and placed.change_id = found.id offset 0) as place) as entry)`;

/** The row of a lane can be newer than the snapshot of the statement, which then lacks the last change. */
const seen = (isOfEntity: SQL) => sql`(select change.version from ${changes} as change where
  change.tenant_id = lane.tenant_id and ${isOfEntity} and change.version = greatest(lane.last_version, lane.again_to)
  and exists (select from ${feed} as placed where placed.tenant_id = lane.tenant_id and placed.change_id = change.id))`;
const lastVersionSeen = sql<number | null>`coalesce(${seen(ofAccount)}, ${seen(ofCustomer)})`;

const decodeEntries = (json: unknown): FeedEntry[] =>
  (json as [number, unknown][]).map(([position, row]) => ({ ...change.decode(row), position }));

/**
 * Claims lanes that are due, of endpoints that accept requests. A lane whose replica has lost its lease is free.
 * `busy` has the number of lanes of each endpoint that this replica is delivering.
 */
export const claimLanes = statement(
  'claim_webhook_lanes',
  (orm) => {
    const due = orm.$with('due', { one: sql`1` }).as(sql`
      select lane.tenant_id, lane.endpoint_id, lane.is_account, lane.entity_id
      from ${webhookEndpoints} as endpoint, lateral (
        select waiting.* from ${webhookLanes} as waiting
        where waiting.tenant_id = endpoint.tenant_id and waiting.endpoint_id = endpoint.id
          and waiting.next_attempt_at <= now() and (waiting.claimed_by is null or not exists (
            select from ${webhookLeases} as lease where lease.id = waiting.claimed_by and lease.expires_at > now()))
        order by waiting.next_attempt_at
        limit greatest(0, ${given('perEndpoint', 'integer')} - coalesce((${given('busy', 'jsonb')} ->> endpoint.id::text)::integer, 0))
        for update skip locked) as lane
      where endpoint.status = 'ENABLED' and (endpoint.not_before is null or endpoint.not_before <= now())
      limit ${given('limit', 'integer')}`);
    const lane = orm.$with('lane', { one: sql`1` }).as(sql`
      update ${webhookLanes} as lane set claimed_by = ${given('holder', 'uuid')} from due
      where lane.tenant_id = due.tenant_id and lane.endpoint_id = due.endpoint_id
        and lane.is_account = due.is_account and lane.entity_id = due.entity_id returning lane.*`);
    return orm
      .with(due, lane)
      .select({
        tenantId: sql<number>`lane.tenant_id`,
        endpointId: sql<string>`lane.endpoint_id`,
        isAccount: sql<boolean>`lane.is_account`,
        entityId: sql<string>`lane.entity_id`,
        attempts: sql<number>`lane.attempts::integer`,
        againRequests: sql<number>`lane.again_requests`,
        until: lastVersionSeen,
        endpoint: sql`${endpointOf.value}`.mapWith(endpointOf.decode) as ReturnType<typeof sql<EndpointRow>>,
        entries: entriesOfLane.mapWith(decodeEntries) as ReturnType<typeof sql<FeedEntry[]>>,
      })
      .from(sql`lane, ${webhookEndpoints} as endpoint`)
      .where(sql`endpoint.tenant_id = lane.tenant_id and endpoint.id = lane.endpoint_id`);
  },
  { acrossTenants },
);

/** What happened to a claimed lane. */
export interface LaneOutcome extends LaneKey {
  /** All versions up to this one are delivered or skipped; null: none. */
  delivered: number | null;
  /** Failed attempts of the change that is next. */
  attempts: number;
  againRequests: number;
  /** `infinity`: the lane is blocked. */
  nextAttemptAt: string;
}

const isRequestedSince = sql`${webhookLanes.againRequests} <> outcome."againRequests"`;

/** Stores the outcomes of claimed lanes, and frees them. */
export const releaseLanes = statement(
  'release_webhook_lanes',
  (orm) =>
    orm
      .update(webhookLanes)
      .set({
        nextVersion: sql`case when ${webhookLanes.nextVersion} is null or outcome."delivered" >= ${webhookLanes.lastVersion}
          then null else greatest(${webhookLanes.nextVersion}, outcome."delivered" + 1) end`,
        againFrom: sql`case when ${isRequestedSince} then ${webhookLanes.againFrom}
          when ${webhookLanes.againFrom} is null or outcome."delivered" >= ${webhookLanes.againTo} then null
          else greatest(${webhookLanes.againFrom}, outcome."delivered" + 1) end`,
        againTo: sql`case when ${isRequestedSince} or outcome."delivered" is null
          or outcome."delivered" < ${webhookLanes.againTo} then ${webhookLanes.againTo} end`,
        attempts: sql`case when ${isRequestedSince} then ${webhookLanes.attempts} else outcome."attempts" end`,
        nextAttemptAt: sql`case when ${isRequestedSince} then ${webhookLanes.nextAttemptAt} else outcome."nextAttemptAt" end`,
        claimedBy: null,
      })
      .from(
        sql`json_to_recordset(${sql.placeholder('outcomes')}) as outcome ("tenantId" integer, "endpointId" uuid,
          "isAccount" boolean, "entityId" text, "delivered" integer, "attempts" smallint, "nextAttemptAt" timestamptz,
          "againRequests" integer, "claimedBy" uuid)`,
      )
      .where(
        sql`${webhookLanes.tenantId} = outcome."tenantId" and ${webhookLanes.endpointId} = outcome."endpointId"
          and ${webhookLanes.isAccount} = outcome."isAccount" and ${webhookLanes.entityId} = outcome."entityId"
          and ${webhookLanes.claimedBy} = outcome."claimedBy"`,
      ),
  { acrossTenants },
);

/** Deletes lanes that have nothing left to deliver. The dispatch of a new change makes them have something again. */
export const deleteEmptyLanes = statement(
  'delete_empty_webhook_lanes',
  (orm) =>
    orm.delete(webhookLanes).where(
      sql`(${webhookLanes.tenantId}, ${webhookLanes.endpointId}, ${webhookLanes.isAccount}, ${webhookLanes.entityId}) in (
        select "tenantId", "endpointId", "isAccount", "entityId" from json_to_recordset(${sql.placeholder('outcomes')})
          as outcome ("tenantId" integer, "endpointId" uuid, "isAccount" boolean, "entityId" text))
        and ${webhookLanes.nextVersion} is null and ${webhookLanes.againFrom} is null and ${webhookLanes.claimedBy} is null`,
    ),
  { acrossTenants },
);

/** Stores attempts of endpoints that still exist. Attempts that are stored already are left out. */
export const recordAttempts = statement(
  'record_webhook_attempts',
  (orm) =>
    orm
      .insert(webhookAttempts)
      .select(
        orm
          .select({
            tenantId: sql`attempt."tenantId"`.as('tenantId'),
            endpointId: sql`attempt."endpointId"`.as('endpointId'),
            id: sql`attempt."id"`.as('id'),
            changeId: sql`attempt."changeId"`.as('changeId'),
            attempt: sql`attempt."attempt"`.as('attempt'),
            at: sql`attempt."at"`.as('at'),
            durationMs: sql`attempt."durationMs"`.as('durationMs'),
            status: sql`attempt."status"`.as('status'),
            error: sql`attempt."error"`.as('error'),
            response: sql`attempt."response"`.as('response'),
          })
          .from(
            sql`json_to_recordset(${sql.placeholder('attempts')}) as attempt ("tenantId" integer, "endpointId" uuid, "id" uuid,
            "changeId" uuid, "attempt" smallint, "at" timestamptz, "durationMs" integer, "status" smallint, "error" text,
            "response" text)`,
          )
          .where(
            sql`exists (select from ${webhookEndpoints} as endpoint where endpoint.tenant_id = attempt."tenantId"
            and endpoint.id = attempt."endpointId" for key share)`,
          ) as never,
      )
      .onConflictDoNothing(),
  { acrossTenants },
);

/** The endpoint of a request, if it still has the URL that was answered. */
const isAnswered = sql`tenant_id = ${given('tenant', 'integer')} and id = ${given('id', 'uuid')} and url = ${given('url', 'text')}`;

/** Makes an endpoint wait. */
export const slowDown = statement(
  'slow_down_webhooks',
  (orm) =>
    orm
      .update(webhookEndpoints)
      .set({
        notBefore: sql`greatest(${webhookEndpoints.notBefore}, now() + ${given('delayMs', 'integer')} * interval '1 ms')`,
      })
      .where(isAnswered),
  { acrossTenants },
);

/** Returns a row if an endpoint has not been changed since this version and accepts requests. */
export const findUnchanged = statement(
  'find_unchanged_webhook_endpoint',
  (orm) =>
    orm
      .select({ id: webhookEndpoints.id })
      .from(webhookEndpoints)
      .where(sql`tenant_id = ${given('tenant', 'integer')} and id = ${given('id', 'uuid')}
        and version = ${given('version', 'integer')} and (not_before is null or not_before <= now())`),
  { acrossTenants },
);

/** Disables an endpoint that is gone, and records it in its history. */
export const disableEndpoint = statement(
  'disable_webhook_endpoint',
  (orm) => {
    const disabled = orm.$with('disabled', { one: sql`1` }).as(sql`
      update ${webhookEndpoints} set status = 'DISABLED', disabled_reason = 'The endpoint answered 410 Gone.',
        version = version + 1, updated_at = now()
      where ${isAnswered} and status = 'ENABLED'
      returning tenant_id, id, version`);
    const recorded = orm.$with('recorded', { one: sql`1` }).as(sql`
      insert into ${webhookEndpointChanges} (tenant_id, id, endpoint_id, kind, at, actor, request_id, version, before, after)
      select tenant_id, ${given('changeId', 'uuid')}, id, 'WEBHOOK_ENDPOINT_UPDATED', now(), 'service', '410 Gone', version,
        '{"status":"ENABLED"}', '{"status":"DISABLED"}' from disabled returning 1`);
    return orm.with(disabled, recorded).select({ count: sql<number>`count(*)::integer` }).from(sql`disabled`);
  },
  { acrossTenants },
);

/** Extends the lease of a replica. */
export const extendLease = statement(
  'extend_webhook_lease',
  (orm) =>
    orm
      .insert(webhookLeases)
      .values({
        id: sql`${given('holder', 'uuid')}`,
        expiresAt: sql`now() + ${given('leaseMs', 'integer')} * interval '1 ms'`,
      })
      .onConflictDoUpdate({ target: webhookLeases.id, set: { expiresAt: sql`excluded.expires_at` } }),
  { acrossTenants },
);

export const endLease = statement(
  'end_webhook_lease',
  (orm) =>
    orm
      .delete(webhookLeases)
      .where(
        sql`${webhookLeases.id} = ${given('holder', 'uuid')} or ${webhookLeases.expiresAt} < now() - interval '1 hour'`,
      ),
  { acrossTenants },
);

export const hasEndpoints = statement(
  'has_webhook_endpoints',
  (orm) =>
    orm
      .select({
        exists: sql<boolean>`exists (select from ${webhookEndpoints} where ${webhookEndpoints.status} = 'ENABLED')`,
      })
      .from(oneRow),
  { acrossTenants },
);
