import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { createKey } from '../../src/tenant/write.ts';
import { createCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { readCustomer } from '../support/reads.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();

const unknownToken = `agk_${'A'.repeat(32)}`;
const body = JSON.stringify({
  query:
    'mutation { createCustomer(input: { id: "C2", name: "New", primaryEmail: "a@b.co", address: { city: "x" } }) { __typename } }',
});

const sendAs = (client: Client, authorization: string) =>
  sendRaw(service, client, { headers: { ...json, authorization }, body });

async function expectRejected(client: Client, authorization: string) {
  const answer = await sendAs(client, authorization);
  expectRequestError(answer, 401, 'UNAUTHENTICATED');
  expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  expect(await readCustomer(client, 'C2')).toBeNull();
}

const malformed = [
  '',
  ' ',
  'Bearer',
  'Bearer ',
  'Bearer garbage',
  'Bearer agk_',
  `Bearer agk_${'A'.repeat(31)}`,
  `Bearer agk_${'A'.repeat(33)}`,
  `Bearer agk_${'!'.repeat(32)}`,
  `Bearer AGK_${'A'.repeat(32)}`,
  `Bearer ${unknownToken} ${unknownToken}`,
  `Bearer ${unknownToken}, Bearer ${unknownToken}`,
  `Basic ${btoa(`user:${unknownToken}`)}`,
  `Token ${unknownToken}`,
  unknownToken,
  "Bearer ' or 1=1 --",
  `Bearer ${'x'.repeat(5000)}`,
];

describe('a request without a valid token', () => {
  it.each(malformed)('is rejected without a statement for the header "Authorization: %s"', async (header) => {
    const client = await service.newTenant();
    const statements = await service.statements(async () => {
      expectRequestError(await sendAs(client, header), 401, 'UNAUTHENTICATED');
    });
    expect(statements).toEqual([]);
    await expectRejected(client, header);
  });

  it('is rejected without a statement if the header is missing', async () => {
    const send = async () => {
      const request = new Request('http://localhost/graphql', { method: 'POST', headers: json, body });
      const response = await service.fetch(request);
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    };
    expect(await service.statements(send)).toEqual([]);
  });

  it('is rejected after one lookup if the token is unknown', async () => {
    const client = await service.newTenant();
    await expectRejected(client, `Bearer ${unknownToken}`);
    const statements = await service.statements(() => sendAs(client, `Bearer ${unknownToken}`));
    expect(statements).toEqual([expect.stringMatching(/^select .* from "api_keys"/)]);
  });

  it('is rejected with the stored hash of a token', async () => {
    const client = await service.newTenant();
    const [row] = await service.database.orm.execute<{ hash: string }>(
      sql`select encode(token_hash, 'hex') as hash from api_keys where tenant_id = ${client.tenantId}`,
    );
    await expectRejected(client, `Bearer ${row?.hash}`);
    await expectRejected(client, `Bearer agk_${row?.hash.slice(0, 32)}`);
  });

  it.each([
    ['malformed JSON', '{', json],
    ['another content type', 'x', { 'content-type': 'text/plain' }],
    ['a body too large', 'x'.repeat(2_000_000), json],
    ['a document of introspection', JSON.stringify({ query: '{ __schema { types { name } } }' }), json],
    ['an invalid document', JSON.stringify({ query: '{ nothing }' }), json],
  ])('returns 401 before any other error of %s', async (_, content, headers) => {
    const client = await service.newTenant();
    const answer = await sendRaw(service, client, {
      headers: { ...headers, authorization: '' },
      body: content,
    });
    expectRequestError(answer, 401, 'UNAUTHENTICATED');
  });
});

describe('a token', () => {
  it('is accepted with any case of the scheme', async () => {
    const client = await service.newTenant();
    for (const scheme of ['bearer', 'BEARER', 'Bearer  ']) {
      expect((await sendAs(client, `${scheme} ${client.token}`)).status).toBe(200);
    }
  });

  it('is not read from the URL or the body', async () => {
    const client = await service.newTenant();
    const path = `/graphql?access_token=${client.token}&token=${client.token}`;
    const content = JSON.stringify({ query: '{ __typename }', variables: { token: client.token } });
    const headers = { ...json, authorization: '' };
    expectRequestError(
      await sendRaw(service, client, { path, headers, body: content }),
      401,
      'UNAUTHENTICATED',
    );
  });

  it('identifies its tenant and key', async () => {
    const client = await service.newTenant({ name: 'acme', baseCurrency: 'EUR', netTermDays: 14 });
    const { data } = await client.send('{ viewer { keyName tenant { name baseCurrency netTermDays } } }');
    const tenant = { name: 'acme', baseCurrency: 'EUR', netTermDays: 14 };
    expect(data.viewer).toEqual({ keyName: 'test', tenant });
  });

  it('has a prefix and at least 160 random bits and is stored only as a hash', async () => {
    const client = await service.newTenant();
    const { token } = await createKey(service.database, client.tenantId, 'other');
    expect(token).not.toBe(client.token);
    expect(token).toMatch(/^agk_[\w-]{27,}$/);
    const rows = await service.database.orm.execute(sql`select to_jsonb(k) as row from api_keys k`);
    expect(JSON.stringify(rows)).not.toContain(token.slice(4));
  });

  it('reads the same data as another token of the tenant', async () => {
    const client = await service.newTenant();
    await createCustomer(client);
    const { token } = await createKey(service.database, client.tenantId, 'other');
    const content = JSON.stringify({ query: '{ customer(id: "C1") { id } viewer { keyName } }' });
    const headers = { ...json, authorization: `Bearer ${token}` };
    const { data } = await sendRaw(service, client, { headers, body: content });
    expect(data).toEqual({ customer: { id: 'C1' }, viewer: { keyName: 'other' } });
  });
});
