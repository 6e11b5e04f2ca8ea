import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { buildASTSchema, parse } from 'graphql';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import type { Ctx, Viewer } from '../../src/ctx.ts';
import { createLanes, type RunOperation } from '../../src/http/lanes.ts';
import { BusyError, UnavailableError } from '../../src/lib/errors.ts';
import { createGraphqlTransports, type GraphqlOptions } from '../../src/pipeline/listener.ts';
import { maxOperations } from '../../src/pipeline/transports/websocket.ts';
import { useServer } from '../support/http-server.ts';
import type { Json } from '../support/service.ts';
import { openAcknowledged, openRaw, subscribe } from '../support/websocket.ts';

const viewer = { tenant: { id: 1 }, scopes: [], actor: 'key_1' } as unknown as Viewer;

/** Creates the transports of a small schema. */
function create(options: Partial<GraphqlOptions> = {}) {
  return createGraphqlTransports({
    authenticate: async () => viewer,
    buildSchema: () => buildASTSchema(parse('type Query { a: Int }')),
    createContext: () => ({}) as Ctx,
    inDryRun: (_, __, work) => work({} as Ctx),
    runOperation: ((_, work) => work()) as RunOperation,
    inTurn: createLanes<string>({ width: 2, maxWaiting: 2 }),
    documents: { trusted: new Map(), trustedOnly: false },
    exposesSchema: true,
    corsOrigins: [],
    graphiql: undefined,
    log: pino({ level: 'silent' }),
    spend: undefined,
    tracing: undefined,
    ...options,
  });
}

let transports = create();
const server = useServer(
  (request, response) => void transports.listener(request, response),
  (request, socket, head) => transports.sockets.upgrade(request, socket, head),
);

/** Sends a query, and returns the first message. */
async function ask(options: Partial<GraphqlOptions>): Promise<Json> {
  transports = create(options);
  const raw = await openAcknowledged(server.url, { token: 'x' });
  raw.send(subscribe('a', '{ a }'));
  const message = await raw.next();
  raw.socket.close();
  return message;
}

/** Opens a socket in memory. While `isStuck` returns true, its client takes no bytes. */
function handshake(upgrade: typeof transports.sockets.upgrade, isStuck = () => false) {
  const waiting: (() => void)[] = [];
  const opened = { written: '', waiting, socket: new Duplex() };
  opened.socket = new Duplex({
    read() {},
    write(chunk, _, done) {
      opened.written += chunk;
      if (isStuck()) waiting.push(done);
      else done();
    },
  });
  const headers = {
    host: 'x',
    upgrade: 'websocket',
    'sec-websocket-key': `${'a'.repeat(22)}==`,
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'graphql-transport-ws',
  };
  const request = { method: 'GET', url: '/graphql', headers } as unknown as IncomingMessage;
  upgrade(request, opened.socket, Buffer.alloc(0));
  return opened;
}

/** Returns a text frame of a client, with a mask of zeros. */
function frameOf(message: object): Buffer {
  const text = JSON.stringify(message);
  const head = Buffer.alloc(14);
  head.set([0x81, 0xff]);
  head.writeBigUInt64BE(BigInt(text.length), 2);
  return Buffer.concat([head, Buffer.from(text)]);
}

describe('a WebSocket', () => {
  it('is refused with 503 beyond 2,000 of a process', () => {
    const { sockets } = create();
    for (let opened = 0; opened < 2000; opened += 1)
      expect(handshake(sockets.upgrade).written).toMatch(/^HTTP\/1\.1 101 /);
    expect(handshake(sockets.upgrade).written).toMatch(/^HTTP\/1\.1 503 .*"code":"SERVICE_UNAVAILABLE"/s);
    sockets.terminate();
  });

  it('is closed with 1013 if its token cannot be looked up', async () => {
    transports = create({ authenticate: () => Promise.reject(new UnavailableError('BUSY')) });
    const raw = await openRaw(server.url);
    raw.send({ type: 'connection_init', payload: { authorization: 'Bearer x' } });
    expect(await raw.closed).toEqual({ code: 1013, reason: 'Try again later' });
  });
});

it('reads no messages while its client takes no responses', async () => {
  const { sockets } = create();
  let isStuck = true;
  const { socket, waiting } = handshake(sockets.upgrade, () => isStuck);
  const ping = frameOf({ type: 'ping', payload: { x: 'y'.repeat(400_000) } });
  for (let sent = 0; sent < 10; sent += 1) socket.push(ping);
  await expect.poll(() => socket.isPaused()).toBe(true);
  // Three responses exceed the limit of unsent bytes.
  expect(socket.readableLength).toBeGreaterThan(5 * ping.length);
  isStuck = false;
  for (const take of waiting) take();
  await expect.poll(() => [socket.isPaused(), socket.readableLength]).toEqual([false, 0]);
  sockets.terminate();
});

it('ignores a token that is longer than a header can be', async () => {
  const tokens: (string | null)[] = [];
  transports = create({
    async authenticate(authorization) {
      tokens.push(authorization);
      return undefined;
    },
  });
  const raw = await openRaw(server.url);
  raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${'x'.repeat(20_000)}` } });
  expect((await raw.closed).code).toBe(4403);
  expect(tokens).toEqual([null]);
});

describe('an operation over a WebSocket', () => {
  it('can use the id of a completed one, also if all messages arrive at once', async () => {
    const pending: (() => void)[] = [];
    // Holds the first operation only.
    const hold = (_: object, work: () => unknown) =>
      pending.length === 0 ? new Promise<void>((resolve) => pending.push(resolve)).then(work) : work();
    const { sockets } = create({ runOperation: hold as RunOperation });
    const opened = handshake(sockets.upgrade);
    opened.socket.push(frameOf({ type: 'connection_init' }));
    await expect.poll(() => opened.written).toContain('connection_ack');
    const messages = [
      subscribe('x', '{ a }'),
      { id: 'x', type: 'complete' },
      subscribe('x', '{ b: a }'),
      { type: 'ping', payload: { at: 1 } },
    ];
    opened.socket.push(Buffer.concat(messages.map(frameOf)));
    await expect.poll(() => opened.written).toContain('{"at":1}');
    for (const resolve of pending) resolve();
    opened.socket.push(frameOf({ type: 'ping', payload: { at: 2 } }));
    await expect.poll(() => opened.written).toContain('{"at":2}');
    const next = JSON.stringify({ id: 'x', type: 'next', payload: { data: { b: null } } });
    expect(opened.written).toContain(next);
    expect(opened.written.match(/"id":"x","type":"\w+"/g)).toEqual([
      '"id":"x","type":"next"',
      '"id":"x","type":"complete"',
    ]);
    sockets.terminate();
  });

  it(`counts to the ${maxOperations} of its socket until its work has ended, although it is completed`, async () => {
    const pending: (() => void)[] = [];
    let isHeld = true;
    const hold = (_: object, work: () => unknown) =>
      isHeld ? new Promise<void>((resolve) => pending.push(resolve)).then(work) : work();
    transports = create({ runOperation: hold as RunOperation, inTurn: (_, __, work) => work() });
    const raw = await openAcknowledged(server.url, { token: 'x' });
    for (let id = 0; id < maxOperations; id += 1) {
      raw.send(subscribe(String(id), '{ a }'));
      raw.send({ id: String(id), type: 'complete' });
    }
    raw.send(subscribe('more', '{ a }'));
    expect(await raw.next()).toMatchObject({ id: 'more', type: 'error' });
    isHeld = false;
    for (const resolve of pending) resolve();
    expect(await raw.roundTrip()).toEqual([]);
    raw.send(subscribe('more', '{ a }'));
    expect(await raw.next()).toMatchObject({ id: 'more', type: 'next' });
    raw.socket.close();
  });

  it('has the errors of fields without instructions for HTTP', async () => {
    const buildSchema = () => {
      const schema = buildASTSchema(parse('type Query { a: Int }'));
      const field = schema.getQueryType()?.getFields().a;
      if (field) field.resolve = () => Promise.reject(new UnavailableError('BUSY'));
      return schema;
    };
    const { type, payload } = await ask({ buildSchema });
    expect(type).toBe('next');
    expect(payload.data).toEqual({ a: null });
    const extensions = { code: 'SERVICE_UNAVAILABLE', requestId: expect.any(String) };
    expect(payload.errors.map((error: Json) => error.extensions)).toEqual([extensions]);
  });

  it('is refused if too many operations of its token wait', async () => {
    const inTurn = () => {
      throw new BusyError(2);
    };
    const { type, payload } = await ask({ inTurn });
    expect(type).toBe('error');
    expect(payload).toMatchObject([{ extensions: { code: 'RATE_LIMITED' } }]);
  });

  it('runs in the lane of its token', async () => {
    const tokens: string[] = [];
    await ask({
      inTurn(token, _, work) {
        tokens.push(token);
        return work();
      },
    });
    expect(tokens).toEqual(['Bearer x']);
  });

  it('has the message of an unexpected error masked', async () => {
    const { payload } = await ask({
      createContext() {
        throw new Error('a secret');
      },
    });
    expect(payload).toMatchObject([{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
    expect(JSON.stringify(payload)).not.toContain('secret');
  });

  it('is refused with UNAUTHENTICATED if its token has become invalid', async () => {
    let lookups = 0;
    const { type, payload } = await ask({ authenticate: async () => (lookups++ === 0 ? viewer : undefined) });
    expect(type).toBe('error');
    expect(payload).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  });
});
