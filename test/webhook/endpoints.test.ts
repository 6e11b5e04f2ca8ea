import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { type Scope, scopes } from '../../src/lib/scope.ts';
import { tenantWithAccounts, tenantWithCustomer } from '../support/fixtures.ts';
import { atOnce } from '../support/mutations.ts';
import { issuesOf } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';
import {
  createEndpoint,
  findEndpoint,
  newPath,
  rename,
  settled,
  storedEndpointFields,
  tryWebhooks,
  versionsOf,
  webhookMutation,
} from '../support/webhooks.ts';

const service = useService();
const receiver = useReceiver();

const url = 'https://example.com/hook';
const history = 'history { nodes { kind actor requestId version before after } }';
const selected = `replayed webhookEndpoint { ${storedEndpointFields} ${history} }`;
const create = (client: Client, input: object = {}) =>
  createEndpoint(client, { url, ...input }, `${storedEndpointFields} ${history}`);
const update = (client: Client, input: object) =>
  tryWebhooks(client, 'updateWebhookEndpoint', input, selected);

async function listed(client: Client, args = ''): Promise<Json> {
  const { data, errors } = await client.send(
    `{ webhookEndpoints${args} { totalCount nodes { nodeId } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }`,
  );
  expect(errors).toBeUndefined();
  return data.webhookEndpoints;
}
const idsIn = (page: Json) => page.nodes.map(({ nodeId }: Json) => nodeId);

const defaults = {
  ...{ description: '', kinds: null, customerId: null, payload: 'FULL', onExhausted: 'SKIP' },
  ...{ status: 'ENABLED', disabledReason: null, version: 1 },
};
const chosen = {
  ...{ url: 'https://example.com/other?a=1', description: 'Billing', customerId: 'C1' },
  ...{ kinds: ['ACCOUNT_CREATED', 'ALIASES_ADDED'], payload: 'THIN', onExhausted: 'BLOCK' },
};

describe('createWebhookEndpoint', () => {
  it('returns the endpoint with its defaults and its secret', async () => {
    const client = await service.newTenant();
    const { secret, history: recorded, ...created } = await create(client);
    expect(created).toEqual({
      ...{ ...defaults, url, nodeId: expect.stringMatching(/^endpoint_[0-9a-z]{26}$/) },
      ...{ publicKey: expect.stringMatching(/^whpk_.{44}$/), position: expect.any(String) },
      ...{ createdAt: expect.any(String), updatedAt: created.createdAt },
    });
    expect(secret).toMatch(/^whsec_.{44}$/);
    expect(recorded.nodes).toMatchObject([{ kind: 'WEBHOOK_ENDPOINT_CREATED', version: 1, before: null }]);
    expect(await findEndpoint(client, created.nodeId, storedEndpointFields)).toEqual(created);
  });

  it('stores every field, each kind once and in the order of the schema', async () => {
    const client = await tenantWithCustomer(service);
    const kinds = ['ALIASES_ADDED', 'ACCOUNT_CREATED', 'ALIASES_ADDED'];
    const created = await create(client, { ...chosen, kinds });
    expect(created).toMatchObject(chosen);
    const [change] = created.history.nodes;
    expect(change.after).toEqual({ ...chosen, status: 'ENABLED' });
  });

  it('treats null like a missing field', async () => {
    const client = await service.newTenant();
    const nothing = Object.fromEntries(
      ['description', 'kinds', 'customerId', 'payload', 'onExhausted', 'after', 'idempotencyKey'].map(
        (key) => [key, null],
      ),
    );
    expect(await create(client, nothing)).toMatchObject(defaults);
  });

  it('accepts the id of an unknown customer or of one of another tenant, which selects nothing', async () => {
    const [client, other] = [await tenantWithAccounts(service), await tenantWithCustomer(service)];
    await tryWebhooks(other, 'createWebhookEndpoint', { url });
    const paths = [newPath(), newPath(), newPath()] as const;
    const ids = ['nobody', 'C2', 'C1'];
    const endpoints = await Promise.all(
      ids.map((customerId, index) =>
        createEndpoint(client, { url: receiver.url(paths[index] ?? ''), customerId }),
      ),
    );
    await rename(client, 'A1', 'Renamed');
    for (const endpoint of endpoints) await settled(client, endpoint);
    expect(paths.map((path) => versionsOf(receiver.received(path), 'A1'))).toEqual([[], [], [2]]);
  });

  it('allows 50 endpoints of a tenant, also at the same time', async () => {
    const [client, other] = [await service.newTenant(), await service.newTenant()];
    const results = await atOnce(60, () => tryWebhooks(client, 'createWebhookEndpoint', { url }));
    const refused = results.filter(({ replayed }) => replayed === undefined);
    expect(refused).toHaveLength(10);
    for (const result of refused)
      expect(result).toMatchObject({ __typename: 'LimitExceededError', limit: 50 });
    const page = await listed(client, '(first: 100)');
    expect(page).toMatchObject({ totalCount: 50 });
    await create(other);
    const [nodeId] = idsIn(page);
    expect(await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId })).toMatchObject({ replayed: false });
    await create(client);
  });

  it('continues after a position of the tenant only', async () => {
    const [client, other] = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const { position } = await create(other);
    for (const after of [position, '', 'x'.repeat(100_000)]) {
      const result = await tryWebhooks(client, 'createWebhookEndpoint', { url, after });
      expect(issuesOf(result)).toEqual([{ path: ['after'], code: 'INVALID_VALUE' }]);
    }
    expect((await listed(client)).totalCount).toBe(0);
  });
});

describe('updateWebhookEndpoint', () => {
  it('changes every field and records what changed', async () => {
    const client = await tenantWithCustomer(service);
    const { nodeId } = await create(client);
    const changed = { ...chosen, status: 'DISABLED' };
    const { webhookEndpoint } = await update(client, { nodeId, ...changed });
    expect(webhookEndpoint).toMatchObject({ ...changed, nodeId, version: 2, disabledReason: null });
    const [latest] = webhookEndpoint.history.nodes;
    expect(latest).toMatchObject({ kind: 'WEBHOOK_ENDPOINT_UPDATED', version: 2, after: changed });
    expect(latest.before).toEqual({
      ...{ url, description: '', kinds: null, customerId: null },
      ...{ payload: 'FULL', onExhausted: 'SKIP', status: 'ENABLED' },
    });
  });

  it('keeps missing fields, and clears with null only what can be empty', async () => {
    const client = await tenantWithCustomer(service);
    const { nodeId } = await create(client, chosen);
    const one = await update(client, { nodeId, description: 'Other' });
    expect(one.webhookEndpoint).toMatchObject({ ...chosen, description: 'Other' });
    const nothing = { url: null, payload: null, onExhausted: null, status: null };
    const two = await update(client, {
      nodeId,
      ...nothing,
      description: null,
      kinds: null,
      customerId: null,
    });
    expect(two.webhookEndpoint).toMatchObject({
      ...{ ...chosen, description: '', kinds: null, customerId: null },
      ...{ status: 'ENABLED', version: 3 },
    });
  });

  it('keeps the version and adds no history if nothing changes', async () => {
    const client = await tenantWithCustomer(service);
    const { nodeId } = await create(client, chosen);
    const same = { ...chosen, kinds: chosen.kinds.toReversed(), status: 'ENABLED' };
    for (const input of [{}, same, { url: null }]) {
      const { webhookEndpoint, replayed } = await update(client, { nodeId, ...input, expectedVersion: 1 });
      expect(replayed).toBe(false);
      expect(webhookEndpoint.version).toBe(1);
      expect(webhookEndpoint.updatedAt).toBe(webhookEndpoint.createdAt);
      expect(webhookEndpoint.history.nodes).toHaveLength(1);
    }
  });

  it('applies each of several concurrent updates once', async () => {
    const client = await service.newTenant();
    const { nodeId } = await create(client);
    const results = await atOnce(10, (runner) => update(client, { nodeId, description: `By ${runner}` }));
    expect(results.map(({ __typename }) => __typename)).toEqual(
      Array<string>(10).fill('UpdateWebhookEndpointSuccess'),
    );
    const found = await findEndpoint(client, nodeId, `version ${history}`);
    expect(found.version).toBe(11);
    const versions = found.history.nodes.map(({ version }: Json) => version);
    expect(versions).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });
});

describe('deleteWebhookEndpoint', () => {
  it('deletes the endpoint with its attempts and keeps its history', async () => {
    const client = await tenantWithAccounts(service);
    const created = await createEndpoint(client, { url: receiver.url(newPath()) });
    await rename(client, 'A1', 'Renamed');
    await settled(client, created);
    const { nodeId } = created;
    const result = await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId }, 'nodeId replayed');
    expect(result).toEqual({ __typename: 'DeleteWebhookEndpointSuccess', nodeId, replayed: false });
    expect(await findEndpoint(client, nodeId)).toBeNull();
    expect(await listed(client)).toMatchObject({ totalCount: 0, nodes: [] });
    const [rows] = await service.database.orm.execute(sql`select
      (select count(*)::integer from webhook_attempts where tenant_id = ${client.tenantId}) as attempts,
      (select count(*)::integer from webhook_lanes where tenant_id = ${client.tenantId}) as lanes,
      (select array_agg(kind::text order by version) from webhook_endpoint_changes
        where tenant_id = ${client.tenantId}) as kinds`);
    expect(rows).toMatchObject({ attempts: 0, lanes: 0 });
    expect(String(rows?.kinds)).toContain('WEBHOOK_ENDPOINT_DELETED');
  });

  it('ends deliveries after the running request', async () => {
    const client = await tenantWithAccounts(service);
    const [path, other] = [newPath(), newPath()];
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'DISABLED' });
    for (const name of ['One', 'Two']) await rename(client, 'A1', name);
    let result: Json;
    receiver.reply(path, async () => {
      result = await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId });
      return { status: 200 };
    });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'ENABLED' });
    await expect.poll(() => result, { timeout: 10_000 }).toMatchObject({ replayed: false });
    const second = await createEndpoint(client, { url: receiver.url(other) });
    await rename(client, 'A1', 'Three');
    await settled(client, second);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2]);
    expect(versionsOf(receiver.received(other), 'A1')).toEqual([4]);
  });
});

describe('webhookEndpoints', () => {
  it('lists the endpoints of the tenant in pages, newest first', async () => {
    const [client, other] = [await service.newTenant(), await service.newTenant()];
    await create(other);
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) ids.unshift((await create(client)).nodeId);
    const first = await listed(client, '(first: 2)');
    expect(first).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true, hasPreviousPage: false } });
    const second = await listed(client, `(first: 2, after: "${first.pageInfo.endCursor}")`);
    expect([...idsIn(first), ...idsIn(second)]).toEqual(ids);
    const last = await listed(client, `(last: 1, before: "${second.pageInfo.startCursor}")`);
    expect(idsIn(last)).toEqual(ids.slice(1, 2));
    const { errors } = await client.send(`{ webhookEndpoints(after: "x") { totalCount } }`);
    expect(errors[0].extensions.code).toBe('BAD_REQUEST');
  });
});

/** The mutations that name an endpoint, each with an input for which it succeeds. */
const ofEndpoint = [
  ['updateWebhookEndpoint', { description: 'Changed' }],
  ['deleteWebhookEndpoint', {}],
  ['rotateWebhookSecret', {}],
  ['testWebhookEndpoint', {}],
  ['redeliver', {}],
] as const;

describe('an endpoint that does not exist', () => {
  it.each(ofEndpoint)('is not found by %s, like one of another tenant', async (name, input) => {
    const [client, owner] = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const { nodeId: foreign, position: ownersPosition } = await create(owner);
    const { nodeId: deleted, position } = await create(client);
    await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId: deleted });
    expect(ownersPosition).not.toBe(position);
    const account = (await client.send('{ account(id: "A1") { nodeId } }')).data.account.nodeId;
    const range = name === 'redeliver' ? { from: position, to: position } : {};
    const unknown = ['x', foreign.toUpperCase(), `${foreign}0`, account, deleted, foreign];
    for (const nodeId of unknown) {
      const result = await tryWebhooks(client, name, { nodeId, ...input, ...range });
      expect(result).toEqual({
        ...{ __typename: 'NotFoundError', code: 'NOT_FOUND', type: 'WebhookEndpoint', id: nodeId },
        message: `There is no webhook endpoint "${nodeId}".`,
      });
      expect(await findEndpoint(client, nodeId)).toBeNull();
    }
    for (const nodeId of ['', 'x'.repeat(101), 'a\u0000b']) {
      const result = await tryWebhooks(client, name, { nodeId, ...input, ...range });
      expect(issuesOf(result)[0]?.path).toEqual(['nodeId']);
    }
    expect(await findEndpoint(owner, foreign, 'version')).toEqual({ version: 1 });
  });
});

describe('a key', () => {
  it('needs the scope webhooks:manage, which no other scope includes', async () => {
    const client = await tenantWithAccounts(service);
    const { nodeId, position } = await create(client);
    const others = scopes.filter((scope: Scope) => scope !== 'webhooks:manage');
    const [without, only] = [
      await service.newKey(client, others),
      await service.newKey(client, ['webhooks:manage']),
    ];
    const inputs: [Parameters<typeof webhookMutation>[0], object][] = [
      ['createWebhookEndpoint', { url }],
      ...ofEndpoint.map(([name, input]): [Parameters<typeof webhookMutation>[0], object] => [
        name,
        { nodeId, ...input, ...(name === 'redeliver' && { from: position, to: position }) },
      ]),
    ];
    for (const [name, input] of inputs) {
      const { data, errors } = await without.send(webhookMutation(name, 'replayed'), { input });
      expect(errors?.[0]?.extensions, name).toMatchObject({ code: 'FORBIDDEN', scope: 'webhooks:manage' });
      expect(data?.[name] ?? null).toBeNull();
    }
    for (const document of [
      `{ webhookEndpoint(nodeId: "${nodeId}") { url } }`,
      '{ webhookEndpoints { totalCount } }',
    ]) {
      const { errors } = await without.send(document);
      expect(errors[0].extensions).toMatchObject({ code: 'FORBIDDEN', scope: 'webhooks:manage' });
      expect((await only.send(document)).errors).toBeUndefined();
    }
    expect((await only.send('{ account(id: "A1") { id } }')).errors[0].extensions.code).toBe('FORBIDDEN');
    // An endpoint receives all changes, so a key that decides where they go must be able to read them.
    const reading = { createWebhookEndpoint: true, updateWebhookEndpoint: true, redeliver: true };
    for (const [name, input] of inputs.filter(([one]) => one in reading)) {
      const { errors } = await only.send(webhookMutation(name, 'replayed'), { input });
      expect(errors?.[0]?.extensions, name).toMatchObject({ code: 'FORBIDDEN', scope: 'accounts:read' });
    }
    expect((await findEndpoint(only, nodeId, 'version')).version).toBe(1);
  });
});

it('records the key and the request of each change', async () => {
  const client = await service.newTenant();
  const { nodeId } = await create(client);
  const input = { nodeId, description: 'Changed' };
  const answer = await client.send(webhookMutation('updateWebhookEndpoint', 'replayed'), { input });
  await tryWebhooks(client, 'rotateWebhookSecret', { nodeId });
  const { nodes } = (await findEndpoint(client, nodeId, history)).history;
  expect(nodes).toMatchObject([
    { kind: 'WEBHOOK_SECRET_ROTATED', version: 3, before: null, after: null },
    { kind: 'WEBHOOK_ENDPOINT_UPDATED', before: { description: '' }, after: { description: 'Changed' } },
    { kind: 'WEBHOOK_ENDPOINT_CREATED', version: 1 },
  ]);
  expect(nodes[1].requestId).toBe(answer.headers.get('x-request-id'));
  expect(new Set(nodes.map(({ actor }: Json) => actor)).size).toBe(1);
  expect(nodes[1].actor).toMatch(/^key_[0-9a-z]{26}$/);
});
