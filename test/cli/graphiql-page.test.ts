import { expect, it } from 'vitest';
import { createGraphiql } from '../../src/graphql/graphiql.ts';

const respond = createGraphiql({ tabs: [{ query: '{ viewer { keyName } }' }], token: 'agk_demo' });

const get = (headers: Record<string, string>, host = '127.0.0.1:4000') =>
  respond(new Request(`http://${host}/graphql`, { headers }));

it('travels compressed where the client can take it', async () => {
  const response = await get({ 'accept-encoding': 'br, gzip' });
  expect(response.headers.get('content-encoding')).toBe('gzip');
  const unpacked = response.body?.pipeThrough(new DecompressionStream('gzip'));
  const plain = await get({ 'accept-encoding': 'identity' });
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(await new Response(unpacked).text()).toBe(await plain.text());
});

it('travels once to a client that keeps it', async () => {
  const etag = (await get({})).headers.get('etag') ?? '';
  const again = await get({ 'if-none-match': `"other", ${etag}` });
  expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
  expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
});

it.each(['127.0.0.1:4000', 'localhost:4000', '[::1]:4000'])('holds the token under %s', async (host) => {
  expect(await (await get({}, host)).text()).toContain('Bearer agk_demo');
});

it.each(['192.0.2.1', '127.example.com', 'localhost.example.com'])('holds none under %s', async (host) => {
  const page = await (await get({}, host)).text();
  expect(page).toContain('Bearer <your API key>');
  expect(page).not.toContain('agk_demo');
});
