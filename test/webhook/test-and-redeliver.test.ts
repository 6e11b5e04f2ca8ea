import { sql } from 'drizzle-orm';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { atOnce, mutate } from '../support/mutations.ts';
import { freePort } from '../support/ports.ts';
import { issuesOf } from '../support/refusal.ts';
import { withReplica } from '../support/replica.ts';
import { type Client, clientThrough, type Json, useService } from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';
import {
  createEndpoint,
  findEndpoint,
  newGate,
  newPath,
  rename,
  settled,
  tryWebhooks,
  versionsOf,
} from '../support/webhooks.ts';

const service = useService();
const receiver = useReceiver();

const attempt = 'attempt { id changeId attempt at durationMs status error response }';
const test = (client: Client, input: object) =>
  tryWebhooks(client, 'testWebhookEndpoint', input, `replayed ${attempt} webhookEndpoint { nodeId version }`);
const attemptsOf = async (client: Client, nodeId: string, args = '') =>
  (
    await findEndpoint(
      client,
      nodeId,
      `attempts${args} { totalCount nodes { id attempt status } edges { cursor } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } }`,
    )
  ).attempts;

describe('testWebhookEndpoint', () => {
  it('sends a signed request and returns its response', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    receiver.reply(path, () => ({ status: 201, body: 'thanks' }));
    const { nodeId, secret } = await createEndpoint(client, { url: receiver.url(path) });
    const result = await test(client, { nodeId });
    expect(result).toMatchObject({
      ...{ __typename: 'TestWebhookEndpointSuccess', replayed: false },
      attempt: { changeId: null, attempt: 1, status: 201, error: null, response: 'thanks' },
      webhookEndpoint: { nodeId, version: 1 },
    });
    const [received] = receiver.received(path);
    expect(received?.body).toEqual({
      ...{ type: 'webhook.test', timestamp: result.attempt.at },
      data: { endpointId: nodeId },
    });
    expect(received?.headers['webhook-id']).toBe(result.attempt.id);
    new Webhook(secret).verify(received?.text ?? '', received?.headers ?? {});
    expect((await attemptsOf(client, nodeId)).nodes).toMatchObject([{ id: result.attempt.id, status: 201 }]);
  });

  it('returns a failure as the attempt, and changes nothing else', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    for (const status of [500, 410, 429, 302]) {
      receiver.reply(path, () => ({ status, headers: { location: '/', 'retry-after': '3600' } }));
      const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
      expect((await test(client, { nodeId })).attempt).toMatchObject({ status, error: null });
      expect(await findEndpoint(client, nodeId, 'status version')).toEqual({ status: 'ENABLED', version: 1 });
      const other = newPath();
      await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, url: receiver.url(other) });
      expect((await test(client, { nodeId })).attempt.status).toBe(204);
    }
    const url = `http://127.0.0.1:${await freePort()}/`;
    const { nodeId } = await createEndpoint(client, { url });
    const refused = { status: null, error: 'Connection refused', response: '' };
    expect((await test(client, { nodeId })).attempt).toMatchObject(refused);
  });

  it('reaches a disabled endpoint', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'DISABLED' });
    expect((await test(client, { nodeId })).attempt.status).toBe(204);
    expect((await findEndpoint(client, nodeId)).status).toBe('DISABLED');
  });

  it('sends one request for repeated and concurrent ones with the same key', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    const input = { nodeId, idempotencyKey: 'k' };
    const results = await atOnce(10, () => test(client, input));
    const sent = results.filter(({ replayed }) => replayed === false);
    expect(sent).toHaveLength(1);
    const again = await test(client, input);
    expect(again).toEqual({ ...sent[0], replayed: true });
    expect(receiver.received(path)).toHaveLength(1);
    expect((await attemptsOf(client, nodeId)).totalCount).toBe(1);
  });

  it('ends before its request times out, and stores that no response arrived', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const gate = newGate();
    receiver.reply(path, async () => {
      await gate.opened;
      return { status: 200 };
    });
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    const timedOut = { status: null, error: 'Timed out after 3.2 s', response: '' };
    await withReplica(
      service,
      async (replica) => {
        const result = await test(clientThrough(replica, client), { nodeId });
        expect(result.attempt).toMatchObject(timedOut);
      },
      { operationTimeoutMs: 4000 },
    );
    gate.open();
  });

  it('returns NotFoundError if the endpoint is deleted meanwhile', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    receiver.reply(path, async () => {
      await tryWebhooks(client, 'deleteWebhookEndpoint', { nodeId });
      return { status: 200 };
    });
    expect(await test(client, { nodeId })).toMatchObject({ __typename: 'NotFoundError', id: nodeId });
  });
});

/** Creates an endpoint that has received three changes of A1 and one of A2. Returns the positions of A1. */
async function endpointWithHistory(client: Client, path: string, input: object = {}) {
  const { nodeId } = await createEndpoint(client, { url: receiver.url(path), ...input });
  for (const name of ['One', 'Two', 'Three']) await rename(client, 'A1', name);
  await rename(client, 'A2', 'One');
  await settled(client, { nodeId });
  const received = receiver.received(path).filter(({ body }) => body.data.accountId === 'A1');
  return { nodeId, positions: received.map(({ body }): string => body.data.position) };
}
const redeliver = (client: Client, input: object) =>
  tryWebhooks(
    client,
    'redeliver',
    input,
    'replayed webhookEndpoint { version history { nodes { kind after } } }',
  );

describe('redeliver', () => {
  it('delivers the changes of a range again, and records it', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId, positions } = await endpointWithHistory(client, path);
    const range = { from: positions[1], to: positions[2] };
    const { replayed, webhookEndpoint } = await redeliver(client, { nodeId, ...range });
    expect(replayed).toBe(false);
    expect(webhookEndpoint.version).toBe(2);
    expect(webhookEndpoint.history.nodes[0]).toEqual({ kind: 'WEBHOOK_REDELIVERED', after: range });
    await settled(client, { nodeId });
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3, 4, 3, 4]);
    expect(versionsOf(receiver.received(path), 'A2')).toEqual([2]);
  });

  it('runs once for the same key', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId, positions } = await endpointWithHistory(client, path);
    const input = { nodeId, from: positions[0], to: positions[0], idempotencyKey: 'k' };
    const first = await redeliver(client, input);
    await settled(client, { nodeId });
    expect(await redeliver(client, input)).toEqual({ ...first, replayed: true });
    const other = { ...input, to: positions[1] };
    expect((await redeliver(client, other)).code).toBe('IDEMPOTENCY_KEY_REUSED');
    await settled(client, { nodeId });
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3, 4, 2]);
  });

  it('delivers each change at least once more for concurrent requests', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId, positions } = await endpointWithHistory(client, path);
    const input = { nodeId, from: positions[0], to: positions[2] };
    for (const result of await atOnce(5, () => redeliver(client, input))) expect(result.replayed).toBe(false);
    await settled(client, { nodeId });
    const again = versionsOf(receiver.received(path), 'A1').slice(3);
    expect(new Set(again)).toEqual(new Set([2, 3, 4]));
    expect((await findEndpoint(client, nodeId)).version).toBe(6);
  });

  it('waits until a disabled endpoint is enabled', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId, positions } = await endpointWithHistory(client, path);
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'DISABLED' });
    await redeliver(client, { nodeId, from: positions[0], to: positions[0] });
    expect((await findEndpoint(client, nodeId)).backlog).toEqual({ positions: 0, lanes: 1, blocked: 0 });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'ENABLED' });
    await settled(client, { nodeId });
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 3, 4, 2]);
  });

  it('leaves out what the filter leaves out', async () => {
    const client = await tenantWithAccounts(service);
    const [all, filtered] = [newPath(), newPath()];
    const { positions } = await endpointWithHistory(client, all);
    const { nodeId } = await createEndpoint(client, {
      url: receiver.url(filtered),
      kinds: ['ALIASES_ADDED'],
    });
    await mutate(client, 'addAliases', { accountId: 'A1', aliases: ['v'] });
    await settled(client, { nodeId });
    const { position } = await findEndpoint(client, nodeId);
    await redeliver(client, { nodeId, from: positions[0], to: position });
    await settled(client, { nodeId });
    expect(versionsOf(receiver.received(filtered), 'A1')).toEqual([5, 5]);
  });

  it('refuses positions in the wrong order, unknown ones and those of another tenant', async () => {
    const [client, other] = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const { nodeId, positions } = await endpointWithHistory(client, newPath());
    const foreign = (await other.send('{ changes { latestPosition } }')).data.changes.latestPosition;
    const [from, , to] = positions;
    const refused: [object, string][] = [
      [{ from: to, to: from }, 'to'],
      [{ from: foreign, to }, 'from'],
      [{ from, to: foreign }, 'to'],
      [{ from: '', to }, 'from'],
      [{ from, to: `${to}A` }, 'to'],
      [{ from: 'x'.repeat(100_000), to }, 'from'],
    ];
    for (const [range, path] of refused) {
      const result = await redeliver(client, { nodeId, ...range });
      expect(issuesOf(result)).toEqual([{ path: [path], code: 'INVALID_VALUE' }]);
    }
    expect((await findEndpoint(client, nodeId)).version).toBe(1);
  });

  it('refuses 100,000 changes and more', async () => {
    const client = await tenantWithAccounts(service);
    const { nodeId, positions } = await endpointWithHistory(client, newPath(), {
      kinds: ['ACCOUNT_UPDATED'],
    });
    await service.database.orm.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${client.tenantId}, uuidv7(), 'C1', 'A2', 'ALIASES_ADDED', now(), 'key_x', 'r', n
      from generate_series(3, 100002) n`);
    const to = (await client.send('{ changes { latestPosition } }')).data.changes.latestPosition;
    const result = await redeliver(client, { nodeId, from: positions[0], to });
    expect(issuesOf(result)).toEqual([{ path: ['to'], code: 'INVALID_VALUE' }]);
    expect(result.message).toContain('100000');
  });
});

describe('the lists of an endpoint', () => {
  it('have attempts in pages, newest first', async () => {
    const client = await tenantWithAccounts(service);
    const { nodeId } = await createEndpoint(client, { url: receiver.url(newPath()) });
    const ids: string[] = [];
    for (let count = 0; count < 5; count += 1) ids.unshift((await test(client, { nodeId })).attempt.id);
    const idsIn = (page: Json) => page.nodes.map(({ id }: Json) => id);
    const first = await attemptsOf(client, nodeId, '(first: 2)');
    expect(first).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: true, hasPreviousPage: false } });
    const second = await attemptsOf(client, nodeId, `(first: 3, after: "${first.pageInfo.endCursor}")`);
    expect([...idsIn(first), ...idsIn(second)]).toEqual(ids);
    expect(second.pageInfo.hasNextPage).toBe(false);
    const back = await attemptsOf(client, nodeId, `(last: 2, before: "${second.edges[1].cursor}")`);
    expect(idsIn(back)).toEqual(ids.slice(1, 3));
    for (const list of ['attempts', 'history'])
      for (const after of ['', 'x', Buffer.from(`["${list}","x",""]`).toString('base64url')]) {
        const document = `query($after: String) { webhookEndpoint(nodeId: "${nodeId}") { ${list}(after: $after) { totalCount } } }`;
        expect((await client.send(document, { after })).errors[0].extensions.code).toBe('BAD_REQUEST');
      }
  });

  it('have changes in pages, newest first, without tests', async () => {
    const client = await tenantWithAccounts(service);
    const { nodeId } = await createEndpoint(client, { url: receiver.url(newPath()) });
    for (const description of ['One', 'Two', 'Three'])
      await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, description });
    await test(client, { nodeId });
    const page = async (args: string) =>
      (
        await findEndpoint(
          client,
          nodeId,
          `history${args} { totalCount nodes { version } pageInfo { endCursor startCursor hasNextPage } }`,
        )
      ).history;
    const first = await page('(first: 3)');
    expect(first).toMatchObject({ totalCount: 4, pageInfo: { hasNextPage: true } });
    expect(first.nodes.map(({ version }: Json) => version)).toEqual([4, 3, 2]);
    expect((await page(`(first: 3, after: "${first.pageInfo.endCursor}")`)).nodes).toEqual([{ version: 1 }]);
    expect((await page(`(last: 1, before: "${first.pageInfo.endCursor}")`)).nodes).toEqual([{ version: 3 }]);
  });
});

describe('a request', () => {
  it('leaves out the fields of a change that would make it longer than 20,000 bytes', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) });
    const settings = Array.from({ length: 40 }, (_, index) => ({
      ...{ id: `s${index}`, namespace: 'n', name: 'Setting', dataType: 'STRING' },
      value: 'é'.repeat(250),
    }));
    await mutate(client, 'putSettings', { accountId: 'A1', settings });
    await rename(client, 'A1', 'Short');
    await settled(client, created);
    const [long, short] = receiver.received(path);
    expect(Buffer.byteLength(long?.text ?? '')).toBeLessThan(20_000);
    expect(long?.body.data).toMatchObject({ kind: 'SETTINGS_PUT', sequence: 2, truncated: true });
    expect(Object.keys(long?.body.data)).not.toContain('after');
    expect(short?.body.data).toMatchObject({ after: { name: 'Short' } });
    new Webhook(created.secret).verify(long?.text ?? '', long?.headers ?? {});
  });

  it('is counted in the backlog until it succeeds', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const { nodeId } = await createEndpoint(client, { url: receiver.url(path) });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'DISABLED' });
    for (const id of ['A1', 'A2']) await rename(client, id, 'One');
    await client.send('{ changes { latestPosition } }');
    const backlog = async () => (await findEndpoint(client, nodeId)).backlog;
    expect(await backlog()).toEqual({ positions: 2, lanes: 0, blocked: 0 });
    const gate = newGate();
    receiver.reply(path, async () => {
      await gate.opened;
      return { status: 200 };
    });
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId, status: 'ENABLED' });
    await vi.waitFor(
      async () => expect(await backlog()).toEqual({ positions: 0, lanes: 2, blocked: 0 }),
      20_000,
    );
    gate.open();
    await settled(client, { nodeId });
  });
});
