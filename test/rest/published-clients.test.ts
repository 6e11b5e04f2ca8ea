import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it } from 'vitest';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate, tryMutation } from '../support/mutations.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
let graphql: Client;
let client: RestClient;

beforeEach(async () => {
  graphql = await tenantWithCustomer(service);
  client = rest.of(graphql);
});

const setting = {
  id: 's',
  namespace: 'n',
  name: 'S',
  dataType: 'STRING',
  value: 'v',
  entityType: 'ACCOUNT',
  entityId: 'A1',
};

describe('PATCH /settings/{full id}', () => {
  it('answers 201, because the Python client drops 200', async () => {
    await createAccount(graphql);
    await client.post('/settings', setting);
    const { status, body } = await client.patch('/settings/setting.n.s.ACCOUNT.A1', { value: 'w' });
    expect([status, body.value]).toEqual([201, 'w']);
  });
});

describe('settings of an organization', () => {
  it('are listed as an empty page', async () => {
    await createAccount(graphql);
    await client.post('/settings', setting);
    const { status, body } = await client.get('/settings?entity_type=ORGANIZATION');
    expect([status, body.data]).toEqual([200, []]);
  });

  it('are refused with the reason', async () => {
    const answer = await client.post('/settings', { ...setting, entityType: 'ORGANIZATION', entityId: 'x' });
    expectRefusal(answer, 400, 'INVALID_INPUT');
    expect(answer.body.message).toContain('settings of an organization are not stored');
  });
});

describe('GET /settings', () => {
  it('finds a setting by its full id', async () => {
    await createAccount(graphql);
    await client.post('/settings', setting);
    await client.post('/settings', { ...setting, namespace: 'other' });
    const { body } = await client.get('/settings?setting_id=setting.n.s.ACCOUNT.A1');
    expect(body.data.map(({ namespace }: Json) => namespace)).toEqual(['n']);
  });
});

describe('GET /settings with conditions beside a full id', () => {
  beforeEach(async () => {
    await createAccount(graphql);
    await client.post('/settings', setting);
    await createAccount(graphql, { id: 'A2' });
    await createCustomer(graphql, { id: 'A1' });
    await client.post('/settings', { ...setting, entityType: 'CUSTOMER' });
  });

  it.each([
    ['', 1],
    ['&entity_type=ACCOUNT&entity_id=A1&namespace=n', 1],
    ['&entity_type=CUSTOMER', 0],
    ['&entity_id=A2', 0],
    ['&namespace=m', 0],
  ])('matches a full id and all other conditions: %s', async (others, count) => {
    const { body } = await client.get(`/settings?setting_id=setting.n.s.ACCOUNT.A1${others}`);
    expect(body.data.map(({ fullId }: Json) => fullId)).toEqual(
      Array.from({ length: count }, () => 'setting.n.s.ACCOUNT.A1'),
    );
  });

  it('refuses a full id that is longer than any setting has', async () => {
    const long = `setting.${'ACCOUNT.'.repeat(900)}A1`;
    expectRefusal(await client.get(`/settings/${long}`), 404, 'NOT_FOUND');
  });
});

describe('PATCH with null', () => {
  it('keeps metadata and invoiceCurrency of an account, and clears the net terms', async () => {
    await createAccount(graphql, { metadata: { a: '1' }, invoiceCurrency: 'EUR', netTermDays: 5 });
    const change = { metadata: null, invoiceCurrency: null, netTermDays: null, name: 'New name' };
    expect((await client.patch('/accounts/A1', change)).body).toMatchObject({
      metadata: { a: '1' },
      invoiceCurrency: 'EUR',
      netTermDays: 30,
      name: 'New name',
    });
  });

  it('keeps the metadata of a customer', async () => {
    await createCustomer(graphql, { id: 'C2', metadata: { a: '1' } });
    expect((await client.patch('/customers/C2', { metadata: null })).body.metadata).toEqual({ a: '1' });
  });
});

describe('GET /accounts/{id}', () => {
  it.each(['true', 'false', 'True', 'False'])('accepts includeGroupDetails=%s', async (value) => {
    await createAccount(graphql);
    expect((await client.get(`/accounts/A1?includeGroupDetails=${value}`)).status).toBe(200);
  });

  it('refuses includeGroupDetails=maybe', async () => {
    await createAccount(graphql);
    expectRefusal(await client.get('/accounts/A1?includeGroupDetails=maybe'), 400, 'INVALID_INPUT');
  });
});

describe('aliases of an account', () => {
  it('have the order in which they were sent, on both APIs', async () => {
    const aliases = ['z', 'b', 'y', 'a'];
    const { body } = await client.post('/accounts', {
      id: 'A1',
      name: 'Main account',
      customerId: 'C1',
      aliases: ['z', 'b'],
      accountAliases: [{ value: 'y' }, { value: 'a' }],
    });
    expect(body.aliases.map(({ alias }: Json) => alias)).toEqual(aliases);
    const read = (await client.get('/accounts/A1')).body;
    expect(read.aliases.map(({ alias }: Json) => alias)).toEqual(aliases);
    const { data } = await graphql.send('{ account(id: "A1") { aliases { value } } }');
    expect(data.account.aliases.map(({ value }: Json) => value)).toEqual(aliases);
    const added = await client.post('/accounts/A1/add_aliases', { aliases: ['n', 'm'] });
    expect(added.body.aliases.map(({ alias }: Json) => alias)).toEqual([...aliases, 'n', 'm']);
  });

  it('have no start and no end if they are sent with the placeholders of account_aliases', async () => {
    await createAccount(graphql);
    const bounds = { effectiveFrom: '1970-01-01T00:00:00Z', effectiveUntil: '9999-01-01T00:00:00Z' };
    await client.post('/accounts/A1/add_aliases', { accountAliases: [{ value: 'x', ...bounds }] });
    const { data } = await graphql.send('{ account(id: "A1") { aliases { effectiveFrom effectiveUntil } } }');
    expect(data.account.aliases).toEqual([{ effectiveFrom: null, effectiveUntil: null }]);
    const { body } = await client.get('/accounts/A1/account_aliases');
    expect(body.data).toMatchObject([bounds]);
  });

  it('are all returned without a page size, and all ended by one request', async () => {
    await createAccount(graphql);
    const values = Array.from({ length: 100 }, (_, index) => `v${String(index).padStart(3, '0')}`);
    for (let from = 0; from < 100; from += 10)
      await mutate(graphql, 'addAliases', { accountId: 'A1', aliases: values.slice(from, from + 10) });
    await mutate(graphql, 'removeAliases', { accountId: 'A1', aliases: values.slice(0, 5) });
    await mutate(graphql, 'addAliases', { accountId: 'A1', aliases: ['w0', 'w1', 'w2'] });
    const listed = (await client.get('/accounts/A1/account_aliases')).body;
    expect(listed.data).toHaveLength(103);
    expect(listed.nextToken).toBeUndefined();
    expect((await client.get('/accounts/A1/account_aliases?pageSize=7')).body.data).toHaveLength(7);
    const ended = await client.post('/accounts/A1/remove_aliases', { aliases: [...values.slice(5), 'w0'] });
    expect(ended.body.aliases.map(({ alias }: Json) => alias)).toEqual(['w1', 'w2']);
  });
});

describe('GET /accounts/{id}/account_aliases', () => {
  it('continues after 1,000 spans without a page size', async () => {
    await createAccount(graphql);
    await service.database.orm.execute(
      sql`insert into aliases (tenant_id, value, account_id, effective_from, effective_until, created_at)
        select ${graphql.tenantId}, 'v' || n, 'A1', '-infinity', '2020-01-01', now() from generate_series(1, 1001) as n`,
    );
    const first = (await client.get('/accounts/A1/account_aliases')).body;
    const rest = (await client.get(`/accounts/A1/account_aliases?nextToken=${first.nextToken}`)).body;
    expect([first.data.length, rest.data.length, rest.nextToken]).toEqual([1000, 1, undefined]);
  });
});

describe('ID_TAKEN', () => {
  it('says that an archived account can be restored, on both APIs', async () => {
    await createAccount(graphql);
    const input = { id: 'A1', name: 'Main account', customerId: 'C1' };
    expect((await tryMutation(graphql, 'createAccount', input)).message).not.toContain('restore');
    await mutate(graphql, 'archiveAccount', { id: 'A1' });
    const hint = 'or restore the archived account';
    expect((await tryMutation(graphql, 'createAccount', input)).message).toContain(hint);
    expect((await client.post('/accounts', input)).body.message).toContain(hint);
  });

  it('says that an archived customer can be restored, on both APIs', async () => {
    await createCustomer(graphql, { id: 'C2' });
    await mutate(graphql, 'archiveCustomer', { id: 'C2' });
    const input = { id: 'C2', name: 'Second', primaryEmail: 'a@acme.com', address: { country: 'US' } };
    const hint = 'or restore the archived customer';
    expect((await tryMutation(graphql, 'createCustomer', input)).message).toContain(hint);
    expect((await client.post('/customers', input)).body.message).toContain(hint);
  });
});
