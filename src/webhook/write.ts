import { sql } from 'drizzle-orm';
import type { Ctx, Run, WebhookTools } from '../ctx.ts';
import { given, oneRow, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { newEd25519Keys, newHmacSecret, type SigningSecret, secretContext } from '../delivery/signature.ts';
import { assertPosition, parsePosition } from '../feed/position.ts';
import { feed } from '../feed/table.ts';
import { InvalidInputError, NotFoundError } from '../lib/errors.ts';
import { newUuid, toTypeId } from '../lib/id.ts';
import { LimitExceededError, VersionConflictError } from '../writing/errors.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { changeAtPosition, endpointUuid, findEndpoint } from './read.ts';
import {
  type CreateInput,
  type EndpointChangeKind,
  type EndpointInput,
  maxEndpoints,
  rotationHours,
  type UpdateInput,
} from './rules.ts';
import { type EndpointRow, webhookEndpointChanges, webhookEndpoints } from './table.ts';

/** An endpoint, and its secret if this request has made it. */
export interface WithSecret {
  endpoint: EndpointRow;
  secret: string | null;
}

export function invalid(path: string, message: string): InvalidInputError {
  return new InvalidInputError([{ path: path === '' ? [] : [path], code: 'INVALID_VALUE', message }]);
}

export function requireTools({ webhooks }: Ctx): WebhookTools {
  if (webhooks !== undefined) return webhooks;
  throw invalid(
    '',
    'cannot be accepted: this server has no WEBHOOK_KEYS, which encrypt the secrets of endpoints',
  );
}

function assertUrl(tools: WebhookTools, url: string): void {
  const problem = tools.problemOf(url);
  if (problem !== undefined) throw invalid('url', problem);
}

function newSecret(tools: WebhookTools, endpoint: Pick<EndpointRow, 'tenantId' | 'id'>) {
  const { privateKey, publicKey } = newEd25519Keys();
  const secret: SigningSecret = { hmac: newHmacSecret(), ed25519: privateKey };
  return {
    shown: secret.hmac,
    publicKey,
    sealed: tools.seal(JSON.stringify(secret), secretContext(endpoint)),
  };
}

const lockEndpoint = statement('lock_webhook_endpoint', (orm) =>
  orm
    .select()
    .from(webhookEndpoints)
    .where(
      sql`${webhookEndpoints.tenantId} = ${tenantId} and ${webhookEndpoints.id} = ${given('id', 'uuid')}`,
    )
    .for('update'),
);

/** Locks an endpoint until the transaction ends. Throws NotFoundError or VersionConflictError. */
export async function requireEndpoint(
  run: Run,
  { nodeId, expectedVersion }: Pick<EndpointInput, 'nodeId' | 'expectedVersion'>,
): Promise<EndpointRow> {
  const id = endpointUuid(nodeId);
  const [row] = id === undefined ? [] : await run(lockEndpoint, { id });
  if (row === undefined) throw new NotFoundError('WebhookEndpoint', nodeId);
  if (expectedVersion != null && expectedVersion !== row.version) {
    throw new VersionConflictError(expectedVersion, row.version);
  }
  return row;
}

type Stored = Record<string, unknown>;

/** The fields of an endpoint in its history. Secrets are not among them. */
function recorded({
  url,
  description,
  kinds,
  customerId,
  payload,
  onExhausted,
  status,
}: EndpointRow): Stored {
  return { url, description, kinds, customerId, payload, onExhausted, status };
}

const recordEndpointChange = statement('record_webhook_endpoint_change', (orm) =>
  orm.insert(webhookEndpointChanges).values({
    tenantId: tenantId as never,
    id: sql`${given('id', 'uuid')}`,
    endpointId: sql`${given('endpointId', 'uuid')}`,
    kind: sql.placeholder('kind') as never,
    at: sql`${given('now', 'timestamptz')}`,
    actor: sql.placeholder('actor') as never,
    requestId: sql.placeholder('requestId') as never,
    version: sql`${given('version', 'integer')}`,
    before: sql`${given('before', 'jsonb')}`,
    after: sql`${given('after', 'jsonb')}`,
  }),
);

interface Recorded {
  kind: EndpointChangeKind;
  endpoint: EndpointRow;
  before: Stored | null;
  after: Stored | null;
}

export async function record(ctx: Ctx, run: Run, { kind, endpoint, before, after }: Recorded): Promise<void> {
  await run(recordEndpointChange, {
    id: newUuid(),
    endpointId: endpoint.id,
    kind,
    now: ctx.now.toISOString(),
    actor: ctx.viewer.actor,
    requestId: ctx.requestId,
    version: endpoint.version,
    before: before === null ? null : JSON.stringify(before),
    after: after === null ? null : JSON.stringify(after),
  });
}

/** Serializes the creation of endpoints of a tenant, so that their number is exact. */
const countEndpoints = statement('count_webhook_endpoints', (orm) =>
  orm
    .select({ count: sql<number>`count(*)::integer` })
    .from(webhookEndpoints)
    .where(sql`${webhookEndpoints.tenantId} = ${tenantId}`),
);
const lockEndpoints = statement('lock_webhook_endpoints', (orm) =>
  orm
    .select({
      locked: sql`pg_advisory_xact_lock(hashtextextended('webhook endpoints', ${tenantId}::integer))`,
    })
    .from(oneRow),
);

const headOfFeed = statement('head_of_feed', (orm) =>
  orm
    .select({ position: sql<number>`coalesce(max(${feed.position}), 0)`.mapWith(Number) })
    .from(feed)
    .where(sql`${feed.tenantId} = ${tenantId}`),
);

const insertEndpoint = statement('insert_webhook_endpoint', (orm) =>
  orm
    .insert(webhookEndpoints)
    .values({
      tenantId: tenantId as never,
      id: sql`${given('id', 'uuid')}`,
      url: sql.placeholder('url') as never,
      description: sql.placeholder('description') as never,
      kinds: sql`${given('kinds', 'text[]')}`,
      customerId: sql`${given('customerId', 'text')}`,
      payload: sql.placeholder('payload') as never,
      onExhausted: sql.placeholder('onExhausted') as never,
      status: 'ENABLED',
      secret: sql`decode(${given('secret', 'text')}, 'base64')`,
      publicKey: sql.placeholder('publicKey') as never,
      position: sql`${given('position', 'bigint')}`,
      version: 1,
      createdAt: sql`${given('now', 'timestamptz')}`,
      updatedAt: sql`${given('now', 'timestamptz')}`,
    })
    .returning(),
);

/** Returns the position after which a new endpoint receives changes. Throws InvalidInputError. */
async function startOf(ctx: Ctx, after: string | null | undefined): Promise<number> {
  await ctx.appendChanges();
  if (after == null) return (await ctx.run(headOfFeed))[0]?.position ?? 0;
  const given = parsePosition(after);
  assertPosition(given, await changeAtPosition(ctx, given.position));
  return given.position;
}

/** Reads the endpoint of a result. Its secret is known only to the request that made it. */
async function withSecret(
  ctx: Ctx,
  { written: nodeId, replayed }: Written<string>,
  secret: string | null,
): Promise<WithSecret & { replayed: boolean }> {
  const endpoint = await findEndpoint(ctx, nodeId);
  if (endpoint === null) throw new NotFoundError('WebhookEndpoint', nodeId);
  return { endpoint, secret: replayed ? null : secret, replayed };
}

export const reviveNodeId = (answer: unknown): string => String(answer);
export const nodeIdOf = ({ id }: { id: string }): string => toTypeId('WebhookEndpoint', id);

/** Creates an endpoint. Throws InvalidInputError, NotFoundError, LimitExceededError or IdempotencyError. */
export async function createEndpoint(
  ctx: Ctx,
  input: CreateInput,
): Promise<WithSecret & { replayed: boolean }> {
  const tools = requireTools(ctx);
  assertUrl(tools, input.url);
  const position = await startOf(ctx, input.after);
  const id = newUuid();
  const { shown, publicKey, sealed } = newSecret(tools, { tenantId: ctx.viewer.tenant.id, id });
  const { url, description, kinds, customerId = null, payload, onExhausted } = input;
  const values = {
    url,
    description: description ?? '',
    kinds: kinds ?? null,
    customerId,
    position,
    publicKey,
  };
  // The stored answer is the id, because records of idempotency keys must not hold secrets.
  const written = await writeOnce(ctx, 'createWebhookEndpoint', input, reviveNodeId, async (run) => {
    await run(lockEndpoints);
    const [existing] = await run(countEndpoints);
    if ((existing?.count ?? 0) >= maxEndpoints)
      throw new LimitExceededError('webhook endpoints', maxEndpoints);
    const [endpoint] = await run(insertEndpoint, {
      ...values,
      id,
      payload: payload ?? 'FULL',
      onExhausted: onExhausted ?? 'SKIP',
      secret: sealed.toString('base64'),
      now: ctx.now.toISOString(),
    });
    if (endpoint === undefined) throw new Error('The insert returned no row.');
    await record(ctx, run, {
      kind: 'WEBHOOK_ENDPOINT_CREATED',
      endpoint,
      before: null,
      after: recorded(endpoint),
    });
    return nodeIdOf(endpoint);
  });
  return withSecret(ctx, written, shown);
}

const setEndpoint = statement('set_webhook_endpoint', (orm) =>
  orm
    .update(webhookEndpoints)
    .set({
      url: sql`${given('url', 'text')}`,
      description: sql`${given('description', 'text')}`,
      kinds: sql`${given('kinds', 'text[]')}`,
      customerId: sql`${given('customerId', 'text')}`,
      payload: sql`${given('payload', 'text')}`,
      onExhausted: sql`${given('onExhausted', 'text')}`,
      status: sql`${given('status', 'text')}`,
      disabledReason: sql`case when ${given('status', 'text')} = 'ENABLED' then null else ${webhookEndpoints.disabledReason} end`,
      notBefore: sql`case when ${given('url', 'text')} = ${webhookEndpoints.url} then ${webhookEndpoints.notBefore} end`,
      version: sql`${webhookEndpoints.version} + 1`,
      updatedAt: sql`${given('now', 'timestamptz')}`,
    })
    .where(
      sql`${webhookEndpoints.tenantId} = ${tenantId} and ${webhookEndpoints.id} = ${given('id', 'uuid')}`,
    )
    .returning(),
);

/** Returns the fields of an endpoint after an update: absent keeps, null clears what can be cleared. */
function afterUpdate(before: Stored, input: UpdateInput): Stored {
  const { url, description, kinds, customerId, payload, onExhausted, status } = input;
  return {
    ...before,
    ...(url != null && { url }),
    ...(description !== undefined && { description: description ?? '' }),
    ...(kinds !== undefined && { kinds }),
    ...(customerId !== undefined && { customerId }),
    ...(payload != null && { payload }),
    ...(onExhausted != null && { onExhausted }),
    ...(status != null && { status }),
  };
}

const pick = (fields: Stored, keys: string[]): Stored =>
  Object.fromEntries(keys.map((key) => [key, fields[key]]));

/** Changes an endpoint. Throws the AppError that explains a refusal. */
export async function updateEndpoint(
  ctx: Ctx,
  input: UpdateInput,
): Promise<WithSecret & { replayed: boolean }> {
  if (input.url != null) assertUrl(requireTools(ctx), input.url);
  const written = await writeOnce(ctx, 'updateWebhookEndpoint', input, reviveNodeId, async (run) => {
    const locked = await requireEndpoint(run, input);
    const before = recorded(locked);
    const after = afterUpdate(before, input);
    const changed = Object.keys(after).filter(
      (key) => JSON.stringify(after[key]) !== JSON.stringify(before[key]),
    );
    if (changed.length === 0) return nodeIdOf(locked);
    const [endpoint] = await run(setEndpoint, { ...after, id: locked.id, now: ctx.now.toISOString() });
    if (endpoint === undefined) throw new Error('A locked endpoint does not exist.');
    const fields = { before: pick(before, changed), after: pick(after, changed) };
    await record(ctx, run, { kind: 'WEBHOOK_ENDPOINT_UPDATED', endpoint, ...fields });
    return nodeIdOf(endpoint);
  });
  return withSecret(ctx, written, null);
}

const deleteEndpointStatement = statement('delete_webhook_endpoint', (orm) =>
  orm
    .delete(webhookEndpoints)
    .where(
      sql`${webhookEndpoints.tenantId} = ${tenantId} and ${webhookEndpoints.id} = ${given('id', 'uuid')}`,
    ),
);

/** Deletes an endpoint with its attempts. Returns its node id. Throws the AppError that explains a refusal. */
export function deleteEndpoint(ctx: Ctx, input: EndpointInput): Promise<Written<string>> {
  return writeOnce(ctx, 'deleteWebhookEndpoint', input, reviveNodeId, async (run) => {
    const locked = await requireEndpoint(run, input);
    const endpoint = { ...locked, version: locked.version + 1 };
    await record(ctx, run, {
      kind: 'WEBHOOK_ENDPOINT_DELETED',
      endpoint,
      before: recorded(locked),
      after: null,
    });
    await run(deleteEndpointStatement, { id: locked.id });
    return nodeIdOf(locked);
  });
}

const rotateStatement = statement('rotate_webhook_secret', (orm) =>
  orm
    .update(webhookEndpoints)
    .set({
      previousSecret: sql`${webhookEndpoints.secret}`,
      previousSecretExpiresAt: sql`${given('expiresAt', 'timestamptz')}`,
      secret: sql`decode(${given('secret', 'text')}, 'base64')`,
      publicKey: sql`${given('publicKey', 'text')}`,
      version: sql`${webhookEndpoints.version} + 1`,
      updatedAt: sql`${given('now', 'timestamptz')}`,
    })
    .where(
      sql`${webhookEndpoints.tenantId} = ${tenantId} and ${webhookEndpoints.id} = ${given('id', 'uuid')}`,
    )
    .returning(),
);

/** Replaces the secret of an endpoint. Both sign for a day. Throws the AppError that explains a refusal. */
export async function rotateSecret(
  ctx: Ctx,
  input: EndpointInput,
): Promise<WithSecret & { replayed: boolean }> {
  const tools = requireTools(ctx);
  let secret: string | null = null;
  const written = await writeOnce(ctx, 'rotateWebhookSecret', input, reviveNodeId, async (run) => {
    const locked = await requireEndpoint(run, input);
    const { shown, publicKey, sealed } = newSecret(tools, locked);
    const expiresAt = new Date(ctx.now.getTime() + rotationHours * 3_600_000).toISOString();
    const values = { id: locked.id, publicKey, secret: sealed.toString('base64'), expiresAt };
    const [endpoint] = await run(rotateStatement, { ...values, now: ctx.now.toISOString() });
    if (endpoint === undefined) throw new Error('A locked endpoint does not exist.');
    await record(ctx, run, { kind: 'WEBHOOK_SECRET_ROTATED', endpoint, before: null, after: null });
    secret = shown;
    return nodeIdOf(endpoint);
  });
  return withSecret(ctx, written, secret);
}
