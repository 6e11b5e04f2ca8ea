import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStream, type Stream } from '../support/event-stream.ts';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, clientThrough, type Json, openApp, useService } from '../support/service.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));
let replica: ReturnType<typeof openApp>;
const second = useServer((request, response) => replica.listener(request, response));
beforeAll(() => {
  replica = openApp(service.connection);
});
afterAll(() => replica.close());

const follow = `subscription($after: Position, $filter: ChangeFilter) {
  changes(after: $after, filter: $filter) { position version accountId } }`;

async function latestPosition(client: Client): Promise<string> {
  return (await client.send('{ changes { latestPosition } }')).data.changes.latestPosition;
}

async function positionsAfter(client: Client, after: string): Promise<string[]> {
  const positions: string[] = [];
  const query =
    'query($after: Position) { changes(after: $after, first: 100) { nodes { position } pageInfo { endCursor hasNextPage } } }';
  for (let page: Json = { endCursor: after, hasNextPage: true }; page.hasNextPage; ) {
    const { data } = await client.send(query, { after: page.endCursor });
    positions.push(...data.changes.nodes.map(({ position }: Json) => position));
    page = data.changes.pageInfo;
  }
  return positions;
}

/** Inserts this many changes of the account A2. */
const insertMany = ({ tenantId }: Client, count: number) =>
  service.database.orm.execute(sql`
    insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
    select ${tenantId}, uuidv7(), 'C1', 'A2', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', last + n
    from generate_series(1, ${count}::integer) n,
      (select max(version) as last from changes where tenant_id = ${tenantId} and account_id = 'A2') of_account`);

async function take(stream: Stream, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const event = await stream.next();
    if (event?.id === undefined) throw new Error(JSON.stringify(event));
    expect(event.data.data.changes.position).toBe(event.id);
    taken.push(event.id);
  }
  return taken;
}

describe('a subscription after a position', () => {
  it('replays the changes after it and continues with new ones, without a gap or a repeat', async () => {
    const client = await tenantWithAccounts(service);
    const clients = [client, clientThrough(replica, client)];
    const begin = await latestPosition(client);
    await insertMany(client, 1500);
    let isWriting = true;
    const writing = clients.map(async (writer, index) => {
      for (let round = 0; isWriting; round += 1)
        await mutate(writer, 'updateAccount', { id: 'A1', name: `Round ${round} of ${index}` });
    });
    const streams = await Promise.all(
      [socket.url, second.url].map((url) => openStream(url, client, follow, { after: begin })),
    );
    const head = await Promise.all(streams.map((stream) => take(stream, 1520)));
    isWriting = false;
    await Promise.all(writing);
    const expected = await positionsAfter(client, begin);
    for (const [index, stream] of streams.entries()) {
      const rest = await take(stream, expected.length - 1520);
      expect([...(head[index] ?? []), ...rest]).toEqual(expected);
      stream.leave();
    }
  });

  it('continues after the event id that a client sends when it reconnects, on another replica', async () => {
    const client = await tenantWithAccounts(service);
    const begin = await latestPosition(client);
    const stream = await openStream(socket.url, client, follow, { after: begin });
    for (const name of ['One', 'Two']) await mutate(client, 'updateAccount', { id: 'A1', name });
    const [, last] = await take(stream, 2);
    stream.leave();
    for (const name of ['Three', 'Four']) await mutate(client, 'updateAccount', { id: 'A1', name });
    const again = await openStream(
      second.url,
      client,
      follow,
      { after: begin },
      { 'last-event-id': String(last) },
    );
    expect(await take(again, 2)).toEqual((await positionsAfter(client, begin)).slice(2));
    again.leave();
    const wrong = await openStream(second.url, client, follow, {}, { 'last-event-id': 'wrong' });
    expect(await wrong.next()).toMatchObject({ data: { errors: [{ extensions: { code: 'BAD_REQUEST' } }] } });
  });

  it('delivers only what the filter selects, for accountChanged too', async () => {
    const client = await tenantWithAccounts(service);
    const begin = await latestPosition(client);
    await insertMany(client, 300);
    await mutate(client, 'updateCustomer', { id: 'C1', name: 'Customer' });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Account' });
    const stream = await openStream(socket.url, client, follow, {
      after: begin,
      filter: { accountId: 'A1' },
    });
    const old = await openStream(
      socket.url,
      client,
      'subscription($after: Position) { accountChanged(accountId: "A1", after: $after) { version accountId } }',
      { after: begin },
    );
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Live' });
    expect((await stream.take(2)).map(({ data }) => data.changes)).toMatchObject([
      { version: 2 },
      { version: 3 },
    ]);
    const expected = [2, 3].map((version) => ({ version, accountId: 'A1' }));
    expect((await old.take(2)).map(({ data }) => data.accountChanged)).toEqual(expected);
    for (const each of [stream, old]) each.leave();
  });

  it('starts at the beginning of the feed if it has no entries before', async () => {
    const client = await service.newTenant();
    const begin = await latestPosition(client);
    const stream = await openStream(socket.url, client, follow, { after: begin });
    const customer = { id: 'C1', name: 'First', primaryEmail: 'a@b.com', address: { country: 'US' } };
    await mutate(client, 'createCustomer', customer);
    expect((await stream.take(1))[0].data.changes).toMatchObject({ version: 1, accountId: null });
    stream.leave();
  });
});

it('runs a document once for each change, however many subscriptions have it', async () => {
  const client = await tenantWithAccounts(service);
  const reader = await service.newKey(client, ['accounts:read', 'customers:read']);
  const document = 'subscription($after: Position) { changes(after: $after) { version account { name } } }';
  const after = await latestPosition(client);
  const owners = [client, client, client, reader, reader];
  const streams = await Promise.all(
    owners.map((owner, index) => openStream(socket.url, owner, document, index % 2 ? { after } : {})),
  );
  const texts = await service.statements(async () => {
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Once' });
    for (const stream of streams)
      expect((await stream.take(1))[0].data.changes).toEqual({ version: 2, account: { name: 'Once' } });
  });
  const reads = texts.filter((text) => /^select/.test(text) && text.includes('from "accounts"'));
  // Once for each access: both tokens read the account.
  expect(reads.length).toBeLessThanOrEqual(2);
  for (const stream of streams) stream.leave();
});
