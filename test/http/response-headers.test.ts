import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { json } from '../support/http.ts';
import { type Client, type Service, useService } from '../support/service.ts';

const ours = 'https://app.example.com';
const body = JSON.stringify({ query: '{ viewer { keyName } }' });

const traced = { 'apollo-federation-include-trace': 'ftv1' };

type Send = (init: RequestInit & { path?: string }) => Promise<Response>;

/** Sends requests through `service.fetch` or over a socket. */
function useWays(service: Service): Record<'fetch' | 'socket', Send> {
  let server: Server;
  beforeAll(async () => {
    server = createServer(service.listener);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());
  return {
    fetch: ({ path = '/graphql', ...init }) => service.fetch(new Request(`http://localhost${path}`, init)),
    socket: ({ path = '/graphql', ...init }) =>
      fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init),
  };
}

const corsHeaders = (response: Response) =>
  [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));

describe.each(['fetch', 'socket'] as const)('a response by %s', (way) => {
  const service = useService({ corsOrigins: [ours], graphiql: { tabs: [], token: undefined } });
  const ways = useWays(service);
  const send: Send = (init) => ways[way](init);
  let client: Client;
  let headers: Record<string, string>;
  beforeAll(async () => {
    client = await service.newTenant();
    headers = { ...json, authorization: `Bearer ${client.token}` };
  });

  it.each([
    ['to a valid request', () => ({ method: 'POST', headers, body }), 200],
    ['to a request without a token', () => ({ method: 'POST', headers: json, body }), 401],
    ['to a bad document', () => ({ method: 'POST', headers, body: '{"query":"{"}' }), 400],
    ['to a query in the URL', () => ({ path: '/graphql?query={__typename}', headers }), 200],
    [
      'in incremental format',
      () => ({ method: 'POST', headers: { ...headers, accept: 'multipart/mixed' }, body }),
      200,
    ],
    ['to a traced request', () => ({ method: 'POST', headers: { ...headers, ...traced }, body }), 200],
    ['to an unknown path', () => ({ path: '/nothing', headers }), 404],
    ['about health', () => ({ path: '/health/live' }), 200],
  ])('forbids storing, sniffing and framing %s', async (_, init, status) => {
    const response = await send(init());
    await response.text();
    expect(response.status).toBe(status);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'no-store',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    });
    expect(response.headers.get('x-powered-by')).toBeNull();
    expect(response.headers.get('server')).toBeNull();
  });

  it('forbids framing and other hosts with the GraphiQL page', { timeout: 60_000 }, async () => {
    const response = await send({ headers: { accept: 'text/html' } });
    await response.text();
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("connect-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/https?:|\*/);
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each([
    ['text/html', true],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', true],
    ['application/json;q=0.5, text/html', true],
    ['text/html;q=0, application/json', false],
    ['application/json, text/html;q=0.1', false],
    ['text/html;x="\\", application/json", application/graphql-response+json', false],
    [`text/html,${','.repeat(14_000)}`, false],
    ['*/*', false],
  ])('is the GraphiQL page only if the client prefers it: %s', async (accept, isPage) => {
    const response = await send({ headers: { accept } });
    await response.text();
    expect(response.status).toBe(isPage ? 200 : 401);
  });

  it('is compressed only if the client accepts that', async () => {
    for (const [accepted, encoding] of [
      ['gzip', 'gzip'],
      ['gzip;q=0', null],
      ['identity', null],
    ]) {
      const response = await send({ headers: { accept: 'text/html', 'accept-encoding': String(accepted) } });
      await response.body?.cancel();
      expect(response.headers.get('content-encoding')).toBe(encoding);
    }
  });

  it('allows a configured origin', async () => {
    const response = await send({ method: 'POST', headers: { ...headers, origin: ours }, body });
    expect(await response.json()).toEqual({ data: { viewer: { keyName: 'test' } } });
    expect(response.headers.get('access-control-allow-origin')).toBe(ours);
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    const exposed = response.headers.get('access-control-expose-headers')?.split(', ');
    expect(exposed).toEqual(
      expect.arrayContaining([
        ...['x-error-code', 'idempotent-replayed', 'x-request-id', 'retry-after'],
        ...['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'],
      ]),
    );
  });

  const preflight = (origin: string) => ({
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization, content-type',
    },
  });

  it('allows the preflight of a configured origin without a token', async () => {
    const response = await send(preflight(ours));
    expect(response.status).toBe(204);
    expect(await response.text()).toBe('');
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': ours,
      'access-control-allow-methods': expect.stringContaining('POST'),
      'access-control-allow-headers': 'authorization, content-type',
      vary: 'Accept-Encoding, Origin',
    });
  });

  it.each(['https://evil.example.com', `${ours}.evil.com`, 'http://app.example.com', 'null'])(
    'allows nothing to the origin %s',
    async (origin) => {
      const asked = await send(preflight(origin));
      await asked.text();
      expect(asked.ok).toBe(false);
      const answered = await send({ method: 'POST', headers: { ...headers, origin }, body });
      await answered.text();
      for (const response of [asked, answered]) expect(corsHeaders(response)).toEqual([]);
    },
  );
});

describe('a service without configured origins', () => {
  const service = useService();

  it('allows no other origin', async () => {
    const { token } = await service.newTenant();
    const headers = { ...json, authorization: `Bearer ${token}`, origin: ours };
    for (const method of ['POST', 'OPTIONS', 'GET']) {
      const init = method === 'POST' ? { method, headers, body } : { method, headers };
      const response = await service.fetch(new Request('http://localhost/graphql', init));
      expect(corsHeaders(response)).toEqual([]);
    }
  });
});
