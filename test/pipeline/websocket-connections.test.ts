import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { sql } from 'drizzle-orm';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { maxBodyBytes } from '../../src/http/body.ts';
import { maxOperations } from '../../src/pipeline/transports/websocket.ts';
import { tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { type App, type Client, openApp, useService } from '../support/service.ts';
import { openAcknowledged, openRaw, refusedHandshake, subscribe } from '../support/websocket.ts';

const service = useService({ corsOrigins: ['https://app.example.com'] });
const server = useServer(
  (request, response) => service.listener(request, response),
  (request, socket, head) => service.upgrade(request, socket, head),
);
const brief = 'subscription { accountChanged { version } }';
let client: Client;

beforeAll(async () => {
  client = await tenantWithAccounts(service);
});
afterEach(() => vi.useRealTimers());

/** Sends bytes, and returns the whole response. */
async function exchange(bytes: string): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  socket.write(bytes);
  return text(socket);
}

describe('a handshake', () => {
  it.each(['https://evil.example', 'null', 'http://127.0.0.1', 'file://', 'not an origin'])(
    'is refused for the origin %s',
    async (origin) => {
      expect(await refusedHandshake(server.url, { origin })).toEqual({ status: 403, code: 'FORBIDDEN' });
    },
  );

  it.each([
    ['the host itself', () => ({ origin: new URL(server.url).origin })],
    ['the host under TLS', () => ({ origin: 'https://graph.test', headers: { host: 'graph.test:443' } })],
    ['CORS_ORIGINS', () => ({ origin: 'https://app.example.com' })],
    ['no browser', () => ({})],
  ])('is accepted for the origin of %s', async (_, options) => {
    const raw = await openRaw(server.url, options());
    raw.socket.close();
    await raw.closed;
  });

  it.each(['graphql-ws', 'graphql', []])('is refused for the subprotocol %s', async (protocol) => {
    expect(await refusedHandshake(server.url, { protocol })).toEqual({ status: 400, code: 'BAD_REQUEST' });
  });

  it.each(['/', '/graphql/', '/accounts', '/health/live'])('is refused at %s', async (path) => {
    const url = new URL(path, server.url).href;
    expect(await refusedHandshake(url)).toEqual({ status: 404, code: 'BAD_REQUEST' });
  });

  const head = 'GET /graphql HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\n';
  const protocol = 'sec-websocket-protocol: graphql-transport-ws\r\n';
  const version = 'sec-websocket-version: 13\r\n';
  const key = `sec-websocket-key: ${'a'.repeat(22)}==\r\n`;
  it.each([
    ['without a key', `${head}host: x\r\n${protocol}${version}\r\n`],
    ['without a version', `${head}host: x\r\n${protocol}${key}\r\n`],
    ['without a host', `${head}${protocol}${version}${key}\r\n`],
    ['with two hosts', `${head}host: x\r\nhost: y\r\n${protocol}${version}${key}\r\n`],
  ])('is refused %s', async (_, bytes) => {
    const response = await exchange(bytes);
    expect(response).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(response).toContain('"code":"BAD_REQUEST"');
  });

  it('of another protocol is ignored, and its request is served', async () => {
    const body = JSON.stringify({ query: '{ viewer { keyName } }' });
    const request = [
      'POST /graphql HTTP/1.1',
      'host: x',
      'connection: Upgrade, HTTP2-Settings, close',
      'upgrade: h2c',
      'http2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
      `authorization: Bearer ${client.token}`,
      'content-type: application/json',
      `content-length: ${body.length}`,
    ];
    const response = await exchange(`${request.join('\r\n')}\r\n\r\n${body}`);
    expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(response).toContain('{"data":{"viewer":{"keyName":"test"}}}');
  });
});

describe('a socket is closed', () => {
  it('with 4408 if connection_init does not arrive in time', async () => {
    const raw = await openRaw(server.url);
    expect(await raw.closed).toMatchObject({ code: 4408 });
  });

  const large = (length: number) => JSON.stringify({ type: 'ping', payload: { x: 'y'.repeat(length) } });
  const nested = `{"type":"ping","payload":${'{"x":'.repeat(60)}"${'y'.repeat(10_000)}"${'}'.repeat(61)}`;
  it.each<[number, string, unknown]>([
    [1009, 'a message that is too large', large(maxBodyBytes)],
    [1009, 'a message with too many levels', nested],
    [1003, 'bytes', Buffer.from('{"type":"ping"}')],
    [4400, 'text that is not JSON', '{'],
    [4400, 'a message that is no object', '[]'],
    [4400, 'a message without a type', {}],
    [4400, 'an unknown type', { type: 'start', id: 'a', payload: {} }],
    [4400, 'a type of the server', { type: 'next', id: 'a', payload: {} }],
    [4400, 'a subscribe message without a query', { type: 'subscribe', id: 'a', payload: {} }],
    [4409, 'an id that is in use', subscribe('used', brief)],
    [4429, 'a second connection_init', { type: 'connection_init' }],
  ])('with %d for %s', async (code, _, message) => {
    const raw = await openAcknowledged(server.url, client);
    raw.send(subscribe('used', brief));
    raw.send(message);
    expect(await raw.closed).toMatchObject({ code });
  });

  it('with 1007 for text that is not UTF-8', async () => {
    const raw = await openAcknowledged(server.url, client);
    raw.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false });
    expect(await raw.closed).toMatchObject({ code: 1007 });
  });

  it('with 4401 for an operation before connection_ack', async () => {
    const raw = await openRaw(server.url);
    raw.send(subscribe('a', '{ __typename }'));
    expect(await raw.closed).toMatchObject({ code: 4401 });
  });

  it('not for a message of the maximum size', async () => {
    const raw = await openAcknowledged(server.url, client);
    raw.send(large(maxBodyBytes - large(0).length));
    expect(await raw.next()).toMatchObject({ type: 'pong' });
    raw.socket.close();
  });

  it('if it does not answer a ping, but not while it does', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const dead = await openAcknowledged(server.url, client, { autoPong: false });
    const alive = await openAcknowledged(server.url, client);
    for (let beat = 0; beat < 3; beat += 1) {
      const pings = [alive, ...(beat === 0 ? [dead] : [])].map(({ socket }) => once(socket, 'ping'));
      vi.advanceTimersByTime(12_000);
      await Promise.all(pings);
      // The server receives the pong before this message.
      expect(await alive.roundTrip()).toEqual([]);
    }
    expect(await dead.closed).toMatchObject({ code: 1006 });
    alive.socket.close();
  });

  it('with 4403 if its token is revoked, after its subscriptions have failed', async () => {
    const key = await tenantWithAccounts(service);
    const raw = await openAcknowledged(server.url, key);
    const idle = await openAcknowledged(server.url, key);
    raw.send(subscribe('a', brief));
    await raw.roundTrip();
    await service.database.orm.execute(
      sql`update api_keys set revoked_at = now() where tenant_id = ${key.tenantId}`,
    );
    expect(await raw.next()).toMatchObject({
      id: 'a',
      type: 'error',
      payload: [{ extensions: { code: 'UNAUTHENTICATED', position: expect.any(String) } }],
    });
    for (const { closed } of [raw, idle]) expect(await closed).toEqual({ code: 4403, reason: 'Forbidden' });
  });
});

describe('an operation', () => {
  it(`is refused beyond ${maxOperations} of a socket, until one of them completes`, async () => {
    const raw = await openAcknowledged(server.url, client);
    for (let index = 0; index < maxOperations; index += 1) raw.send(subscribe(String(index), brief));
    raw.send(subscribe('more', brief));
    expect(await raw.next()).toMatchObject({
      id: 'more',
      type: 'error',
      payload: [{ extensions: { code: 'RATE_LIMITED' } }],
    });
    raw.send({ id: '0', type: 'complete' });
    await vi.waitFor(async () => {
      raw.send(subscribe('again', '{ __typename }'));
      const message = await raw.next();
      if (message.type === 'next') expect(await raw.next()).toEqual({ id: 'again', type: 'complete' });
      expect(message.type).toBe('next');
    });
    raw.socket.close();
  });

  it('can use the id of a completed one, which sends no more messages', async () => {
    const raw = await openAcknowledged(server.url, client);
    for (let round = 0; round < 20; round += 1) {
      raw.send(subscribe('a', round % 2 ? brief : '{ accounts { nodes { id name } } }'));
      raw.send({ id: 'a', type: 'complete' });
    }
    raw.send(subscribe('a', '{ viewer { keyName } }'));
    expect(await raw.next()).toEqual({
      id: 'a',
      type: 'next',
      payload: { data: { viewer: { keyName: 'test' } } },
    });
    expect(await raw.next()).toEqual({ id: 'a', type: 'complete' });
    expect(await raw.roundTrip()).toEqual([]);
    raw.socket.close();
  });

  it('ends with a position if its client does not read, while others continue', async () => {
    // A socket that does not read would not answer pings.
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const key = await tenantWithAccounts(service);
    const query = 'subscription($after: Position) { changes(after: $after) { position version after } }';
    const [slow, quick] = [await openAcknowledged(server.url, key), await openAcknowledged(server.url, key)];
    const after = (await key.send('{ changes { latestPosition } }')).data.changes.latestPosition;
    for (const { send } of [slow, quick]) send(subscribe('a', query, { after }));
    await mutate(key, 'updateAccount', { id: 'A1', name: 'Begun' });
    for (const { next } of [slow, quick]) expect(await next()).toMatchObject({ type: 'next' });
    slow.socket.pause();
    for (let batch = 0; batch < 4; batch += 1) {
      await service.database.orm.execute(sql`
        insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
        select ${key.tenantId}, uuidv7(), 'C1', 'A1', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', last + n,
          jsonb_build_object('name', repeat('x', 8000))
        from generate_series(1, 1000) n,
          (select max(version) as last from changes where tenant_id = ${key.tenantId} and account_id = 'A1') of_account`);
      for (let taken = 0; taken < 1000; taken += 1)
        expect(await quick.next()).toMatchObject({ type: 'next' });
    }
    slow.socket.resume();
    let last = await slow.next();
    let count = 0;
    let message = last;
    for (; message.type === 'next'; message = await slow.next()) {
      last = message;
      count += 1;
    }
    const { code, position } = message.payload[0].extensions;
    expect([message.type, code]).toEqual(['error', 'SERVICE_UNAVAILABLE']);
    const { position: seen, version } = last.payload.data.changes;
    expect(count).toBeLessThan(4000);
    expect(position).toBe(seen);
    slow.send(subscribe('b', query, { after: position }));
    expect((await slow.next()).payload.data.changes.version).toBe(version + 1);
    for (const { socket } of [slow, quick]) socket.terminate();
  });
});

describe('a replica that stops', () => {
  let replica: App;
  const stopping = useServer(
    (request, response) => replica.listener(request, response),
    (request, socket, head) => replica.upgrade(request, socket, head),
  );
  const gone = { code: 1001, reason: 'The server is stopping' };

  it('refuses new sockets once it drains, while open ones go on', async () => {
    replica = openApp(service.connection);
    const raw = await openAcknowledged(stopping.url, client);
    replica.drain();
    expect(await refusedHandshake(stopping.url)).toEqual({ status: 503, code: 'SERVICE_UNAVAILABLE' });
    raw.send(subscribe('a', '{ __typename }'));
    expect(await raw.next()).toMatchObject({ type: 'next' });
    await replica.close();
    expect(await raw.closed).toMatchObject({ code: 1006 });
  });

  it('completes subscriptions, and closes each socket with 1001 when its operations have ended', async () => {
    replica = openApp(service.connection);
    const raw = await openAcknowledged(stopping.url, client);
    const silent = await openRaw(stopping.url);
    const busy = await openAcknowledged(stopping.url, client);
    raw.send(subscribe('a', brief));
    busy.send(subscribe('q', '{ accounts { nodes { id } } }'));
    await raw.roundTrip();
    replica.endSubscriptions();
    replica.closeSockets();
    expect(await raw.next()).toEqual({ id: 'a', type: 'complete' });
    expect(await busy.next()).toMatchObject({ id: 'q', type: 'next' });
    expect(await busy.next()).toEqual({ id: 'q', type: 'complete' });
    for (const { closed } of [raw, silent, busy]) expect(await closed).toEqual(gone);
    expect(await refusedHandshake(stopping.url)).toEqual({ status: 503, code: 'SERVICE_UNAVAILABLE' });
    await replica.close();
  });
});
