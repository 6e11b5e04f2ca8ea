import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type Json, openApp, useService } from '../support/service.ts';
import { useReceiver } from '../support/webhook-receiver.ts';
import {
  createEndpoint,
  findEndpoint,
  newPath,
  rename,
  settled,
  tryWebhooks,
  versionsOf,
} from '../support/webhooks.ts';

const service = useService();
const receiver = useReceiver();

describe('an endpoint', () => {
  it('receives changes with their fields, signed as Standard Webhooks specifies', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await rename(client, 'A1', 'Renamed');
    await mutate(client, 'updateCustomer', { id: 'C1', name: 'Customer' });
    await settled(client, created);
    const received = receiver.received(path);
    expect(received.map(({ body }) => body.type).toSorted()).toEqual(['account.updated', 'customer.updated']);
    const { data } = await client.send(
      '{ account(id: "A1") { history(first: 1) { nodes { id position } } } }',
    );
    const [change] = data.account.history.nodes;
    const account = received.find(({ body }) => body.data.accountId === 'A1');
    expect(account?.body).toEqual({
      type: 'account.updated',
      timestamp: expect.any(String),
      data: expect.objectContaining({
        id: change.id,
        position: change.position,
        sequence: 2,
        customerId: 'C1',
        before: { name: 'Main account' },
        after: { name: 'Renamed' },
      }),
    });
    for (const { headers, text } of received) new Webhook(created.secret).verify(text, headers);
    expect(account?.headers['webhook-id']).toBe(change.id);
  });

  it('receives only what its filter selects, from its position', async () => {
    const client = await tenantWithAccounts(service);
    const other = { id: 'C2', name: 'Second', primaryEmail: 'a@b.com', address: { country: 'US' } };
    await mutate(client, 'createCustomer', { ...other, account: { id: 'B1', name: 'Of another' } });
    const { data } = await client.send('{ changes(first: 1) { nodes { position } } }');
    const [begin] = data.changes.nodes;
    const paths = [newPath(), newPath(), newPath()];
    const [ofCustomer, ofKind, thin] = await Promise.all([
      createEndpoint(client, {
        url: receiver.url(String(paths[0])),
        customerId: 'C2',
        after: begin.position,
      }),
      createEndpoint(client, { url: receiver.url(String(paths[1])), kinds: ['ALIASES_ADDED'] }),
      createEndpoint(client, { url: receiver.url(String(paths[2])), payload: 'THIN' }),
    ]);
    await mutate(client, 'addAliases', { accountId: 'A1', aliases: ['v'] });
    await rename(client, 'B1', 'Renamed');
    await Promise.all([ofCustomer, ofKind, thin].map((one) => settled(client, one)));
    const kinds = paths.map((path) =>
      receiver
        .received(path)
        .map(({ body }) => body.data.kind)
        .toSorted(),
    );
    expect(kinds).toEqual([
      ['ACCOUNT_CREATED', 'ACCOUNT_UPDATED', 'CUSTOMER_CREATED'],
      ['ALIASES_ADDED'],
      ['ACCOUNT_UPDATED', 'ALIASES_ADDED'],
    ]);
    for (const { body } of receiver.received(String(paths[2])))
      expect(Object.keys(body.data)).not.toContain('after');
  });

  it('receives nothing of another tenant', async () => {
    const [client, other] = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const path = newPath();
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await rename(other, 'A1', 'Of the other');
    await rename(client, 'A1', 'Of mine');
    await settled(client, created);
    expect(receiver.received(path).map(({ body }) => body.data.after.name)).toEqual(['Of mine']);
  });

  it('receives all changes of each account in the order of their versions while replicas write and deliver', async () => {
    const client = await tenantWithAccounts(service);
    const replica = openApp(service.connection);
    const path = newPath();
    let count = 0;
    receiver.reply(path, async () => {
      count += 1;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      return { status: count % 7 === 0 ? 500 : 200 };
    });
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await Promise.all(
      ['A1', 'A2'].map(async (id) => {
        for (let round = 0; round < 25; round += 1) await rename(client, id, `Round ${round}`);
      }),
    );
    await settled(client, created);
    for (const id of ['A1', 'A2']) {
      const versions = versionsOf(receiver.received(path), id);
      // A failed attempt is repeated with the same version before the next one is sent.
      expect(versions).toEqual(versions.toSorted((a, b) => a - b));
      expect(new Set(versions)).toEqual(new Set(Array.from({ length: 25 }, (_, index) => index + 2)));
    }
    await replica.close();
  });
});

describe('a failing endpoint', () => {
  it('gets a change again with the same id and another timestamp, and then the next ones', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    receiver.reply(path, () => ({ status: receiver.received(path).length < 3 ? 500 : 200, body: 'not yet' }));
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await rename(client, 'A1', 'One');
    await rename(client, 'A1', 'Two');
    await settled(client, created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 2, 2, 3]);
    const ids = receiver.received(path).map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids.slice(0, 3)).size).toBe(1);
    for (const { headers, text } of receiver.received(path))
      new Webhook(created.secret).verify(text, headers);
    const { attempts } = await findEndpoint(
      client,
      created.nodeId,
      'attempts { nodes { changeId attempt status response error } }',
    );
    expect(attempts.nodes.map(({ attempt, status, response }: Json) => [attempt, status, response])).toEqual([
      [1, 200, 'not yet'],
      [3, 200, 'not yet'],
      [2, 500, 'not yet'],
      [1, 500, 'not yet'],
    ]);
    expect(attempts.nodes[3].changeId).toBe(ids[0]);
  });

  it('skips a change after the last attempt, and delays no other account', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    receiver.reply(path, ({ body }) => ({
      status: body.data.accountId === 'A1' && body.data.sequence === 2 ? 400 : 200,
    }));
    const created = await createEndpoint(client, { url: receiver.url(path) });
    for (const name of ['One', 'Two']) for (const id of ['A1', 'A2']) await rename(client, id, name);
    await settled(client, created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 2, 2, 3]);
    expect(versionsOf(receiver.received(path), 'A2')).toEqual([2, 3]);
  });

  it('blocks the account after the last attempt if it chose so, until a redelivery', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    let works = false;
    receiver.reply(path, ({ body }) => ({
      status: works || body.data.accountId !== 'A1' ? 200 : 302,
      headers: { location: '/' },
    }));
    const created = await createEndpoint(client, { url: receiver.url(path), onExhausted: 'BLOCK' });
    for (const name of ['One', 'Two']) for (const id of ['A1', 'A2']) await rename(client, id, name);
    await vi.waitFor(async () => {
      const { backlog } = await findEndpoint(client, created.nodeId);
      expect(backlog).toEqual({ positions: 0, lanes: 1, blocked: 1 });
    }, 20_000);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 2, 2]);
    expect(versionsOf(receiver.received(path), 'A2')).toEqual([2, 3]);
    works = true;
    const [first] = receiver.received(path).filter(({ body }) => body.data.accountId === 'A1');
    const { position } = first?.body.data ?? {};
    const input = { nodeId: created.nodeId, from: position, to: position };
    expect(await tryWebhooks(client, 'redeliver', input)).toMatchObject({ replayed: false });
    await settled(client, created);
    expect(versionsOf(receiver.received(path), 'A1')).toEqual([2, 2, 2, 2, 3]);
  });

  it('is disabled by 410, and continues where it was when it is enabled', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    let status = 410;
    receiver.reply(path, () => ({ status }));
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await rename(client, 'A1', 'One');
    await vi.waitFor(
      async () => expect((await findEndpoint(client, created.nodeId)).status).toBe('DISABLED'),
      20_000,
    );
    await rename(client, 'A1', 'Two');
    const { disabledReason, history, version } = await findEndpoint(
      client,
      created.nodeId,
      'disabledReason version history { nodes { kind actor version } }',
    );
    expect(disabledReason).toContain('410');
    expect(history.nodes[0]).toEqual({ kind: 'WEBHOOK_ENDPOINT_UPDATED', actor: 'service', version });
    status = 200;
    const before = receiver.received(path).length;
    await tryWebhooks(client, 'updateWebhookEndpoint', { nodeId: created.nodeId, status: 'ENABLED' });
    await settled(client, created);
    expect(versionsOf(receiver.received(path), 'A1').slice(before)).toEqual([2, 3]);
    expect((await findEndpoint(client, created.nodeId)).disabledReason).toBeNull();
  });

  it('is left alone as long as it asks for', async () => {
    const client = await tenantWithAccounts(service);
    const path = newPath();
    receiver.reply(path, () => ({ status: 429, headers: { 'retry-after': '3600' } }));
    const created = await createEndpoint(client, { url: receiver.url(path) });
    await rename(client, 'A1', 'One');
    await vi.waitFor(() => expect(receiver.received(path)).toHaveLength(1), 20_000);
    const [row] = await vi.waitFor(async () => {
      const rows = await service.database.orm.execute<{ seconds: number }>(
        sql`select extract(epoch from not_before - now())::float as seconds from webhook_endpoints
          where tenant_id = ${client.tenantId} and not_before is not null`,
      );
      expect(rows).toHaveLength(1);
      return rows;
    }, 20_000);
    expect(row?.seconds).toBeGreaterThan(3000);
    await rename(client, 'A2', 'Two');
    const other = await createEndpoint(client, { url: receiver.url(newPath()) });
    await rename(client, 'A2', 'Three');
    await settled(client, other);
    expect(receiver.received(path)).toHaveLength(1);
    expect((await findEndpoint(client, created.nodeId)).backlog.lanes).toBe(2);
  });
});

it('moves the lanes of a replica whose lease has expired to another one', async () => {
  const client = await tenantWithAccounts(service);
  const path = newPath();
  const created = await createEndpoint(client, { url: receiver.url(path) });
  // As a killed replica leaves it: a claimed lane, and a lease that ends soon.
  const dead = randomUUID();
  await service.database.orm.execute(
    sql`insert into webhook_leases values (${dead}, now() + interval '2 seconds')`,
  );
  await service.database.orm.execute(sql`
    insert into webhook_lanes (tenant_id, endpoint_id, is_account, entity_id, next_version, last_version, attempts, next_attempt_at, behind_since, claimed_by)
    select tenant_id, id, true, 'A1', 1, 1, 0, now(), now(), ${dead} from webhook_endpoints where tenant_id = ${client.tenantId}`);
  await rename(client, 'A1', 'Two');
  await rename(client, 'A2', 'Two');
  await vi.waitFor(() => expect(versionsOf(receiver.received(path), 'A2')).toEqual([2]), 20_000);
  expect(versionsOf(receiver.received(path), 'A1')).toEqual([]);
  await settled(client, created);
  expect(versionsOf(receiver.received(path), 'A1')).toEqual([1, 2]);
});

it('redelivers a range in the order of versions, with newer changes after it', async () => {
  const client = await tenantWithAccounts(service);
  const path = newPath();
  const created = await createEndpoint(client, { url: receiver.url(path) });
  for (const name of ['One', 'Two', 'Three']) for (const id of ['A1', 'A2']) await rename(client, id, name);
  await settled(client, created);
  const sent = receiver.received(path);
  const positionOf = (id: string, version: number) =>
    sent.find(({ body }) => body.data.accountId === id && body.data.sequence === version)?.body.data.position;
  const input = { nodeId: created.nodeId, from: positionOf('A1', 3), to: positionOf('A2', 3) };
  expect((await tryWebhooks(client, 'redeliver', input)).__typename).toBe('RedeliverSuccess');
  await settled(client, created);
  await rename(client, 'A1', 'Four');
  await settled(client, created);
  const again = receiver.received(path).slice(sent.length);
  expect(versionsOf(again, 'A1')).toEqual([3, 5]);
  expect(versionsOf(again, 'A2')).toEqual([3]);
  expect(again[0]?.headers['webhook-id']).toBe(
    sent.find(({ body }) => body.data.id === again[0]?.body.data.id)?.headers['webhook-id'],
  );
});
