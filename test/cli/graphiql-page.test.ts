import type { IncomingMessage } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { createGraphiql } from '../../src/pipeline/graphiql.ts';

const respond = createGraphiql({ tabs: [{ query: '{ viewer { keyName } }' }], token: 'agk_demo' });

const get = (headers: Record<string, string>, host = '127.0.0.1:4000') =>
  respond({ headers: { host, ...headers } } as unknown as IncomingMessage);

it('sends the GraphiQL page compressed if the client accepts it', async () => {
  const compressed = await get({ 'accept-encoding': 'br, gzip' });
  expect(compressed.headers['content-encoding']).toBe('gzip');
  const plain = await get({ 'accept-encoding': 'identity' });
  expect(plain.headers['content-encoding']).toBeUndefined();
  expect(gunzipSync(compressed.body).toString()).toBe(plain.body);
});

it('returns 304 for the GraphiQL page with a matching ETag', async () => {
  const etag = (await get({})).headers.etag ?? '';
  const again = await get({ 'if-none-match': `"other", ${etag}` });
  expect([again.status, again.headers.etag, again.body]).toEqual([304, etag, '']);
  expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
});

it.each(['127.0.0.1:4000', 'localhost:4000', '[::1]:4000'])(
  'contains the demo token on host %s',
  async (host) => {
    expect((await get({}, host)).body).toContain('Bearer agk_demo');
  },
);

it.each(['192.0.2.1', '127.example.com', 'localhost.example.com'])(
  'contains no token on host %s',
  async (host) => {
    const page = (await get({}, host)).body;
    expect(page).toContain('Bearer <your API key>');
    expect(page).not.toContain('agk_demo');
  },
);
