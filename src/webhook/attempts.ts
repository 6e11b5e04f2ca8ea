// Requests to one endpoint on demand: a test, and a redelivery.
import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { isSelected } from '../delivery/lanes.ts';
import { signatureHeaders, signingKeysOf } from '../delivery/signature.ts';
import { assertPosition, type GivenPosition, parsePosition } from '../feed/position.ts';
import { changeAt } from '../feed/read.ts';
import { feed } from '../feed/table.ts';
import { NotFoundError } from '../lib/errors.ts';
import { newUuid, toTypeId } from '../lib/id.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { changeAtPosition, findEndpoint } from './read.ts';
import { maxRedelivered, type RedeliverInput, type TestInput } from './rules.ts';
import {
  type AttemptRow,
  type EndpointRow,
  webhookAttempts,
  webhookEndpoints,
  webhookLanes,
} from './table.ts';
import { invalid, nodeIdOf, record, requireEndpoint, requireTools } from './write.ts';

const attemptById = statement('webhook_attempt_by_id', (orm) =>
  orm
    .select()
    .from(webhookAttempts)
    .where(
      sql`${webhookAttempts.tenantId} = ${tenantId} and ${webhookAttempts.endpointId} = ${given('endpointId', 'uuid')}
        and ${webhookAttempts.id} = ${given('id', 'uuid')}`,
    ),
);

const beginTest = statement('begin_webhook_test', (orm) =>
  orm.insert(webhookAttempts).values({
    tenantId: tenantId as never,
    endpointId: sql`${given('endpointId', 'uuid')}`,
    id: sql`${given('id', 'uuid')}`,
    attempt: 1,
    at: sql`${given('now', 'timestamptz')}`,
    durationMs: 0,
    error: 'The test is still running.',
    response: '',
  }),
);

const endTest = statement('end_webhook_test', (orm) =>
  orm
    .update(webhookAttempts)
    .set({
      durationMs: sql`${given('durationMs', 'integer')}`,
      status: sql`${given('status', 'smallint')}`,
      error: sql`${given('error', 'text')}`,
      response: sql`${given('response', 'text')}`,
    })
    .where(
      sql`${webhookAttempts.tenantId} = ${tenantId} and ${webhookAttempts.endpointId} = ${given('endpointId', 'uuid')}
        and ${webhookAttempts.id} = ${given('id', 'uuid')}`,
    ),
);

export interface Tested {
  endpoint: EndpointRow;
  attempt: AttemptRow;
  replayed: boolean;
}

async function requireFound(ctx: Ctx, nodeId: string): Promise<EndpointRow> {
  const endpoint = await findEndpoint(ctx, nodeId);
  if (endpoint === null) throw new NotFoundError('WebhookEndpoint', nodeId);
  return endpoint;
}

/** Sends an event of the type `webhook.test`, also to a disabled endpoint. Throws the AppError that explains a refusal. */
export async function testEndpoint(ctx: Ctx, input: TestInput): Promise<Tested> {
  const tools = requireTools(ctx);
  const { written: id, replayed } = await writeOnce(
    ctx,
    'testWebhookEndpoint',
    input,
    String,
    async (run) => {
      const endpoint = await requireEndpoint(run, input);
      const fresh = newUuid();
      await run(beginTest, { endpointId: endpoint.id, id: fresh, now: ctx.now.toISOString() });
      return fresh;
    },
  );
  const endpoint = await requireFound(ctx, input.nodeId);
  if (!replayed) {
    const messageId = toTypeId('WebhookAttempt', id);
    const data = { endpointId: input.nodeId };
    const body = JSON.stringify({ type: 'webhook.test', timestamp: ctx.now.toISOString(), data });
    const secrets = signingKeysOf(endpoint, tools.open, ctx.now);
    const headers = signatureHeaders({ id: messageId, timestamp: ctx.now, body, secrets });
    const { durationMs, status, error, response } = await tools.send(endpoint.url, headers, body);
    await ctx.run(endTest, { endpointId: endpoint.id, id, durationMs, status, error, response });
  }
  const [attempt] = await ctx.run(attemptById, { endpointId: endpoint.id, id });
  if (attempt === undefined) throw new NotFoundError('WebhookEndpoint', input.nodeId);
  return { endpoint, attempt, replayed };
}

/** Adds the versions of each entity in a range of the feed to its lane, to be delivered again. */
const requestAgain = statement('redeliver_webhooks', (orm) =>
  orm
    .insert(webhookLanes)
    .select(
      orm
        .select({
          tenantId: sql`${tenantId}::integer`.as('tenantId'),
          endpointId: sql`endpoint.id`.as('endpointId'),
          isAccount: sql`change.account_id is not null`.as('isAccount'),
          entityId: sql`coalesce(change.account_id, change.customer_id)`.as('entityId'),
          nextVersion: sql`null::integer`.as('nextVersion'),
          lastVersion: sql`null::integer`.as('lastVersion'),
          againFrom: sql`min(change.version)`.as('againFrom'),
          againTo: sql`max(change.version)`.as('againTo'),
          againRequests: sql`1`.as('againRequests'),
          attempts: sql`0`.as('attempts'),
          nextAttemptAt: sql`${given('now', 'timestamptz')}`.as('nextAttemptAt'),
          behindSince: sql`${given('now', 'timestamptz')}`.as('behindSince'),
          claimedBy: sql`null::uuid`.as('claimedBy'),
        })
        .from(sql`${webhookEndpoints} as endpoint, ${feed} as place, ${changeAt} as change`)
        .where(
          sql`endpoint.tenant_id = ${tenantId} and endpoint.id = ${given('id', 'uuid')}
            and place.tenant_id = ${tenantId} and place.position >= ${given('from', 'bigint')}
            and place.position <= least(${given('to', 'bigint')}, endpoint.position) and ${isSelected}`,
        )
        .groupBy(sql`endpoint.id, 3, 4`) as never,
    )
    .onConflictDoUpdate({
      target: [webhookLanes.tenantId, webhookLanes.endpointId, webhookLanes.isAccount, webhookLanes.entityId],
      set: {
        againFrom: sql`least(${webhookLanes.againFrom}, excluded.again_from)`,
        againTo: sql`greatest(${webhookLanes.againTo}, excluded.again_to)`,
        againRequests: sql`${webhookLanes.againRequests} + 1`,
        attempts: sql`0`,
        nextAttemptAt: sql`excluded.next_attempt_at`,
      },
    }),
);

async function checked(ctx: Ctx, text: string, argument: 'from' | 'to'): Promise<GivenPosition> {
  const given = parsePosition(text, argument);
  assertPosition(given, await changeAtPosition(ctx, given.position));
  return given;
}

/** Delivers the changes of a range of positions again. Throws the AppError that explains a refusal. */
export async function redeliver(ctx: Ctx, input: RedeliverInput): Promise<Written<string>> {
  requireTools(ctx);
  const [from, to] = await Promise.all([checked(ctx, input.from, 'from'), checked(ctx, input.to, 'to')]);
  if (to.position < from.position) throw invalid('to', 'must not be before from');
  if (to.position - from.position >= maxRedelivered) {
    throw invalid('to', `must be less than ${maxRedelivered} changes after from`);
  }
  const values = { from: from.position, to: to.position, now: ctx.now.toISOString() };
  return writeOnce(ctx, 'redeliver', input, String, async (run) => {
    const locked = await requireEndpoint(run, input);
    await run(requestAgain, { ...values, id: locked.id });
    const endpoint = { ...locked, version: locked.version + 1 };
    await run(touchEndpoint, { id: locked.id, now: values.now });
    const range = { from: input.from, to: input.to };
    await record(ctx, run, { kind: 'WEBHOOK_REDELIVERED', endpoint, before: null, after: range });
    return nodeIdOf(locked);
  });
}

const touchEndpoint = statement('touch_webhook_endpoint', (orm) =>
  orm
    .update(webhookEndpoints)
    .set({ version: sql`${webhookEndpoints.version} + 1`, updatedAt: sql`${given('now', 'timestamptz')}` })
    .where(
      sql`${webhookEndpoints.tenantId} = ${tenantId} and ${webhookEndpoints.id} = ${given('id', 'uuid')}`,
    ),
);
