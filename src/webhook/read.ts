import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { feed } from '../feed/table.ts';
import { isVersion } from '../history/read.ts';
import { parseTypeId } from '../lib/id.ts';
import { countOnce, encodeCursor, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import { keysetList, type List, runPage } from '../listing/keyset.ts';
import {
  type AttemptRow,
  type EndpointChangeRow,
  type EndpointRow,
  webhookAttempts,
  webhookEndpointChanges,
  webhookEndpoints,
  webhookLanes,
} from './table.ts';

const endpointById = statement('webhook_endpoint_by_id', (orm) =>
  orm
    .select()
    .from(webhookEndpoints)
    .where(
      sql`${webhookEndpoints.tenantId} = ${tenantId} and ${webhookEndpoints.id} = ${given('id', 'uuid')}`,
    ),
);

/** Returns the UUID in the node id of an endpoint; undefined for any other text. */
export function endpointUuid(nodeId: string): string | undefined {
  const parsed = parseTypeId(nodeId);
  return parsed?.type === 'WebhookEndpoint' ? parsed.uuid : undefined;
}

export async function findEndpoint(ctx: Ctx, nodeId: string): Promise<EndpointRow | null> {
  const id = endpointUuid(nodeId);
  if (id === undefined) return null;
  const [row] = await ctx.run(endpointById, { id });
  return row ?? null;
}

interface Listing<Row> {
  name: string;
  list: List<Row>;
  /** Returns the value that orders a row, as in a cursor. */
  valueIn(row: Row): string;
  isValue(value: string): boolean;
}

/** Returns a page of a list whose order has no ties, newest first. */
async function newestFirst<Row>(
  ctx: Ctx,
  args: PageArgs,
  { name, list, valueIn, isValue }: Listing<Row>,
  values: Record<string, unknown> = {},
): Promise<ListPage<Row>> {
  const page = parsePage(args, name, ([value, tie]) => isValue(value) && tie === '');
  const { order, select, count } = list;
  return {
    ...(await runPage(ctx.run, page, { order, select, values })),
    cursorOf: (row) => encodeCursor(name, [valueIn(row), '']),
    count: countOnce(async () => (await ctx.run(count, values))[0]?.count ?? 0),
  };
}

const isUuid = (value: string) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value);

const endpoints = keysetList('webhook_endpoints', {
  table: webhookEndpoints,
  order: { by: webhookEndpoints.id, type: 'uuid', direction: 'DESC' },
  where: sql`${webhookEndpoints.tenantId} = ${tenantId}`,
});

export function endpointPage(ctx: Ctx, args: PageArgs): Promise<ListPage<EndpointRow>> {
  return newestFirst<EndpointRow>(ctx, args, {
    name: 'endpoints',
    list: endpoints,
    valueIn: ({ id }) => id,
    isValue: isUuid,
  });
}

const attempts = keysetList('webhook_attempts', {
  table: webhookAttempts,
  order: { by: webhookAttempts.id, type: 'uuid', direction: 'DESC' },
  where: sql`${webhookAttempts.tenantId} = ${tenantId} and ${webhookAttempts.endpointId} = ${given('endpointId', 'uuid')}`,
});

export function attemptPage(ctx: Ctx, endpointId: string, args: PageArgs): Promise<ListPage<AttemptRow>> {
  const listing: Listing<AttemptRow> = {
    name: 'attempts',
    list: attempts,
    valueIn: ({ id }) => id,
    isValue: isUuid,
  };
  return newestFirst(ctx, args, listing, { endpointId });
}

const endpointChanges = keysetList('webhook_endpoint_changes', {
  table: webhookEndpointChanges,
  order: { by: webhookEndpointChanges.version, type: 'integer', direction: 'DESC' },
  where: sql`${webhookEndpointChanges.tenantId} = ${tenantId}
    and ${webhookEndpointChanges.endpointId} = ${given('endpointId', 'uuid')}`,
});

export function endpointChangePage(
  ctx: Ctx,
  endpointId: string,
  args: PageArgs,
): Promise<ListPage<EndpointChangeRow>> {
  const listing = {
    name: 'endpointChanges',
    list: endpointChanges,
    valueIn: ({ version }: EndpointChangeRow) => String(version),
    isValue: isVersion,
  };
  return newestFirst(ctx, args, listing, { endpointId });
}

const backlogOfEndpoint = statement('webhook_backlog', (orm) => {
  const lanes = sql`from ${webhookLanes} as lane where lane.tenant_id = ${tenantId} and lane.endpoint_id = endpoint.id`;
  return orm
    .select({
      positions: sql<number>`(coalesce((select max(place.position) from ${feed} as place
        where place.tenant_id = ${tenantId}), 0) - endpoint.position)::integer`,
      lanes: sql<number>`(select count(*)::integer ${lanes})`,
      blocked: sql<number>`(select count(*)::integer ${lanes} and lane.next_attempt_at = 'infinity')`,
    })
    .from(sql`${webhookEndpoints} as endpoint`)
    .where(sql`endpoint.tenant_id = ${tenantId} and endpoint.id = ${given('id', 'uuid')}`);
});

export interface Backlog {
  positions: number;
  lanes: number;
  blocked: number;
}

export async function findBacklog(ctx: Ctx, { id }: EndpointRow): Promise<Backlog> {
  const [found] = await ctx.run(backlogOfEndpoint, { id });
  return found ?? { positions: 0, lanes: 0, blocked: 0 };
}

const placeOfEndpoint = statement('place_of_webhook_endpoint', (orm) =>
  orm
    .select({ changeId: feed.changeId })
    .from(feed)
    .where(sql`${feed.tenantId} = ${tenantId} and ${feed.position} = ${given('position', 'bigint')}`),
);

/** Returns the change at the position of an endpoint; null before the first one. */
export async function changeAtPosition(ctx: Ctx, position: number): Promise<string | null> {
  const [found] = await ctx.run(placeOfEndpoint, { position });
  return found?.changeId ?? null;
}
