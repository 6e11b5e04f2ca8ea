import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { listOf, x } from '../support/field-limits.ts';
import { breakOff, json, sendRaw } from '../support/http.ts';
import { expectAlive, expectRequestError } from '../support/refusal.ts';
import { useService } from '../support/service.ts';

const service = useService();
const megabytes = (count: number) => count * 1_000_000;
const query = '{ viewer { keyName } }';

/** Returns a valid body, padded to this length with white space. */
const bodyOf = (bytes: number) => JSON.stringify({ query }).padEnd(bytes);

/** Returns a chunked body without a declared length, and the number of bytes read so far. */
function streamOf(body: string) {
  const bytes = new TextEncoder().encode(body);
  let taken = 0;
  const stream = new ReadableStream({
    pull(controller) {
      if (taken >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(taken, taken + 65_536));
      taken += 65_536;
    },
  });
  return { stream, taken: () => taken };
}

/** Sends a request over its own connection and reads the response after everything is written. */
async function sendThenRead(request: string): Promise<string> {
  const server = createServer(service.listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  try {
    const write = promisify(socket.write.bind(socket) as (text: string, done: () => void) => void);
    // In pieces, because a write after the service has closed the connection fails.
    for (const [piece] of request.matchAll(/.{1,20000}/gs)) {
      await write(piece);
      await setImmediate();
    }
    return await text(socket);
  } finally {
    socket.destroy();
    server.close();
  }
}

const badBodies: [string, string][] = [
  ['an empty body', ''],
  ['a body of white space', ' \n '],
  ['malformed JSON', '{"query": '],
  ['JSON with a trailing comma', `{"query": "${query}",}`],
  ['a bare GraphQL document', query],
  ['JSON null', 'null'],
  ['a JSON string', '"query"'],
  ['a JSON number', '5'],
  ['a batch', JSON.stringify([{ query }, { query }])],
  ['an empty batch', '[]'],
  ['an object without a query', '{}'],
  ['a query that is null', '{"query": null}'],
  ['a query that is a number', '{"query": 5}'],
  ['a query that is a list', JSON.stringify({ query: [query] })],
  ['a query that is a list, with the id of a document', JSON.stringify({ query: [query], documentId: 'x' })],
  ['a query that is an object', '{"query": {}}'],
  ['variables that are a string', JSON.stringify({ query, variables: 'x' })],
  ['variables that are a list', JSON.stringify({ query, variables: [] })],
  ['extensions that are a string', JSON.stringify({ query, extensions: 'x' })],
  ['an operation name that is a number', JSON.stringify({ query, operationName: 5 })],
  ['an unknown operation name', JSON.stringify({ query, operationName: 'Nope' })],
  ['an unknown member', JSON.stringify({ query, documentId: 'x' })],
];

describe('a malformed body', () => {
  it.each(badBodies)('returns BAD_REQUEST: %s', async (_, body) => {
    const client = await service.newTenant();
    expectRequestError(await sendRaw(service, client, { headers: json, body }), 400, 'BAD_REQUEST');
    await expectAlive(client);
  });

  it('returns BAD_REQUEST: bytes that are not UTF-8', async () => {
    const client = await service.newTenant();
    const body = new Uint8Array([0xff, 0xfe, 0x7b, 0x00]);
    expectRequestError(await sendRaw(service, client, { headers: json, body }), 400, 'BAD_REQUEST');
  });
});

describe('an invalid document', () => {
  it.each([
    ['that does not parse', '{ viewer ', 'GRAPHQL_PARSE_FAILED'],
    ['that is empty', '', 'BAD_REQUEST'],
    ['that is white space', ' ', 'GRAPHQL_PARSE_FAILED'],
    ['with U+0000', '{ viewer \u0000 }', 'GRAPHQL_PARSE_FAILED'],
    ['with half a surrogate pair', '{ account(id: "\ud800") { id } }', 'GRAPHQL_PARSE_FAILED'],
    ['with an escaped half of a pair', '{ account(id: "\\ud800") { id } }', 'GRAPHQL_PARSE_FAILED'],
    ['with an unknown field', '{ viewer { password } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['with a missing argument', '{ account { id } }', 'GRAPHQL_VALIDATION_FAILED'],
    ['without an operation', 'fragment F on Account { id }', 'BAD_REQUEST'],
    ['with two anonymous operations', '{ __typename } { __typename }', 'BAD_REQUEST'],
    [
      'with a number beyond 32 bits',
      '{ accounts(first: 3000000000) { totalCount } }',
      'GRAPHQL_VALIDATION_FAILED',
    ],
    [
      'with two operations and no operation name',
      'query A { __typename } query B { __typename }',
      'BAD_REQUEST',
    ],
  ])('returns the error code of one %s', async (_, document, code) => {
    const client = await service.newTenant();
    const answer = await client.send(document);
    expectRequestError(answer, 400, code);
    await expectAlive(client);
  });
});

describe('POST /graphql with a content type', () => {
  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/json ;charset=UTF-8',
    'application/graphql+json',
  ])('accepts %s', async (contentType) => {
    const client = await service.newTenant();
    const headers = { 'content-type': contentType };
    expect((await sendRaw(service, client, { headers, body: bodyOf(0) })).data.viewer.keyName).toBe('test');
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/graphql',
    'application/jsonp',
    'application/xml',
    'text/plain; application/json',
    '',
  ])('returns 415 for "%s"', async (contentType) => {
    const client = await service.newTenant();
    const headers = { 'content-type': contentType };
    const answer = await sendRaw(service, client, { headers, body: bodyOf(0) });
    expectRequestError(answer, 415, 'BAD_REQUEST');
    await expectAlive(client);
  });

  it('returns 415 without a content type', async () => {
    const client = await service.newTenant();
    const body = new TextEncoder().encode(bodyOf(0));
    expectRequestError(await sendRaw(service, client, { body }), 415, 'BAD_REQUEST');
    expectRequestError(await sendRaw(service, client, {}), 415, 'BAD_REQUEST');
  });

  it('returns 415 for a form without running its mutation', async () => {
    const client = await service.newTenant();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = new URLSearchParams({ query: 'mutation { __typename }' }).toString();
    expectRequestError(await sendRaw(service, client, { headers, body }), 415, 'BAD_REQUEST');
  });
});

describe('the size of a body', () => {
  it.each([
    [
      'with its length declared',
      (body: string) => ({ body, headers: { 'content-length': String(body.length) } }),
    ],
    ['in chunks', (body: string) => ({ body: streamOf(body).stream, headers: {} })],
  ])('is accepted up to 1 MB and returns 413 above, %s', async (_, requestOf) => {
    const client = await service.newTenant();
    const send = (bytes: number) => {
      const { body, headers } = requestOf(bodyOf(bytes));
      return sendRaw(service, client, { body, headers: { ...json, ...headers } });
    };
    expect((await send(megabytes(1))).data.viewer.keyName).toBe('test');
    expectRequestError(await send(megabytes(1) + 1), 413, 'PAYLOAD_TOO_LARGE');
    expectRequestError(await send(megabytes(2)), 413, 'PAYLOAD_TOO_LARGE');
    await expectAlive(client);
  });

  it('limits how much of an endless body is read', async () => {
    const client = await service.newTenant();
    const { stream, taken } = streamOf(bodyOf(megabytes(100)));
    const answer = await sendRaw(service, client, { body: stream, headers: json });
    expectRequestError(answer, 413, 'PAYLOAD_TOO_LARGE');
    // The rest is in buffers between client and server.
    expect(taken()).toBeLessThan(megabytes(50));
  });

  it.each([
    ['with its length declared', (body: string) => `content-length: ${body.length}\r\n\r\n${body}`],
    [
      'in chunks',
      (body: string) =>
        `transfer-encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ],
  ])('returns 413 to a client that reads only after sending 2 MB, %s', async (_, framed) => {
    const client = await service.newTenant();
    const head = `POST /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer ${client.token}\r\n`;
    const answer = await sendThenRead(
      `${head}content-type: application/json\r\n${framed(bodyOf(megabytes(2)))}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('PAYLOAD_TOO_LARGE');
  });

  it.each([
    [401, 'POST /graphql', 'authorization: Bearer nobody'],
    [404, 'POST /graphql/x', ''],
    [405, 'PUT /graphql', ''],
    [415, 'POST /graphql', 'content-type: text/plain'],
    [413, 'POST /accounts', ''],
    [401, 'POST /accounts', 'authorization: Bearer nobody'],
    [404, 'DELETE /nothing', ''],
    [405, 'PUT /accounts', ''],
  ])('does not cut the connection if an unread body gets status %i: %s %s', async (status, line, header) => {
    const client = await service.newTenant();
    const body = bodyOf(megabytes(2));
    const headers = [
      'host: localhost',
      'connection: close',
      ...(header.startsWith('authorization') ? [] : [`authorization: Bearer ${client.token}`]),
      ...(header.startsWith('content-type') ? [] : ['content-type: application/json']),
      ...(header === '' ? [] : [header]),
      `content-length: ${body.length}`,
    ];
    const answer = await sendThenRead(`${line} HTTP/1.1\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it.each([
    [401, 'POST /graphql', 'authorization: Bearer nobody'],
    [401, 'POST /accounts', 'authorization: Bearer nobody'],
    [404, 'DELETE /nothing', ''],
  ])('does not delay status %i until a body that never comes: %s', async (status, line, header) => {
    const headers = ['host: localhost', 'content-type: application/json', header, 'content-length: 100'];
    const answer = await sendThenRead(`${line} HTTP/1.1\r\n${headers.filter(Boolean).join('\r\n')}\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  });

  it.each([
    ['50000 values', 50_000 - 4, (count: number) => `[${listOf(count, () => '"],{[:\\\\\\""').join()}]`],
    ['1000 members', 1000, (count: number) => `{${listOf(count, (n) => `"member ${n}": 1`).join()}}`],
    ['50 levels', 48, (count: number) => `${'['.repeat(count)}1${']'.repeat(count)}`],
  ])('is rejected before parsing if it has more than %s', async (what, most, holding) => {
    const client = await service.newTenant();
    const send = (count: number) => {
      const variables = `{"long": "${x(10_000)}", "v": ${holding(count)}}`;
      const body = `{"query": "{ __typename }", "variables": ${variables}}`;
      return sendRaw(service, client, { body, headers: json });
    };
    const taken = await send(most);
    expect(taken.data).toEqual({ __typename: 'Query' });
    const refused = await send(most + 1);
    expectRequestError(refused, 413, 'PAYLOAD_TOO_LARGE');
    expect(refused.errors[0].message).toContain(what);
  });

  it('is counted in bytes, not in characters', async () => {
    const client = await service.newTenant();
    const body = `{"query": "{ __typename }", "variables": {"x": "${'é'.repeat(megabytes(0.6))}"}}`;
    expectRequestError(await sendRaw(service, client, { body, headers: json }), 413, 'PAYLOAD_TOO_LARGE');
  });

  it('affects no other request if the body breaks off', async () => {
    const client = await service.newTenant();
    await breakOff(service, '/graphql', client.token, '{"query": "{ viewer');
    await expectAlive(client);
  });
});
