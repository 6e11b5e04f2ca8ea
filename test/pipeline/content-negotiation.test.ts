import { beforeAll, describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { json } from '../support/http.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1' });
});

const whole = '{ account(id: "A1") { id } }';
const deferred = '{ account(id: "A1") { id ... @defer { name } } }';
const modern = 'application/graphql-response+json';

const send = (query: string, accept: string, token?: string) => post({ query }, accept, token);

async function post(body: object, accept: string, token = client.token) {
  const response = await service.fetch(
    new Request('http://localhost/graphql', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...json, accept },
      body: JSON.stringify(body),
    }),
  );
  const text = await response.text();
  const [type] = (response.headers.get('content-type') ?? '').split(';');
  return { status: response.status, type, text };
}

describe('the media type of a single-body response', () => {
  it.each([
    ['application/json', 'application/json'],
    [modern, modern],
    ['*/*', 'application/json'],
    ['application/*', 'application/json'],
    [`application/json;q=0.5, ${modern}`, modern],
    [`${modern};q=0.1, application/json;q=0.2`, 'application/json'],
    [`application/json;q=0, ${modern}`, modern],
    [`${modern};q=0, */*`, 'application/json'],
    ['application/json;charset="utf-8"', 'application/json'],
    ['APPLICATION/JSON; Charset=UTF-8', 'application/json'],
    [`text/html;x="a,application/json", ${modern}`, modern],
    ['text/event-stream', 'text/event-stream'],
    ['multipart/mixed', 'multipart/mixed'],
    ['multipart/mixed;deferSpec=20220824, application/json', 'application/json'],
    ['multipart/mixed;incrementalSpec=v0.2', 'multipart/mixed'],
    ['application/json;q=0.1, text/html', 'application/json'],
  ])('for `%s` is %s', async (accept, type) => {
    expect(await send(whole, accept)).toMatchObject({ status: 200, type });
  });

  it.each([
    'text/html',
    'image/png',
    'application/json;q=0',
    '*/*;q=0',
    'application/json;charset=utf-16',
    'text/html;x="application/json"',
  ])('for `%s` is JSON with status 406', async (accept) => {
    const { status, type, text } = await send(whole, accept);
    expect([status, type]).toEqual([406, 'application/json']);
    expect(JSON.parse(text).errors[0].extensions.code).toBe('BAD_REQUEST');
  });
});

describe('the media type of an incremental response', () => {
  it.each([
    ['multipart/mixed', 'multipart/mixed'],
    ['multipart/mixed;deferSpec=20220824, application/json', 'multipart/mixed'],
    ['multipart/mixed;deferSpec="20220824", application/json', 'multipart/mixed'],
    ['multipart/mixed;boundary="graphql";deferSpec=20220824', 'multipart/mixed'],
    ['text/event-stream', 'text/event-stream'],
    ['multipart/mixed;boundary="a,b";deferSpec=20220824', 'multipart/mixed'],
    ['multipart/mixed; boundary=x', 'multipart/mixed'],
    ['text/event-stream;q=0.1, multipart/mixed;q=0.2', 'multipart/mixed'],
    ['text/event-stream, multipart/mixed;q=0', 'text/event-stream'],
  ])('for `%s` is %s', async (accept, type) => {
    const { status, type: given, text } = await send(deferred, accept);
    expect([status, given]).toEqual([200, type]);
    expect(text).toContain('"hasNext":true');
  });

  it.each([
    ['application/json', 'application/json'],
    ['*/*', 'application/json'],
    ['multipart/mixed;q=0, application/json', 'application/json'],
    ['multipart/mixed;incrementalSpec=v0.2, application/json', 'application/json'],
    ['multipart/mixed;incrementalSpec=v0.2', 'multipart/mixed'],
    ['multipart/mixed;boundary="-";incrementalSpec=v0.2', 'multipart/mixed'],
    ['multipart/mixed;incrementalSpec=v0.2;deferSpec=20220824', 'multipart/mixed'],
    ['multipart/mixed;subscriptionSpec=1.0, application/json', 'application/json'],
  ])('is that of a single body for `%s`, whose format is not supported: %s', async (accept, type) => {
    const { status, type: given, text } = await send(deferred, accept);
    expect([status, given]).toEqual([200, type]);
    expect(JSON.parse(/\{"data".*\}/.exec(text)?.[0] ?? '')).toEqual({
      data: { account: { id: 'A1', name: 'Main account' } },
    });
  });
});

describe('an `Accept` header of 15 kB', () => {
  const long = ','.repeat(15_000);

  it('is rejected with a short response', async () => {
    const { status, text } = await send(whole, long);
    expect([status, text.length < 1000]).toEqual([400, true]);
  });

  it('is ignored without a token', async () => {
    const { status, text } = await send(whole, long, 'nobody');
    expect(status).toBe(401);
    expect(text.length).toBeLessThan(1000);
  });

  it.each(['/graphql?query={__typename}', '/accounts'])(
    'is ignored as `Accept-Encoding` of %s',
    async (path) => {
      const response = await service.fetch(
        new Request(`http://localhost${path}`, {
          headers: {
            authorization: `Bearer ${client.token}`,
            'accept-encoding': `${'x,'.repeat(7_000)}gzip`,
          },
        }),
      );
      expect(response.status).toBe(200);
      expect(response.headers.get('content-encoding')).toBeNull();
    },
  );
});

describe.each([{}, { query: '' }, { documentId: '' }, { documentId: '', query: '' }])(
  'the body %j',
  (body) => {
    it.each([
      'application/json',
      modern,
      '*/*',
      'text/event-stream',
      'multipart/mixed',
      'text/html',
      'image/*;q=0',
      '',
    ])('is rejected with 400 if the client accepts `%s`', async (accept) => {
      const { status, text } = await post(body, accept);
      expect([status, text]).toEqual([400, expect.stringContaining('no `query`')]);
    });
  },
);

it.each(['text/event-stream', 'multipart/mixed'])(
  'closes the connection after a stream if the client asks: %s',
  async (accept) => {
    const response = await service.fetch(
      new Request('http://localhost/graphql', {
        method: 'POST',
        headers: { authorization: `Bearer ${client.token}`, ...json, accept, connection: 'close' },
        body: JSON.stringify({ query: deferred }),
      }),
    );
    expect(response.headers.get('connection')).toBe('close');
    expect(await response.text()).toContain('"hasNext":true');
  },
);

it('treats empty parameters of a GET as absent', async () => {
  const search = new URLSearchParams({ query: whole, variables: '', extensions: '', operationName: '' });
  const response = await service.fetch(
    new Request(`http://localhost/graphql?${search}`, {
      headers: { authorization: `Bearer ${client.token}` },
    }),
  );
  expect((await response.json()) as Json).toEqual({ data: { account: { id: 'A1' } } });
});
