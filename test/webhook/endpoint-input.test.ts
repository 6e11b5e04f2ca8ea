import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { changeKinds } from '../../src/history/rules.ts';
import { useSharedTenant } from '../support/fixtures.ts';
import { atOnce } from '../support/mutations.ts';
import { issuesOf } from '../support/refusal.ts';
import { type App, type Client, clientThrough, openApp, sessionKey, useService } from '../support/service.ts';
import { createEndpoint, findEndpoint, tryWebhooks, webhookMutation } from '../support/webhooks.ts';

const service = useService({
  webhooks: { keys: [sessionKey], schedule: [10], allowPrivateTargets: false },
});
const tenant = useSharedTenant(() => service.newTenant());
const url = 'https://example.com/hook';

const countEndpoints = async ({ tenantId }: Client) => {
  const [row] = await service.database.orm.execute<{
    endpoints: number;
    changes: number;
    records: number;
  }>(sql`select
    (select count(*)::integer from webhook_endpoints where tenant_id = ${tenantId}) as endpoints,
    (select count(*)::integer from webhook_endpoint_changes where tenant_id = ${tenantId}) as changes,
    (select count(*)::integer from idempotency_records where tenant_id = ${tenantId}) as records`);
  return { ...row };
};

const mustBe = 'must be an https URL';
const isPrivate = 'must not point to a private address';
const refusedUrls: [url: string, message: string][] = [
  ...[
    '',
    ' ',
    'x',
    '/hook',
    'example.com/hook',
    'https://',
    'https:// example.com',
    'https://exa mple.com',
  ].map((text): [string, string] => [text, mustBe]),
  ...['http://example.com', 'ftp://example.com', 'javascript:alert(1)', 'file:///etc/passwd', 'data:,x'].map(
    (text): [string, string] => [text, mustBe],
  ),
  ...[
    ` ${url}`,
    `${url} `,
    `${url}\n`,
    `${url}/\u00a0x`,
    'https://exam\tple.com',
    'https://example.com:99999',
  ].map((text): [string, string] => [text, mustBe]),
  ...['https://user@example.com', 'https://user:secret@example.com', 'https://:secret@example.com'].map(
    (text): [string, string] => [text, 'must not contain a user name or password'],
  ),
  ...[`${url}#`, `${url}#part`].map((text): [string, string] => [text, 'must not have a fragment']),
  ...['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0', '10.0.0.1', '192.168.1.1', '172.16.0.1'].map(
    (host): [string, string] => [`https://${host}/`, isPrivate],
  ),
  ...['169.254.169.254', '100.64.0.1', '168.63.129.16', '224.0.0.1', '255.255.255.255', '１２７.0.0.1'].map(
    (host): [string, string] => [`https://${host}/`, isPrivate],
  ),
  ...[
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::127.0.0.1]',
    '[fd00::1]',
    '[fe80::1]',
    '[64:ff9b::7f00:1]',
  ].map((host): [string, string] => [`https://${host}/`, isPrivate]),
  ...['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', '127.0.0.1.'].map((host): [string, string] => [
    `https://${host}/`,
    isPrivate,
  ]),
];

describe('url', () => {
  it.each(refusedUrls)('is refused: %j', async (text, message) => {
    const { client } = tenant;
    const before = await countEndpoints(client);
    const result = await tryWebhooks(client, 'createWebhookEndpoint', { url: text, idempotencyKey: 'k' });
    expect(issuesOf(result).map(({ path }) => path)).toEqual([['url']]);
    if (text !== '') expect(result.issues[0].message).toBe(message);
    expect(await countEndpoints(client)).toEqual(before);
  });

  it.each([
    'https://example.com',
    'https://EXAMPLE.com:8443/a/b?c=d&e=%20f',
    'https://93.184.216.34/hook',
    'https://[2606:2800:220:1:248:1893:25c8:1946]/hook',
    'https://münchen.example/straße?q=ü',
    'https://notlocalhost/',
    'https://metadata.google.internal/',
  ])('is stored unchanged: %s', async (text) => {
    expect((await createEndpoint(tenant.client, { url: text }, 'url')).url).toBe(text);
  });

  it('has at most 2,000 characters', async () => {
    const { client } = tenant;
    const long = url.padEnd(2000, 'x');
    expect((await createEndpoint(client, { url: long }, 'url')).url).toBe(long);
    for (const text of [`${long}x`, `${url}${'x'.repeat(100_000)}`, `${url}${'🚀'.repeat(1990)}`]) {
      const result = await tryWebhooks(client, 'createWebhookEndpoint', { url: text });
      expect(issuesOf(result)[0]).toMatchObject({
        path: ['url'],
        code: expect.stringMatching(/TOO_LONG|INVALID_VALUE/),
      });
    }
    for (const [text, code] of [
      [`${url}\u0000`, 'INVALID_FORMAT'],
      [`${url}\ud800`, 'INVALID_FORMAT'],
    ]) {
      const result = await tryWebhooks(client, 'createWebhookEndpoint', { url: text });
      expect(issuesOf(result)).toEqual([{ path: ['url'], code }]);
    }
  });

  it('follows the same rules in an update', async () => {
    const { client } = tenant;
    const { nodeId } = await createEndpoint(client, { url });
    for (const [text] of refusedUrls.filter((_, index) => index % 6 === 0)) {
      const result = await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, url: text });
      expect(issuesOf(result).map(({ path }) => path)).toEqual([['url']]);
    }
    expect(await findEndpoint(client, nodeId, 'url version')).toEqual({ url, version: 1 });
  });
});

describe('the other fields', () => {
  const all = Object.keys(changeKinds);
  it.each([
    [{ kinds: [] }, 'kinds', 'TOO_FEW'],
    [{ kinds: [...all, 'ACCOUNT_CREATED'] }, 'kinds', 'TOO_MANY'],
    [{ customerId: '' }, 'customerId', 'TOO_SHORT'],
    [{ customerId: 'x'.repeat(51) }, 'customerId', 'TOO_LONG'],
    [{ description: 'x'.repeat(501) }, 'description', 'TOO_LONG'],
    [{ description: 'a\u0000b' }, 'description', 'INVALID_FORMAT'],
    [{ idempotencyKey: '' }, 'idempotencyKey', 'INVALID_FORMAT'],
  ])('are checked by the domain: %j', async (input, path, code) => {
    const { client } = tenant;
    const { nodeId } = await createEndpoint(client, { url });
    for (const result of [
      await tryWebhooks(client, 'createWebhookEndpoint', { url, ...input }),
      await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, ...input }),
    ])
      expect(issuesOf(result)).toEqual([{ path: [path], code }]);
    expect((await findEndpoint(client, nodeId)).version).toBe(1);
  });

  it.each([
    { kinds: ['UNKNOWN'] },
    { kinds: [null] },
    { kinds: 7 },
    { payload: 'HUGE' },
    { payload: 1 },
    { onExhausted: true },
    { description: 5 },
    { url: 5 },
    { url: null },
    { url: [url] },
    { status: 'ENABLED' },
    { secret: 'whsec_AAAA' },
    { after: 5 },
    { customerId: { id: 'C1' } },
  ])('are checked by the schema: %j', async (input) => {
    const variables = { input: { url, ...input } };
    const { data, errors } = await tenant.client.send(
      webhookMutation('createWebhookEndpoint', 'replayed'),
      variables,
    );
    expect(errors[0].extensions.code).toBe('BAD_REQUEST');
    expect(data?.createWebhookEndpoint ?? null).toBeNull();
  });

  it('accepts all kinds, and 500 characters of description', async () => {
    const description = '🚀'.repeat(500);
    const created = await createEndpoint(
      tenant.client,
      { url, kinds: all, description },
      'kinds description',
    );
    expect(created).toMatchObject({ kinds: all, description });
  });
});

const versioned = ['updateWebhookEndpoint', 'rotateWebhookSecret', 'deleteWebhookEndpoint'] as const;

describe('expectedVersion', () => {
  it.each(versioned)('must be the current version in %s', async (name) => {
    const { client } = tenant;
    const { nodeId } = await createEndpoint(client, { url });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, description: 'Second' });
    for (const expectedVersion of [1, 3]) {
      const input = { nodeId, expectedVersion, ...(name.startsWith('update') && { description: 'Third' }) };
      expect(await tryWebhooks(client, name, input)).toMatchObject({
        __typename: 'VersionConflictError',
        currentVersion: 2,
      });
    }
    expect(issuesOf(await tryWebhooks(client, name, { nodeId, expectedVersion: 0 }))).toEqual([
      { path: ['expectedVersion'], code: 'TOO_SMALL' },
    ]);
    expect((await findEndpoint(client, nodeId)).version).toBe(2);
    expect(await tryWebhooks(client, name, { nodeId, expectedVersion: 2 })).toMatchObject({
      replayed: false,
    });
  });

  it('lets one of several concurrent rotations pass', async () => {
    const { client } = tenant;
    const { nodeId } = await createEndpoint(client, { url });
    const results = await atOnce(8, () =>
      tryWebhooks(client, 'rotateWebhookSecret', { nodeId, expectedVersion: 1 }),
    );
    expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(1);
    expect(results.filter(({ currentVersion }) => currentVersion === 2)).toHaveLength(7);
  });
});

describe('idempotencyKey', () => {
  const withSecret = 'secret replayed webhookEndpoint { nodeId version description }';

  it('makes a repeated create return the endpoint without its secret', async () => {
    const client = await service.newTenant();
    const input = { url, idempotencyKey: 'k' };
    const first = await tryWebhooks(client, 'createWebhookEndpoint', input, withSecret);
    const second = await tryWebhooks(client, 'createWebhookEndpoint', input, withSecret);
    expect(second).toEqual({ ...first, secret: null, replayed: true });
    expect(await countEndpoints(client)).toEqual({ endpoints: 1, changes: 1, records: 1 });
    const { nodeId } = first.webhookEndpoint;
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, description: 'Later' });
    const third = await tryWebhooks(client, 'createWebhookEndpoint', input, withSecret);
    expect(third.webhookEndpoint).toEqual({ nodeId, version: 2, description: 'Later' });
  });

  it('returns NotFoundError for a repeated create whose endpoint was deleted', async () => {
    const client = await service.newTenant();
    const input = { url, idempotencyKey: 'k' };
    const { webhookEndpoint } = await tryWebhooks(client, 'createWebhookEndpoint', input, withSecret);
    const { nodeId } = webhookEndpoint;
    await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId });
    expect(await tryWebhooks(client, 'createWebhookEndpoint', input, withSecret)).toMatchObject({
      __typename: 'NotFoundError',
      id: nodeId,
    });
  });

  it('creates one endpoint for concurrent requests', async () => {
    const client = await service.newTenant();
    const input = { url, idempotencyKey: 'k' };
    const results = await atOnce(20, () => tryWebhooks(client, 'createWebhookEndpoint', input, withSecret));
    const created = results.filter(({ replayed }) => replayed === false);
    expect(created).toHaveLength(1);
    expect(created[0].secret).toMatch(/^whsec_/);
    for (const result of results.filter((one) => one !== created[0])) {
      const isReplay = result.replayed === true && result.secret === null;
      expect(isReplay || result.code === 'IDEMPOTENCY_IN_PROGRESS').toBe(true);
    }
    expect(await countEndpoints(client)).toEqual({ endpoints: 1, changes: 1, records: 1 });
  });

  it('is refused for another input or mutation, and is stored only after a success', async () => {
    const client = await service.newTenant();
    const idempotencyKey = 'k';
    await tryWebhooks(client, 'createWebhookEndpoint', { url: 'https://localhost', idempotencyKey });
    const { nodeId } = await createEndpoint(client, { url, idempotencyKey });
    const reused = { __typename: 'IdempotencyError', code: 'IDEMPOTENCY_KEY_REUSED' };
    const other = { url: `${url}2`, idempotencyKey };
    expect(await tryWebhooks(client, 'createWebhookEndpoint', other)).toMatchObject(reused);
    for (const name of [...versioned, 'testWebhookEndpoint'] as const)
      expect(await tryWebhooks(client, name, { nodeId, idempotencyKey })).toMatchObject(reused);
    expect(await countEndpoints(client)).toEqual({ endpoints: 1, changes: 1, records: 1 });
  });

  it.each(versioned)('makes %s run once', async (name) => {
    const client = await service.newTenant();
    const { nodeId } = await createEndpoint(client, { url });
    const input = { nodeId, idempotencyKey: 'k', ...(name.startsWith('update') && { description: 'Once' }) };
    const fields = name === 'rotateWebhookSecret' ? 'replayed secret' : 'replayed';
    const first = await tryWebhooks(client, name, input, fields);
    const after = await countEndpoints(client);
    const second = await tryWebhooks(client, name, input, fields);
    expect(first.replayed).toBe(false);
    expect(second).toEqual({ ...first, replayed: true, ...('secret' in first && { secret: null }) });
    expect(await countEndpoints(client)).toEqual(after);
    expect(after.changes).toBe(2);
  });
});

describe('a server without keys', () => {
  let app: App;
  beforeAll(() => {
    app = openApp(service.connection, { webhooks: { keys: [], schedule: [], allowPrivateTargets: false } });
  });
  afterAll(() => app.close());

  it('refuses what needs a secret, and answers queries', async () => {
    const created = await createEndpoint(tenant.client, { url });
    const client = clientThrough(app, tenant.client);
    const { nodeId, position } = created;
    const inputs = [
      ['createWebhookEndpoint', { url }],
      ['updateWebhookEndpoint', { nodeId, url: `${url}2` }],
      ['rotateWebhookSecret', { nodeId }],
      ['testWebhookEndpoint', { nodeId }],
      ['redeliver', { nodeId, from: position, to: position }],
    ] as const;
    for (const [name, input] of inputs) {
      const result = await tryWebhooks(client, name, input);
      expect(result).toMatchObject({ __typename: 'InvalidInputError', code: 'INVALID_INPUT' });
      expect(result.message).toContain('WEBHOOK_KEYS');
    }
    expect(await findEndpoint(client, nodeId, 'url version')).toEqual({ url, version: 1 });
    const disabled = await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'DISABLED' });
    expect(disabled).toMatchObject({ replayed: false });
    expect(await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId })).toMatchObject({ replayed: false });
  });
});
