import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { json } from '../support/http.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService({ graphiql: { tabs: [], token: undefined } });
let client: Client;

beforeAll(async () => {
  client = await service.newTenant();
});

const small = '{ __typename }';
const large = '{ __schema { types { name description } } }';

async function ask(query: string, encoding: string | undefined, accept = 'application/json') {
  const headers = { authorization: `Bearer ${client.token}`, ...json, accept };
  const response = await service.fetch(
    new Request('http://localhost/graphql', {
      method: 'POST',
      headers: encoding === undefined ? headers : { ...headers, 'accept-encoding': encoding },
      body: JSON.stringify({ query }),
    }),
  );
  return { headers: response.headers, body: Buffer.from(await response.arrayBuffer()) };
}

const decoders: Record<string, (body: Buffer) => Buffer> = {
  br: (body) => brotliDecompressSync(body),
  gzip: (body) => gunzipSync(body),
};

describe('a large response', () => {
  it.each([
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['GZIP;q=1.0', 'gzip'],
    ['*', 'br'],
    ['br;q=0, *', 'gzip'],
    ['br; q=0, gzip;q=0.1', 'gzip'],
  ])('is compressed for `Accept-Encoding: %s` with %s', async (accepted, encoding) => {
    const plain = await ask(large, undefined);
    const { headers, body } = await ask(large, accepted);
    expect(headers.get('content-encoding')).toBe(encoding);
    expect(headers.get('content-length')).toBe(String(body.length));
    expect(headers.get('vary')).toBe('Accept-Encoding');
    expect(headers.get('x-request-id')).toMatch(/\S/);
    expect(body.length).toBeLessThan(plain.body.length / 3);
    expect(decoders[encoding]?.(body).toString()).toBe(plain.body.toString());
  });

  it.each([undefined, '', 'identity', 'deflate, zstd', 'br;q=0, gzip;q=0', '*;q=0', ';;,=', 'gzip;q=x'])(
    'is not compressed for `Accept-Encoding: %j`',
    async (accepted) => {
      const { headers, body } = await ask(large, accepted);
      expect(headers.get('content-encoding')).toBeNull();
      expect(headers.get('vary')).toBe('Accept-Encoding');
      expect(JSON.parse(body.toString()).data.__schema).toBeDefined();
    },
  );
});

it('does not compress a small response', async () => {
  const { headers, body } = await ask(small, 'br, gzip');
  expect(headers.get('content-encoding')).toBeNull();
  expect(headers.get('content-length')).toBe(String(body.length));
  expect(JSON.parse(body.toString())).toEqual({ data: { __typename: 'Query' } });
});

it.each(['multipart/mixed', 'text/event-stream'])('does not compress the parts of %s', async (accept) => {
  const { headers, body } = await ask(large, 'br, gzip', accept);
  expect(headers.get('content-encoding') ?? 'none').toBe('none');
  expect(body.toString()).toContain('"__schema"');
});

it('compresses GraphiQL with gzip for browsers', async () => {
  const headers = { accept: 'text/html', 'accept-encoding': 'gzip, deflate, br, zstd' };
  const response = await service.fetch(new Request('http://localhost/graphql', { headers }));
  expect(response.headers.get('content-encoding')).toBe('gzip');
  const page = gunzipSync(Buffer.from(await response.arrayBuffer()));
  expect(page.toString()).toContain('<html');
});
