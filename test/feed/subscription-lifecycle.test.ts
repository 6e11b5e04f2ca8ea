import { once } from 'node:events';
import { connect } from 'node:net';
import { sql } from 'drizzle-orm';
import { describe, expect, it, vi } from 'vitest';
import { maxSubscriptionsPerKey, maxWaitingChanges } from '../../src/feed/rules.ts';
import { openStream } from '../support/event-stream.ts';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, openApp, useService } from '../support/service.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));
const follow = 'subscription { accountChanged { kind version after account { id } customer { id } } }';
const brief = 'subscription { accountChanged { after } }';

/** Counts the polls of the history during `work`. */
async function looks(work: () => Promise<unknown>): Promise<number> {
  const texts = await service.statements(work);
  return texts.filter((text) => text.includes('followed.position')).length;
}

const moment = () => new Promise((resolve) => setTimeout(resolve, 500));

/** Inserts many changes of one account, each with a text of this length. */
async function writeMany({ tenantId }: Client, count: number, length = 0): Promise<void> {
  await service.database.orm.execute(sql`
    insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
    select ${tenantId}, uuidv7(), 'C1', 'A1', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', last + n,
      jsonb_build_object('name', repeat('x', ${length}))
    from generate_series(1, ${count}::integer) n,
      (select max(version) as last from changes where tenant_id = ${tenantId} and account_id = 'A1') of_account`);
}

/** The last event of a subscription that ends with an error. */
const failure = (code: string) => ({ event: 'next', data: { errors: [{ extensions: { code } }] } });

describe('the poll of the history', () => {
  it('runs only while there are subscribers', async () => {
    const client = await tenantWithAccounts(service);
    const streams = await Promise.all([1, 2].map(() => openStream(socket.url, client, follow)));
    await vi.waitFor(async () => expect(await looks(moment)).toBeGreaterThan(0), 10_000);
    for (const stream of streams) stream.leave();
    await vi.waitFor(async () => expect(await looks(moment)).toBe(0), 10_000);
  });

  it('runs one statement for all subscribers of all tenants', async () => {
    const [client, other] = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const followers = Array.from({ length: 40 }, (_, index) => (index % 2 ? client : other));
    const streams = await Promise.all(followers.map((each) => openStream(socket.url, each, follow)));
    const rounds = 3;
    const counted = await looks(async () => {
      for (let round = 0; round < rounds; round += 1) {
        for (const each of [client, other])
          await mutate(each, 'updateAccount', { id: 'A1', name: `At ${round}` });
        await Promise.all(streams.map((stream) => stream.take(1)));
      }
    });
    expect(counted).toBeLessThan(rounds * streams.length);
    for (const stream of streams) stream.leave();
  });
});

describe('a subscription that is rejected', () => {
  it('returns FORBIDDEN for a key without accounts:read', async () => {
    const client = await tenantWithAccounts(service);
    const reader = await service.newKey(client, ['customers:read']);
    const stream = await openStream(socket.url, reader, follow);
    expect(await stream.next()).toMatchObject(failure('FORBIDDEN'));
    expect(await stream.next()).toMatchObject({ event: 'complete' });
    expect(await stream.next()).toBeUndefined();
  });

  it.each([
    'subscription { accountChanged @skip(if: true) { kind } }',
    'subscription { ... @include(if: false) { accountChanged { kind } } }',
    'subscription { ...F } fragment F on Subscription { accountChanged @skip(if: true) { kind } }',
  ])('is one whose root field could be skipped: %s', async (document) => {
    const client = await service.newTenant();
    const [error] = (await client.send(document)).errors;
    expect(error.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
  });

  it('returns 401 without a token', async () => {
    const stream = await openStream(socket.url, { token: '' }, follow);
    expect(stream.status).toBe(401);
  });

  it('returns 406 for a client that accepts no events', async () => {
    const client = await tenantWithAccounts(service);
    const response = await fetch(socket.url, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${client.token}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify({ query: follow }),
    });
    expect(response.status).toBe(406);
    expect(response.headers.get('accept')).toContain('text/event-stream');
  });

  it(`returns RATE_LIMITED beyond ${maxSubscriptionsPerKey} subscriptions of one key until one of them ends`, async () => {
    const client = await tenantWithAccounts(service);
    const streams = await Promise.all(
      Array.from({ length: maxSubscriptionsPerKey }, () => openStream(socket.url, client, follow)),
    );
    const refused = await openStream(socket.url, client, follow);
    expect(await refused.next()).toMatchObject(failure('RATE_LIMITED'));
    streams[0]?.leave();
    const another = await service.newKey(client, ['accounts:read']);
    (await openStream(socket.url, another, follow)).leave();
    await vi.waitFor(async () => {
      const stream = await openStream(socket.url, client, brief);
      await mutate(client, 'updateAccount', { id: 'A1', name: 'Second' });
      expect((await stream.next())?.data.data).toBeDefined();
      stream.leave();
    }, 10_000);
    for (const stream of streams) stream.leave();
  });
});

it('sends errors without instructions for HTTP', async () => {
  const client = await tenantWithAccounts(service);
  const stream = await openStream(socket.url, client, follow, {}, { 'last-event-id': 'wrong' });
  const event = await stream.next();
  expect(Object.keys(event?.data.errors[0].extensions).toSorted()).toEqual(['code', 'issues', 'requestId']);
});

it('returns an error for the fields of an event that the key may not read', async () => {
  const client = await tenantWithAccounts(service);
  const reader = await service.newKey(client, ['accounts:read']);
  const stream = await openStream(socket.url, reader, follow);
  await mutate(client, 'updateAccount', { id: 'A1', name: 'Second' });
  expect((await stream.next())?.data).toMatchObject({
    data: { accountChanged: { account: { id: 'A1' }, customer: null } },
    errors: [
      {
        path: ['accountChanged', 'customer'],
        extensions: {
          code: 'FORBIDDEN',
          scope: 'customers:read',
          requestId: stream.headers.get('x-request-id'),
        },
      },
    ],
  });
  stream.leave();
});

describe('an open subscription', () => {
  it('ends with an error if its token is revoked', async () => {
    const client = await tenantWithAccounts(service);
    const stream = await openStream(socket.url, client, follow);
    await service.database.orm.execute(
      sql`update api_keys set revoked_at = now() where tenant_id = ${client.tenantId}`,
    );
    expect(await stream.next()).toMatchObject(failure('UNAUTHENTICATED'));
    expect(await stream.next()).toMatchObject({ event: 'complete' });
  });

  it('delivers more changes than can wait if its client reads them', async () => {
    const client = await tenantWithAccounts(service);
    const stream = await openStream(socket.url, client, follow);
    const count = maxWaitingChanges + 1;
    await writeMany(client, count);
    const versions = (await stream.take(count)).map(({ data }) => data.accountChanged.version);
    expect(versions).toEqual(Array.from({ length: count }, (_, index) => index + 2));
    stream.leave();
  });

  it('ends with an error if its client does not read, while others continue', async () => {
    const client = await tenantWithAccounts(service);
    const { hostname, port } = new URL(socket.url);
    const slow = connect(Number(port), hostname);
    const body = JSON.stringify({ query: brief });
    slow.write(
      `POST /graphql HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${client.token}\r\naccept: text/event-stream\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    await once(slow, 'data');
    slow.pause();
    const quick = await openStream(socket.url, client, brief);
    for (let batch = 0; batch < 4; batch += 1) {
      await writeMany(client, 1000, 8000);
      await quick.take(1000);
    }
    let text = '';
    slow.setEncoding('utf8').on('data', (chunk: string) => {
      text = (text + chunk).slice(-2000);
    });
    slow.resume();
    await vi.waitFor(() => expect(text).toContain('event: complete'), 10_000);
    expect(text).toContain('"code":"SERVICE_UNAVAILABLE"');
    slow.destroy();
    quick.leave();
  });

  it('ends without an error if the service stops, and no new one starts', async () => {
    const client = await tenantWithAccounts(service);
    const app = openApp(service.connection);
    const ask = () =>
      app.fetch(
        new Request('http://localhost/graphql', {
          method: 'POST',
          headers: {
            authorization: `Bearer ${client.token}`,
            'content-type': 'application/json',
            accept: 'text/event-stream',
          },
          body: JSON.stringify({ query: follow }),
        }),
      );
    const running = await ask();
    app.endSubscriptions();
    for (const response of [running, await ask()]) {
      expect((await response.text()).replace(/^(:\n\n)+/, '')).toBe('event: complete\ndata:\n\n');
    }
    await app.close();
  });
});
