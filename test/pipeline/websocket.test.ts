import { createHash, randomUUID } from 'node:crypto';
import { createClient, type Client as SocketClient } from 'graphql-ws';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { maxSubscriptionsPerKey } from '../../src/feed/rules.ts';
import { openStream } from '../support/event-stream.ts';
import { createAccount, tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { openAcknowledged, openRaw, subscribe } from '../support/websocket.ts';

const trusted = new Map([['viewer', '{ viewer { keyName } }']]);
const service = useService({ documents: { trusted, trustedOnly: false } });
const server = useServer(
  (request, response) => service.listener(request, response),
  (request, socket, head) => service.upgrade(request, socket, head),
);
const follow = `subscription($after: Position, $filter: ChangeFilter) {
  changes(after: $after, filter: $filter) { position version accountId } }`;
let client: Client;
const open: SocketClient[] = [];

beforeAll(async () => {
  client = await tenantWithAccounts(service);
});
afterEach(async () => {
  for (const each of open.splice(0)) await each.dispose();
});

function connect({ token }: Pick<Client, 'token'>, onConnected = () => {}): SocketClient {
  const made = createClient({
    url: server.url.replace(/^http/, 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { authorization: `Bearer ${token}` },
    retryAttempts: 0,
    on: { connected: onConnected },
  });
  open.push(made);
  return made;
}

async function latestPosition(): Promise<string> {
  return (await client.send('{ changes { latestPosition } }')).data.changes.latestPosition;
}

/** Takes this many events of a subscription. */
async function take(events: AsyncIterator<Json>, count: number): Promise<Json[]> {
  const taken: Json[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) throw new Error(`The subscription completed after ${taken.length} events.`);
    taken.push(value.data.changes);
  }
  return taken;
}

describe('a subscription over a WebSocket', () => {
  it('delivers each change as a message', async () => {
    const events = connect(client).iterate({ query: follow, variables: { after: await latestPosition() } });
    for (const name of ['One', 'Two']) await mutate(client, 'updateAccount', { id: 'A1', name });
    await createAccount(client, { id: 'B1' });
    expect((await take(events, 3)).map(({ accountId }) => accountId)).toEqual(['A1', 'A1', 'B1']);
    await events.return?.();
  });

  it('continues after a position on another socket, without a gap or a repeat', async () => {
    const begin = await latestPosition();
    const variables = { after: begin, filter: { accountId: 'A2' } };
    const first = connect(client);
    const events = first.iterate({ query: follow, variables });
    for (let round = 0; round < 5; round += 1)
      await mutate(client, 'updateAccount', { id: 'A2', name: `Before ${round}` });
    const taken = await take(events, 2);
    await first.dispose();
    for (let round = 0; round < 3; round += 1)
      await mutate(client, 'updateAccount', { id: 'A2', name: `Between ${round}` });
    const after = taken.at(-1).position;
    const again = connect(client).iterate({ query: follow, variables: { ...variables, after } });
    taken.push(...(await take(again, 6)));
    await mutate(client, 'updateAccount', { id: 'A2', name: 'Live' });
    taken.push(...(await take(again, 1)));
    expect(taken.map(({ version }) => version)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('fails for a key without the scope of its field', async () => {
    const reader = await service.newKey(client, ['customers:read']);
    const events = connect(reader).iterate({ query: follow });
    await expect(events.next()).rejects.toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
  });

  it('delivers the errors of single fields with the data of the event', async () => {
    const reader = await service.newKey(client, ['accounts:read']);
    const query =
      'subscription($after: Position) { accountChanged(after: $after) { account { id } customer { id } } }';
    const events = connect(reader).iterate({ query, variables: { after: await latestPosition() } });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Seen' });
    const { value } = await events.next();
    expect(value).toMatchObject({
      data: { accountChanged: { account: { id: 'A1' }, customer: null } },
      errors: [{ path: ['accountChanged', 'customer'], extensions: { code: 'FORBIDDEN' } }],
    });
    expect(value.errors[0].extensions).not.toHaveProperty('http');
  });
});

/** Returns the messages of an operation until it ends. */
async function messagesOf(key: Pick<Client, 'token'>, payload: object): Promise<Json[]> {
  const raw = await openAcknowledged(server.url, key);
  raw.send({ id: 'a', type: 'subscribe', payload });
  const messages = [await raw.next()];
  while (messages.at(-1).type === 'next') messages.push(await raw.next());
  raw.socket.close();
  return messages;
}

const update = `mutation($input: UpdateAccountInput!) {
  updateAccount(input: $input) { __typename ... on Error { message } ... on UpdateAccountSuccess { account { name } } } }`;
const hash = (text: string) => createHash('sha256').update(text).digest('hex');
const persisted = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: hash(text) } });
const deep = `{ accounts(first: 100) { nodes { customer { accounts(first: 100) { nodes { customer { accounts(first: 100) {
  nodes { id } } } } } } } } }`;

describe('an operation over a WebSocket has the same result as over HTTP:', () => {
  it.each<[string, object]>([
    ['a query', { query: '{ account(id: "A1") { id name customer { id } } viewer { keyName } }' }],
    [
      'a named operation',
      { query: 'query A { a: __typename } query B { b: __typename }', operationName: 'B' },
    ],
    ['a mutation', { query: update, variables: { input: { id: 'A1', name: 'Renamed' } } }],
    ['a mutation of an unknown id', { query: update, variables: { input: { id: 'none', name: 'Renamed' } } }],
    ['a mutation with invalid input', { query: update, variables: { input: { id: 'A1', name: '' } } }],
    ['a trusted document', { query: '', documentId: 'viewer' }],
    ['an unknown persisted document', { query: '', extensions: persisted('{ unknown }') }],
    ['a wrong hash', { query: '{ __typename }', extensions: persisted('{ other }') }],
    ['a syntax error', { query: '{' }],
    ['two validation errors', { query: '{ nothing other }' }],
    ['a variable of a wrong type', { query: update, variables: { input: { id: 'A1', name: 7, x: 1 } } }],
    ['an unknown operation', { query: '{ __typename }', operationName: 'None' }],
    ['an unknown parameter', { query: '{ __typename }', batch: true }],
    ['an empty query', { query: '' }],
    ['an inexact number', '{"query":"{ __typename }","variables":{"id":1.00000000000000000001}}' as never],
    ['a document over the cost limit', { query: deep }],
    ['a skipped subscription', { query: 'subscription { changes @skip(if: true) { version } }' }],
  ])('%s', async (_, payload) => {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const raw = await openAcknowledged(server.url, client);
    raw.send(`{"id":"a","type":"subscribe","payload":${text}}`);
    const message = await raw.next();
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' },
      body: text,
    });
    const expected = (await response.json()) as Json;
    for (const error of expected.errors ?? []) error.extensions.requestId = expect.any(String);
    expect(message.type === 'error' ? { errors: message.payload } : message.payload).toEqual(expected);
    expect(message.type).toBe('data' in expected ? 'next' : 'error');
    if (message.type === 'next') expect(await raw.next()).toEqual({ id: 'a', type: 'complete' });
    expect(await raw.roundTrip()).toEqual([]);
    raw.socket.close();
  });

  it('a mutation without its scope, which writes nothing', async () => {
    const reader = await service.newKey(client, ['accounts:read']);
    const variables = { input: { id: 'A1', name: 'Forbidden' } };
    const [message] = await messagesOf(reader, { query: update, variables });
    const { data, errors } = await reader.send(update, variables);
    errors[0].extensions.requestId = expect.any(String);
    expect(message).toEqual({ id: 'a', type: 'next', payload: { data, errors } });
    expect(errors[0].extensions.code).toBe('FORBIDDEN');
    const { data: read } = await client.send('{ account(id: "A1") { name } }');
    expect(read.account.name).not.toBe('Forbidden');
  });

  it('the parts of a deferred result', async () => {
    const query = '{ viewer { keyName ... @defer { tenant { name } } } }';
    const messages = await messagesOf(client, { query });
    expect(messages.map(({ type }) => type)).toEqual(['next', 'next', 'complete']);
    expect(messages[0].payload).toEqual({ data: { viewer: { keyName: 'test' } }, hasNext: true });
    expect(messages[1].payload.incremental[0].data).toHaveProperty('tenant.name');
  });
});

describe('connection_init', () => {
  it.each(['authorization', 'Authorization', 'AUTHORIZATION'])('accepts a token in `%s`', async (name) => {
    const raw = await openRaw(server.url);
    raw.send({ type: 'connection_init', payload: { [name]: `Bearer ${client.token}` } });
    expect(await raw.next()).toEqual({ type: 'connection_ack' });
    raw.socket.close();
  });

  it('accepts a token in the `Authorization` header of the handshake', async () => {
    const raw = await openRaw(server.url, { headers: { authorization: `Bearer ${client.token}` } });
    raw.send({ type: 'connection_init' });
    expect(await raw.next()).toEqual({ type: 'connection_ack' });
    raw.send(subscribe('a', '{ viewer { keyName } }'));
    expect((await raw.next()).payload).toEqual({ data: { viewer: { keyName: 'test' } } });
    raw.socket.close();
  });

  it.each<[string, object | undefined]>([
    ['no payload', undefined],
    ['no token', {}],
    ['an unknown token', { authorization: `Bearer agk_${'x'.repeat(43)}` }],
    ['a token without its scheme', { authorization: 'agk_x' }],
    ['a token that is no string', { authorization: { token: 'x' } }],
    ['a token longer than a header', { authorization: `Bearer ${'x'.repeat(20_000)}` }],
  ])('closes the socket with 4403 for %s', async (_, payload) => {
    const raw = await openRaw(server.url);
    raw.send({ type: 'connection_init', payload });
    expect(await raw.closed).toEqual({ code: 4403, reason: 'Forbidden' });
  });

  it('prefers the token of its payload to that of the handshake', async () => {
    const raw = await openRaw(server.url, { headers: { authorization: `Bearer ${client.token}` } });
    raw.send({ type: 'connection_init', payload: { authorization: 'Bearer wrong' } });
    expect((await raw.closed).code).toBe(4403);
  });
});

const brief = 'subscription { accountChanged { version } }';

/** Opens as many subscriptions as a key may have, and returns the error code of each, or undefined. */
async function openAll(key: Client): Promise<Set<string | undefined>> {
  const streams = await Promise.all(
    Array.from({ length: maxSubscriptionsPerKey }, () => openStream(server.url, key, brief)),
  );
  // A refusal is the first event of its stream. The others get this change.
  await createAccount(key, { id: randomUUID() });
  const events = await Promise.all(streams.map((stream) => stream.next()));
  for (const stream of streams) stream.leave();
  return new Set(events.map((event) => event?.data.errors?.[0].extensions.code));
}

describe('1,000 subscriptions are released', () => {
  const sockets = 20;
  const each = Array.from({ length: 50 }, (_, index) => String(index));

  it.each(['complete', 'close', 'complete after a round trip', 'terminate after a round trip'])(
    'after %s',
    { timeout: 60_000 },
    async (way) => {
      const key = await tenantWithAccounts(service);
      for (let opened = 0; opened < sockets; opened += 1) {
        const raw = await openAcknowledged(server.url, key);
        for (const id of each) raw.send(subscribe(id, brief));
        if (way.endsWith('round trip')) await raw.roundTrip();
        if (way.startsWith('complete')) for (const id of each) raw.send({ id, type: 'complete' });
        if (way.startsWith('terminate')) raw.socket.terminate();
        else raw.socket.close();
        await raw.closed;
      }
      // The service notices a closed connection a moment later.
      await expect.poll(() => openAll(key), { timeout: 30_000 }).toEqual(new Set([undefined]));
    },
  );
});
