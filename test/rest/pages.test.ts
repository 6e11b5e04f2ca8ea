import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { tryCreateAccounts } from '../support/mutations.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
let client: RestClient;

/** Returns a token whose checksum is right, with any content. */
function tokenWith(content: string): string {
  const sum = createHash('sha256').update(content).digest('base64url').slice(0, 8);
  return Buffer.from(sum + content).toString('base64url');
}

beforeAll(async () => {
  client = rest.of(await tenantWithCustomer(service));
  await client.post('/customers', {
    id: 'C2',
    name: 'Globex',
    primaryEmail: 'g@globex.com',
    address: { country: 'US' },
  });
  const account = (id: string, overrides: object = {}) => ({
    id,
    name: `Account ${id}`,
    customerId: 'C1',
    ...overrides,
  });
  const plain = Array.from({ length: 19 }, (_, index) => account(`P${index}`));
  await tryCreateAccounts(client.graphql, [
    ...plain,
    account('D1', { status: 'DRAFT' }),
    account('D2', { status: 'DRAFT', customerId: 'C2', invoiceCurrency: 'EUR' }),
    account('E1', { invoiceCurrency: 'EUR', aliases: ['needle-1'] }),
    account('E2', { primaryEmail: 'needle@acme.com' }),
  ]);
  await client.delete('/accounts/E2');
});

const idsOf = ({ body }: { body: Json }): string[] => body.data.map(({ id }: Json) => id);

describe('GET /accounts with filters', () => {
  it.each([
    ['status=DRAFT', ['D1', 'D2']],
    ['status=ARCHIVED', ['E2']],
    ['customer_id=C2', ['D2']],
    ['customer_id=nobody', []],
    ['invoice_currency=EUR', ['D2', 'E1']],
    ['invoice_currency=EUR&status=DRAFT', ['D2']],
    ['account_id=P3', ['P3']],
    ['account_id=P3&customer_id=C1', ['P3']],
    ['account_id=P3&customer_id=C2', []],
    ['account_id=E2', []],
    ['account_id=E2&status=ARCHIVED', ['E2']],
    ['account_id=D2&invoice_currency=EUR&_search=D2', ['D2']],
    ['account_id=D2&_search=needle', []],
    ['_search=NEEDLE', ['E1']],
    ['_search=needle&status=ARCHIVED', ['E2']],
  ])('returns the matching accounts for %s', async (query, ids) => {
    expect(idsOf(await client.get(`/accounts?${query}`)).toSorted()).toEqual(ids);
  });

  it.each([
    'status=GONE',
    'status=DRAFT&status=ACTIVE',
    'invoice_currency=eur',
    'customer_id=',
    '_search=',
    '_search=%00',
    'customerId=C1',
    'pageSize=0',
    'pageSize=101',
    'pageSize=1.5',
    'pageSize=x',
    'pageSize=',
  ])('rejects %s', async (query) => {
    expectRefusal(await client.get(`/accounts?${query}`), 400, 'INVALID_INPUT');
  });
});

describe('GET /accounts in pages', () => {
  it('returns 20 entries, the latest change first', async () => {
    const { body } = await client.get('/accounts');
    expect(body.data).toHaveLength(20);
    expect(body.context).toEqual({ pageSize: 20, sortOrder: 'DESC' });
    await client.patch('/accounts/P7', { name: 'Changed just now' });
    expect(idsOf(await client.get('/accounts?pageSize=1.0'))).toEqual(['P7']);
  });

  it('returns the next page by its token alone, until the last page has no token', async () => {
    const seen: string[] = [];
    let page = await client.get('/accounts?pageSize=9&customer_id=C1');
    for (let pages = 1; page.body.nextToken !== undefined; pages += 1) {
      seen.push(...idsOf(page));
      expect(pages).toBeLessThan(4);
      page = await client.get(`/accounts?nextToken=${encodeURIComponent(page.body.nextToken)}`);
      expect(page.body.context.pageSize).toBe(9);
    }
    seen.push(...idsOf(page));
    expect(seen).toHaveLength(21);
    expect(new Set(seen).size).toBe(21);
    expect(seen).not.toContain('D2');
  });

  it('accepts another page size and the same filter with a token', async () => {
    const { body } = await client.get('/accounts?pageSize=2&customer_id=C1');
    const next = await client.get(`/accounts?pageSize=3&customer_id=C1&nextToken=${body.nextToken}`);
    expect(next.body.data).toHaveLength(3);
  });

  it('rejects a token with another filter, of another list, or changed', async () => {
    const { nextToken } = (await client.get('/accounts?pageSize=2&customer_id=C1')).body;
    const middle = Math.floor(nextToken.length / 2);
    const changed = nextToken[middle] === 'A' ? 'B' : 'A';
    for (const path of [
      `/accounts?customer_id=C2&nextToken=${nextToken}`,
      `/accounts?status=DRAFT&nextToken=${nextToken}`,
      `/customers?nextToken=${nextToken}`,
      `/settings?nextToken=${nextToken}`,
      `/aliases?nextToken=${nextToken}`,
      '/accounts?nextToken=',
      '/accounts?nextToken=x',
      `/accounts?nextToken=${tokenWith('not JSON')}`,
      `/accounts?nextToken=${tokenWith('["accounts",{},1000000,"x"]')}`,
      '/accounts?nextToken=%00',
      `/accounts?nextToken=${nextToken.slice(0, -1)}`,
      `/accounts?nextToken=${nextToken}A`,
      `/accounts?nextToken=${nextToken.slice(0, middle)}${changed}${nextToken.slice(middle + 1)}`,
    ]) {
      expectRefusal(await client.get(path), 400, 'INVALID_INPUT');
    }
  });

  it('returns no entry of another tenant for its token', async () => {
    const { nextToken } = (await client.get('/accounts?pageSize=2')).body;
    const other = rest.of(await tenantWithCustomer(service));
    expect((await other.get(`/accounts?nextToken=${nextToken}`)).body.data).toEqual([]);
  });
});
