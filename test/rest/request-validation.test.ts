import { describe, expect, it } from 'vitest';
import { maxBodyBytes } from '../../src/http/body.ts';
import { listOf, x } from '../support/field-limits.ts';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { breakOff } from '../support/http.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { openApp, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
const newClient = async (): Promise<RestClient> => rest.of(await tenantWithCustomer(service));
const account = { id: 'A1', name: 'Main account', customerId: 'C1' };

describe('the body of a REST request', () => {
  it.each(['', ' ', '{', 'null', '[]', '"x"', '5', '{"id": }'])('is rejected if it is %j', async (body) => {
    const client = await newClient();
    const answer = await client.post('/accounts', body);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-error-code')).toMatch(/^(BAD_REQUEST|INVALID_INPUT)$/);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
    '',
  ])('is rejected with the content type %s', async (type) => {
    const client = await newClient();
    const answer = await client.post('/accounts', JSON.stringify(account), { 'content-type': type });
    expectRefusal(answer, 415, 'UNSUPPORTED_MEDIA_TYPE');
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'APPLICATION/JSON;charset=UTF-8'])(
    'is accepted with the content type %s',
    async (type) => {
      const client = await newClient();
      expect((await client.post('/accounts', account, { 'content-type': type })).status).toBe(201);
    },
  );

  it('affects no other request if it breaks off', async () => {
    const client = await newClient();
    await breakOff(service, '/accounts', client.graphql.token, '{"id": ');
    expect((await client.get('/accounts')).status).toBe(200);
  });

  it('has the size limit of GraphQL', async () => {
    const client = await newClient();
    const long = JSON.stringify(account).padEnd(maxBodyBytes);
    expect((await client.post('/accounts', long)).status).toBe(201);
    expectRefusal(await client.post('/accounts', `${long} `), 413, 'PAYLOAD_TOO_LARGE');
    const deep = `{"metadata": ${'['.repeat(10_000)}${']'.repeat(10_000)}}`;
    expectRefusal(await client.post('/accounts', deep), 413, 'PAYLOAD_TOO_LARGE');
  });

  it('is rejected with unknown fields at any depth', async () => {
    const client = await newClient();
    for (const unknown of [
      { nodeId: 'x' },
      { datedAliases: [] },
      { idempotencyKey: 'k' },
      { address: { zip: '1' } },
      { billingInformation: { to: [] } },
      { settings: [{ id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: '', extra: 1 }] },
      { accountAliases: [{ value: 'x', createdAt: '2024-01-01T00:00:00Z' }] },
    ]) {
      const answer = await client.post('/accounts', { ...account, ...unknown });
      expectRefusal(answer, 400, 'INVALID_INPUT');
      expect(answer.body.message).toContain('has unknown fields');
    }
    expectRefusal(await client.get('/accounts/A1'), 404, 'NOT_FOUND');
  });
});

describe('an error response', () => {
  it('has at most 500 characters', async () => {
    const client = await newClient();
    const tags = listOf(50, () => `${x(51)}😀`);
    const answer = await client.post('/accounts', {
      ...account,
      tags,
      aliases: listOf(9, () => '😀'.repeat(60)),
    });
    expectRefusal(answer, 400, 'INVALID_INPUT');
    expect([...answer.body.message]).toHaveLength(500);
    expect(answer.body.message.isWellFormed()).toBe(true);
  });

  it('has the request id that the client sent', async () => {
    const client = await newClient();
    const answer = await client.get('/accounts/A1', { 'x-request-id': 'mine-1' });
    expect(answer.headers.get('x-request-id')).toBe('mine-1');
    const odd = await client.get('/accounts/A1', { 'x-request-id': 'not mine!' });
    expect(odd.headers.get('x-request-id')).not.toBe('not mine!');
  });
});

describe('a REST path', () => {
  it.each([
    '/nothing',
    '/accounts/',
    '/accounts/A1/nothing',
    '/Accounts',
    '/accounts/A1/add_aliases/x',
    '/v1/accounts',
  ])('returns 404 if it is %s', async (path) => {
    const client = await newClient();
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
      expectRefusal(await client.send(method, path), 404, 'UNKNOWN_PATH');
    }
  });

  it.each([
    ['PUT', '/accounts', 'GET, HEAD, OPTIONS, POST'],
    ['DELETE', '/accounts', 'GET, HEAD, OPTIONS, POST'],
    ['POST', '/accounts/A1', 'DELETE, GET, HEAD, OPTIONS, PATCH'],
    ['GET', '/accounts/A1/add_aliases', 'OPTIONS, POST'],
    ['DELETE', '/aliases', 'GET, HEAD, OPTIONS, POST'],
    ['PATCH', '/aliases/x', 'DELETE, GET, HEAD, OPTIONS'],
    ['DELETE', '/settings/setting.n.s.ACCOUNT.A1', 'GET, HEAD, OPTIONS, PATCH'],
  ])('returns 405 with the allowed methods for %s %s', async (method, path, allow) => {
    const client = await newClient();
    const answer = await client.send(method, path);
    expectRefusal(answer, 405, 'METHOD_NOT_ALLOWED');
    expect(answer.headers.get('allow')?.split(', ').toSorted().join(', ')).toBe(allow);
    const options = await client.send('OPTIONS', path);
    expect(options.status).toBe(204);
    expect(options.headers.get('allow')).toBe(answer.headers.get('allow'));
    expect(options.headers.get('x-error-code')).toBeNull();
  });

  it('supports HEAD', async () => {
    const client = await newClient();
    await client.post('/accounts', account);
    expect(await client.send('HEAD', '/accounts/A1')).toMatchObject({ status: 200, body: undefined });
    expect((await client.send('HEAD', '/accounts/A2')).status).toBe(404);
  });

  it.each(['%00', '%FF', '%E0%A4%A', '%', x(51), '%20A1', 'A1%0A'])(
    'returns 400 or 404 for the id %s',
    async (id) => {
      const client = await newClient();
      for (const method of ['GET', 'DELETE']) {
        const answer = await client.send(method, `/accounts/${id}`);
        expect([400, 404]).toContain(answer.status);
        expect(answer.body.message).toMatch(/\S/);
      }
    },
  );
});

describe('the token of a REST request', () => {
  it.each(['', 'Bearer', 'Bearer x', `Bearer agk_${x(32)}`, 'Basic YTpi'])(
    'is rejected if it is %j',
    async (authorization) => {
      const client = await newClient();
      for (const [method, path] of [
        ['GET', '/accounts'],
        ['POST', '/accounts'],
        ['DELETE', '/aliases/x'],
      ] as const) {
        const answer = await client.send(method, path, { headers: { authorization } });
        expectRefusal(answer, 401, 'UNAUTHENTICATED');
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
      }
    },
  );

  it('is rejected without the scope before anything is read', async () => {
    const client = await newClient();
    await client.post('/accounts', account);
    const reader = await rest.withScopes(client, ['accounts:read']);
    expect((await reader.get('/accounts/A1')).status).toBe(200);
    for (const refused of [
      await reader.post('/accounts', {}),
      await reader.patch('/accounts/A1', {}),
      await reader.delete('/accounts/A1'),
      await reader.post('/accounts/A1/add_aliases', {}),
      await reader.delete('/aliases/x'),
      await reader.get('/customers'),
    ]) {
      expectRefusal(refused, 403, 'FORBIDDEN');
      expect(refused.body.message).toMatch(/scope `(accounts:write|customers:read)`/);
    }
    const writer = await rest.withScopes(client, ['accounts:write']);
    expect((await writer.patch('/accounts/A1', { name: 'Other name' })).status).toBe(200);
  });
});

it('returns 503 with Retry-After if the database is unreachable', async () => {
  const lost = openApp({ url: 'postgres://nobody@127.0.0.1:1/nothing' });
  try {
    const headers = { authorization: `Bearer agk_${x(32)}` };
    const { status, headers: answered } = await lost.fetch(
      new Request('http://localhost/accounts', { headers }),
    );
    expect({ status, code: answered.get('x-error-code'), after: answered.get('retry-after') }).toEqual({
      status: 503,
      code: 'SERVICE_UNAVAILABLE',
      after: '1',
    });
  } finally {
    await lost.close();
  }
});

it('masks an unexpected error', async () => {
  const client = await newClient();
  await service.database.orm.execute('alter table accounts rename to accounts_gone');
  try {
    const answer = await client.get('/accounts/A1');
    expectRefusal(answer, 500, 'INTERNAL_SERVER_ERROR');
    expect(answer.body.message).not.toMatch(/relation|select|accounts_gone/);
  } finally {
    await service.database.orm.execute('alter table accounts_gone rename to accounts');
  }
});
