import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { readAccount } from '../support/reads.ts';
import { expectRefusal, useRest } from '../support/rest.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

type List = 'accounts' | 'customers';

const documents: Record<List, string> = {
  accounts:
    'query($filter: AccountFilter, $after: String) { list: accounts(filter: $filter, after: $after, orderBy: { field: ID, direction: ASC }) { totalCount nodes { id } pageInfo { startCursor } } }',
  customers:
    'query($filter: CustomerFilter, $after: String) { list: customers(filter: $filter, after: $after, orderBy: { field: ID, direction: ASC }) { totalCount nodes { id } pageInfo { startCursor } } }',
};

async function idsOf(client: Client, list: List, filter: unknown): Promise<string[]> {
  const { data, errors } = await client.send(documents[list], { filter });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  expect(data.list.totalCount).toBe(data.list.nodes.length);
  return data.list.nodes.map(({ id }: Json) => id);
}

async function setTimes(client: Client, id: string, at: string): Promise<void> {
  await service.database.orm.execute(
    sql`update accounts set created_at = ${at}, updated_at = ${at} where tenant_id = ${client.tenantId} and id = ${id}`,
  );
}

describe('the filter of accounts', () => {
  it('matches the effective currency, the account’s own or the tenant’s', async () => {
    const client = await tenantWithCustomer(service, { baseCurrency: 'EUR' });
    await createAccount(client, { id: 'own-eur', invoiceCurrency: 'EUR' });
    await createAccount(client, { id: 'tenants' });
    await createAccount(client, { id: 'usd', invoiceCurrency: 'USD' });
    expect(await idsOf(client, 'accounts', { invoiceCurrency: 'EUR' })).toEqual(['own-eur', 'tenants']);
    expect(await idsOf(client, 'accounts', { invoiceCurrency: 'USD' })).toEqual(['usd']);
    expect(await idsOf(client, 'accounts', { invoiceCurrency: 'GBP' })).toEqual([]);
  });

  it('matches a whole tag in any case', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'vip', tags: ['VIP', 'Straße'] });
    await createAccount(client, { id: 'vips', tags: ['vips', 'us'] });
    expect(await idsOf(client, 'accounts', { tag: 'vip' })).toEqual(['vip']);
    expect(await idsOf(client, 'accounts', { tag: 'ViP' })).toEqual(['vip']);
    expect(await idsOf(client, 'accounts', { tag: 'STRAßE' })).toEqual(['vip']);
    expect(await idsOf(client, 'accounts', { tag: 'US' })).toEqual(['vips']);
    expect(await idsOf(client, 'accounts', { tag: 'active' })).toEqual([]);
    expect(await idsOf(client, 'accounts', { tag: `T${client.tenantId}` })).toEqual([]);
  });

  it('folds a tag as it is stored, on both APIs', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'first', tags: [' İSTANBUL '] });
    await rest.of(client).post('/accounts', {
      id: 'other',
      name: 'Other',
      customerId: 'C1',
      tags: ['I\u0307stanbul'],
    });
    for (const tag of ['İSTANBUL', ' i\u0307stanbul', 'İstanbul'])
      expect(await idsOf(client, 'accounts', { tag })).toEqual(['first', 'other']);
  });

  it('accepts a withdrawn currency, on both APIs', async () => {
    const client = await tenantWithCustomer(service);
    expect(await idsOf(client, 'accounts', { invoiceCurrency: 'ANG' })).toEqual([]);
    const answer = await rest.of(client).get('/accounts?invoice_currency=ANG');
    expect(answer).toMatchObject({ status: 200, body: { data: [] } });
    expectRefusal(await rest.of(client).get('/accounts?invoice_currency=ABC'), 400, 'INVALID_INPUT');
  });

  it('trims metadata keys', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'a', metadata: { ' crm ': 'X1' } });
    expect((await readAccount(client, 'a')).metadata).toEqual({ crm: 'X1' });
    expect(await idsOf(client, 'accounts', { metadata: { key: 'crm', value: 'X1' } })).toEqual(['a']);
  });

  it('matches a metadata key and its value exactly', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'a', metadata: { crm: 'X1', tier: 'gold' } });
    await createAccount(client, { id: 'b', metadata: { crm: 'x1', other: 'X1' } });
    expect(await idsOf(client, 'accounts', { metadata: { key: 'crm', value: 'X1' } })).toEqual(['a']);
    expect(await idsOf(client, 'accounts', { metadata: { key: 'CRM', value: 'X1' } })).toEqual([]);
    expect(await idsOf(client, 'accounts', { metadata: { key: 'crm', value: '' } })).toEqual([]);
    expect(await idsOf(client, 'accounts', { metadata: { key: '__proto__', value: 'x' } })).toEqual([]);
  });

  it('matches country, customer and status, and excludes archived accounts by default', async () => {
    const client = await tenantWithCustomer(service);
    await createCustomer(client, { id: 'C2' });
    await createAccount(client, { id: 'de', address: { country: 'DE' } });
    await createAccount(client, { id: 'draft', status: 'DRAFT' });
    await createAccount(client, { id: 'other', customerId: 'C2' });
    await createAccount(client, { id: 'gone' });
    await service.database.orm.execute(
      sql`update accounts set status = 'ARCHIVED' where tenant_id = ${client.tenantId} and id = 'gone'`,
    );
    expect(await idsOf(client, 'accounts', { country: 'DE' })).toEqual(['de']);
    expect(await idsOf(client, 'accounts', { customerId: 'C2' })).toEqual(['other']);
    expect(await idsOf(client, 'accounts', {})).toEqual(['de', 'draft', 'other']);
    expect(await idsOf(client, 'accounts', { status: null })).toEqual(['de', 'draft', 'other']);
    expect(await idsOf(client, 'accounts', { status: 'ARCHIVED' })).toEqual(['gone']);
    expect(await idsOf(client, 'accounts', { status: ['DRAFT', 'ARCHIVED', 'DRAFT'] })).toEqual([
      'draft',
      'gone',
    ]);
    expect(await idsOf(client, 'accounts', { status: 'DRAFT', customerId: 'C2' })).toEqual([]);
  });

  it('matches a time range that includes its beginning and excludes its end', async () => {
    const client = await tenantWithCustomer(service);
    const days = ['2026-01-01T00:00:00.000Z', '2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z'];
    for (const [index, day] of days.entries()) {
      await createAccount(client, { id: `d${index}` });
      await setTimes(client, `d${index}`, day);
    }
    for (const field of ['createdAt', 'updatedAt']) {
      const within = (range: object) => idsOf(client, 'accounts', { [field]: range });
      expect(await within({ from: days[1] })).toEqual(['d1', 'd2']);
      expect(await within({ until: days[1] })).toEqual(['d0']);
      expect(await within({ from: days[0], until: days[2] })).toEqual(['d0', 'd1']);
      expect(await within({})).toEqual(['d0', 'd1', 'd2']);
    }
  });
});

describe('the filter of a customer’s accounts', () => {
  const document =
    'query($filter: AccountFilter) { customer(id: "C1") { accounts(filter: $filter) { totalCount nodes { id } } } }';

  it('matches within the customer, and nothing if it names another customer', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'a', tags: ['x'] });
    await createAccount(client, { id: 'b' });
    await createCustomer(client, { id: 'C2', account: { id: 'c', name: 'Third', tags: ['x'] } });
    const idsWith = async (filter: object) =>
      (await client.send(document, { filter })).data.customer.accounts.nodes.map(({ id }: Json) => id);
    expect(await idsWith({ tag: 'x' })).toEqual(['a']);
    expect(await idsWith({ search: 'third' })).toEqual([]);
    expect(await idsWith({ customerId: 'C1', tag: 'x' })).toEqual(['a']);
    expect(await idsWith({ customerId: 'C2' })).toEqual([]);
  });
});

describe('the filter of customers', () => {
  it('matches status, country, metadata and search', async () => {
    const client = await service.newTenant();
    await createCustomer(client, {
      id: 'acme',
      name: 'Acme Größe',
      metadata: { k: 'v' },
      address: { country: 'DE' },
    });
    await createCustomer(client, { id: 'globex', name: 'Globex', primaryEmail: 'Pay@Globex.com' });
    await service.database.orm.execute(
      sql`update customers set status = 'ARCHIVED' where tenant_id = ${client.tenantId} and id = 'globex'`,
    );
    expect(await idsOf(client, 'customers', {})).toEqual(['acme']);
    expect(await idsOf(client, 'customers', { status: ['ARCHIVED'] })).toEqual(['globex']);
    expect(await idsOf(client, 'customers', { status: ['ARCHIVED', 'ACTIVE'] })).toEqual(['acme', 'globex']);
    expect(await idsOf(client, 'customers', { country: 'DE' })).toEqual(['acme']);
    expect(await idsOf(client, 'customers', { metadata: { key: 'k', value: 'v' } })).toEqual(['acme']);
    expect(await idsOf(client, 'customers', { search: 'GROESSE' })).toEqual([]);
    expect(await idsOf(client, 'customers', { search: 'grosse' })).toEqual(['acme']);
    expect(await idsOf(client, 'customers', { search: 'pay@', status: 'ARCHIVED' })).toEqual(['globex']);
    expect(await idsOf(client, 'customers', { updatedAt: { until: '2020-01-01T00:00:00Z' } })).toEqual([]);
  });
});

describe('an invalid filter', () => {
  const bad: [object, string[], string][] = [
    [{ search: '' }, ['filter', 'search'], 'TOO_SHORT'],
    [{ search: '   ' }, ['filter', 'search'], 'TOO_SHORT'],
    [{ search: 'x'.repeat(101) }, ['filter', 'search'], 'TOO_LONG'],
    [{ search: 'a\u0000b' }, ['filter', 'search'], 'INVALID_FORMAT'],
    [{ search: 'a\nb' }, ['filter', 'search'], 'INVALID_FORMAT'],
    [{ search: 'a\ud800' }, ['filter', 'search'], 'INVALID_FORMAT'],
    [{ country: 'de' }, ['filter', 'country'], 'INVALID_VALUE'],
    [{ country: '' }, ['filter', 'country'], 'REQUIRED'],
    [{ metadata: { key: '', value: 'x' } }, ['filter', 'metadata', 'key'], 'TOO_SHORT'],
    [{ metadata: { key: 'x', value: 'y'.repeat(501) } }, ['filter', 'metadata', 'value'], 'TOO_LONG'],
    [{ status: [] }, ['filter', 'status'], 'TOO_FEW'],
    [
      { createdAt: { from: '2026-01-01T00:00:00Z', until: '2026-01-01T00:00:00Z' } },
      ['filter', 'createdAt', 'until'],
      'INVALID_VALUE',
    ],
    [
      { updatedAt: { from: '2026-01-02T00:00:00Z', until: '2026-01-01T00:00:00Z' } },
      ['filter', 'updatedAt', 'until'],
      'INVALID_VALUE',
    ],
  ];
  const ofAccounts: typeof bad = [
    [{ invoiceCurrency: 'usd' }, ['filter', 'invoiceCurrency'], 'INVALID_VALUE'],
    [{ tag: '' }, ['filter', 'tag'], 'TOO_SHORT'],
    [{ customerId: '\u0000' }, ['filter', 'customerId'], 'INVALID_FORMAT'],
  ];
  const cases = [
    ...bad.flatMap((one) => [
      ['accounts' as const, ...one] as const,
      ['customers' as const, ...one] as const,
    ]),
    ...ofAccounts.map((one) => ['accounts' as const, ...one] as const),
  ];

  it.each(cases)('is rejected: %s with %j', async (list, filter, path, code) => {
    const client = await service.newTenant();
    const { data, errors } = await client.send(documents[list], { filter });
    expect(data).toBeNull();
    expect(errors[0].extensions).toMatchObject({ code: 'BAD_REQUEST', issues: [{ path, code }] });
  });
});

describe('a cursor of another tenant', () => {
  it('shows nothing of that tenant', async () => {
    const [one, other] = [await tenantWithCustomer(service), await tenantWithCustomer(service)];
    for (const id of ['a', 'b', 'c']) await createAccount(one, { id, tags: ['x'] });
    await createAccount(other, { id: 'z', tags: ['x'] });
    for (const filter of [{}, { tag: 'x' }, { search: 'main' }, { customerId: 'C1' }]) {
      const { data } = await one.send(documents.accounts, { filter });
      const after = data.list.pageInfo.startCursor;
      const beyond = await other.send(documents.accounts, { filter, after });
      expect(beyond.data.list.nodes).toEqual([{ id: 'z' }]);
    }
  });
});

describe('a cursor', () => {
  it('is rejected by every other order and list', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client);
    const lists = ['accounts', 'customers'].flatMap((list) =>
      ['UPDATED_AT', 'CREATED_AT', 'NAME', 'ID'].flatMap((field) =>
        ['ASC', 'DESC'].map(
          (direction) => (after: string) =>
            `{ list: ${list}(${after} orderBy: { field: ${field}, direction: ${direction} }) { pageInfo { startCursor } } }`,
        ),
      ),
    );
    const cursors: string[] = [];
    for (const list of lists) cursors.push((await client.send(list(''))).data.list.pageInfo.startCursor);
    for (const [index, list] of lists.entries()) {
      for (const [from, cursor] of cursors.entries()) {
        const { errors } = await client.send(list(`after: "${cursor}"`));
        if (from === index) expect(errors).toBeUndefined();
        else expect(errors[0].extensions.issues).toMatchObject([{ path: ['after'] }]);
      }
    }
  });
});
