import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { readAccount } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
});

const account = (id: string) => ({ id, name: 'Müller', customerId: 'C1' });
const mutation =
  'mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename ... on Error { message } } }';

const apis = {
  GraphQL: {
    path: '/graphql',
    body: (id: string) => JSON.stringify({ query: mutation, variables: { input: account(id) } }),
    created: 200,
  },
  REST: { path: '/accounts', body: (id: string) => JSON.stringify(account(id)), created: 201 },
};

describe.each(Object.entries(apis))('a body over %s', (name, { path, body, created }) => {
  async function send(bytes: Uint8Array, headers: Record<string, string> = {}) {
    const response = await service.fetch(
      new Request(`http://localhost${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${client.token}`, 'content-type': 'application/json', ...headers },
        body: new Uint8Array(bytes),
      }),
    );
    return { status: response.status, body: (await response.json()) as Json };
  }

  it.each([
    ['the encoding Latin-1', Buffer.from(body(`${name}-1`), 'latin1')],
    ['the encoding UTF-16', Buffer.from(body(`${name}-1`), 'utf16le')],
    ['an invalid byte', Buffer.concat([Buffer.from(body(`${name}-1`)), Buffer.from([0xfc])])],
    [
      'half a surrogate pair',
      Buffer.from(body(`${name}-1`).replace('ü', '\u0000')).map((byte) => byte || 0xed),
    ],
  ])('is rejected and writes nothing if it has %s', async (_, bytes) => {
    const { status } = await send(bytes);
    expect(status).toBe(400);
    expect(await readAccount(client, `${name}-1`)).toBeNull();
  });

  it.each([
    'application/json; charset=iso-8859-1',
    'application/json;charset="utf-16"',
    'text/plain',
    'text/json',
    `application/json;a="${'b'.repeat(2000)}"`,
  ])('is rejected with the type %s', async (type) => {
    const { status } = await send(Buffer.from(body(`${name}-2`)), { 'content-type': type });
    expect(status).toBe(415);
  });

  it.each([
    'application/json; charset=UTF-8',
    'application/json;charset="utf-8"',
    'Application/JSON',
    'application/json; x=y',
    'application/json; charset=',
    'application/json ; charset=utf-8',
    'application/json;;',
    'application/json;profile="a;b"',
  ])('is accepted with the type %s', async (type) => {
    const id = `${name}-${Buffer.from(type).toString('hex').slice(-16)}`;
    expect((await send(Buffer.from(body(id)), { 'content-type': type })).status).toBe(created);
    expect((await readAccount(client, id)).name).toBe('Müller');
  });

  it.each(['gzip', 'br', 'identity, gzip'])('is rejected with the content encoding %s', async (encoding) => {
    const { status } = await send(gzipSync(body(`${name}-3`)), { 'content-encoding': encoding });
    expect(status).toBe(415);
  });

  it('is accepted with a byte order mark', async () => {
    const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(body(`${name}-4`))]);
    expect((await send(bytes)).status).toBe(created);
    expect((await readAccount(client, `${name}-4`)).name).toBe('Müller');
  });

  it('is rejected with two byte order marks', async () => {
    const marks = Buffer.from([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]);
    const { status } = await send(Buffer.concat([marks, Buffer.from(body(`${name}-6`))]));
    expect(status).toBe(400);
    expect(await readAccount(client, `${name}-6`)).toBeNull();
  });

  it('gets a compressed response if the client accepts it', async () => {
    const long = { id: `${name}-5`, name: 'N'.repeat(200), metadata: { k: 'v'.repeat(500) } };
    const sent = body(`${name}-5`).replace(
      JSON.stringify(account(`${name}-5`)),
      JSON.stringify({ ...account(`${name}-5`), ...long }),
    );
    await send(Buffer.from(sent));
    const paths = {
      GraphQL: `/graphql?query=${encodeURIComponent(`{ account(id: "${name}-5") { id name metadata n2: name n3: name n4: name } }`)}`,
      REST: `/accounts`,
    };
    const response = await service.fetch(
      new Request(`http://localhost${paths[name as keyof typeof paths]}`, {
        headers: { authorization: `Bearer ${client.token}`, 'accept-encoding': 'gzip' },
      }),
    );
    expect(response.headers.get('content-encoding')).toBe('gzip');
    const text = gunzipSync(Buffer.from(await response.arrayBuffer())).toString();
    expect(text).toContain('v'.repeat(500));
  });
});

describe('a URL with an escape that is not UTF-8', () => {
  beforeAll(async () => {
    for (const id of ['P%FC', 'P\uFFFD'])
      await client.send(mutation, { input: { ...account(id), name: `Account ${id.length}` } });
  });

  it.each([
    ['GET', '/graphql?query=%7Baccount(id:%22P%FC%22)%7Bid%7D%7D'],
    ['GET', '/graphql?query=query($id:ID!)%7Baccount(id:$id)%7Bid%7D%7D&variables=%7B%22id%22:%22P%FC%22%7D'],
    ['GET', '/accounts/P%FC'],
    ['DELETE', '/accounts/P%FC'],
    ['DELETE', '/aliases/P%FC'],
    ['GET', '/accounts?customer_id=P%FC'],
    ['GET', '/accounts/P%'],
  ])('is rejected: %s %s', async (method, path) => {
    const response = await service.fetch(
      new Request(`http://localhost${path}`, {
        method,
        headers: { authorization: `Bearer ${client.token}`, accept: 'application/json' },
      }),
    );
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('percent-encoding');
    expect((await readAccount(client, 'P%FC')).status).toBe('ACTIVE');
  });
});
