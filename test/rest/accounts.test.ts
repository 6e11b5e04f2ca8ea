import { describe, expect, it } from 'vitest';
import { exampleAccount } from '../../src/account/rest.ts';
import seed from '../account/create-account.request.json' with { type: 'json' };
import { listOf } from '../support/field-limits.ts';
import { createCustomer, setting, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { readAccount } from '../support/reads.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

/** Creates a tenant with customer C1. */
async function newClient(): Promise<RestClient> {
  return rest.of(await tenantWithCustomer(service));
}

const minimal = { id: 'A1', name: 'Main account', customerId: 'C1' };

async function newAccount(fields: object = {}): Promise<RestClient> {
  const client = await newClient();
  expect((await client.post('/accounts', { ...minimal, ...fields })).status).toBe(201);
  return client;
}

describe('POST /accounts', () => {
  it('returns the original API’s example response for its example request', async () => {
    const client = rest.of(await service.newTenant());
    await createCustomer(client.graphql, { id: seed.customerId });
    const { status, body } = await client.post('/accounts', seed);
    expect({ status, body }).toEqual({
      status: 201,
      body: {
        id: seed.id,
        togaiAccountId: expect.stringMatching(/^account_[0-9a-z]{26}$/),
        customerId: seed.customerId,
        togaiCustomerId: expect.stringMatching(/^customer_[0-9a-z]{26}$/),
        name: seed.name,
        status: 'ACTIVE',
        invoiceCurrency: 'USD',
        netTermDays: seed.netTermDays,
        address: seed.address,
        primaryEmail: seed.primaryEmail,
        aliases: seed.aliases.map((alias) => ({ alias })),
        settings: seed.settings,
      },
    });
  });

  it('returns the example response of the OpenAPI document for its example request', async () => {
    const client = rest.of(await service.newTenant());
    await createCustomer(client.graphql, { id: exampleAccount.customerId });
    const { post } = rest.contract.document.paths['/accounts'];
    const { body } = await client.post('/accounts', post.requestBody.content['application/json'].example);
    const example = post.responses[201].content['application/json'].example;
    const systemIds = { togaiAccountId: body.togaiAccountId, togaiCustomerId: body.togaiCustomerId };
    expect(body).toEqual({ ...example, ...systemIds });
  });

  it('omits absent fields', async () => {
    const client = await newClient();
    const { body } = await client.post('/accounts', minimal);
    expect(Object.keys(body).toSorted()).toEqual([
      'customerId',
      'id',
      'invoiceCurrency',
      'name',
      'netTermDays',
      'status',
      'togaiAccountId',
      'togaiCustomerId',
    ]);
  });

  it('returns every field, with at most 10 aliases and 10 settings', async () => {
    const client = await newClient();
    const everything = {
      ...minimal,
      status: 'DRAFT',
      invoiceCurrency: 'EUR',
      netTermDays: 0,
      billingInformation: { emailRecipients: ['a@acme.com'], additionalEmailRecipients: ['b@acme.com'] },
      accountAliases: listOf(10, (index) => ({
        value: `alias-${index}`,
        effectiveFrom: '2024-01-01T00:00:00Z',
      })),
      tags: ['Gold'],
      metadata: { crm: '7' },
    };
    const { body } = await client.post('/accounts', everything);
    const { accountAliases, ...same } = everything;
    expect(body).toMatchObject({
      ...same,
      tags: ['gold'],
      aliases: accountAliases.map(({ value }) => ({ alias: value })),
    });
    await mutate(client.graphql, 'addAliases', { accountId: 'A1', aliases: ['another'] });
    await mutate(client.graphql, 'putSettings', {
      accountId: 'A1',
      settings: listOf(11, (i) => setting(`s${i}`)),
    });
    const crowded = await client.get('/accounts/A1');
    expect(crowded.body.aliases).toHaveLength(10);
    expect(crowded.body.settings).toHaveLength(10);
  });

  it('returns the effective currency and net terms of the tenant', async () => {
    const client = rest.of(await tenantWithCustomer(service, { baseCurrency: 'INR', netTermDays: 7 }));
    const { body } = await client.post('/accounts', minimal);
    expect(body).toMatchObject({ invoiceCurrency: 'INR', netTermDays: 7 });
  });

  it('rejects an id that is taken and an unknown customer', async () => {
    const client = await newAccount();
    expectRefusal(await client.post('/accounts', minimal), 400, 'ID_TAKEN');
    expectRefusal(
      await client.post('/accounts', { ...minimal, id: 'A2', customerId: 'C2' }),
      404,
      'NOT_FOUND',
    );
  });

  it('replays a request with the same Idempotency-Key', async () => {
    const client = await newClient();
    const key = { 'Idempotency-Key': 'key-1' };
    const first = await client.post('/accounts', minimal, key);
    const second = await client.post('/accounts', minimal, key);
    expect(second).toMatchObject({ status: 201, body: first.body });
    expect([first, second].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    const other = await client.post('/accounts', { ...minimal, id: 'A2' }, key);
    expectRefusal(other, 400, 'IDEMPOTENCY_KEY_REUSED');
    expectRefusal(await client.post('/accounts', minimal, { 'Idempotency-Key': 'ü' }), 400, 'INVALID_INPUT');
  });
});

describe('GET /accounts/{id}', () => {
  it('returns an account, also an archived one', async () => {
    const client = await newAccount({ aliases: ['x'] });
    const read = await client.get('/accounts/A1');
    expect(read).toMatchObject({ status: 200, body: { ...minimal, aliases: [{ alias: 'x' }] } });
    expect(read.body.togaiAccountId).toBe((await readAccount(client.graphql, 'A1')).nodeId);
    await client.delete('/accounts/A1');
    const archived = await client.get('/accounts/A1');
    expect(archived.body).toMatchObject({ id: 'A1', status: 'ARCHIVED' });
    expect(archived.body).not.toHaveProperty('aliases');
  });

  it.each([
    '2024-01-01T00:00:00+0000',
    '2024-01-01T05:30:00.000000+05:30',
    '2024-01-01 00:00:00 UTC',
    '2024-01-01T00:00:00',
  ])('returns the aliases in force at effectiveOn=%s', async (effectiveOn) => {
    const span = { effectiveFrom: '2024-01-01T00:00:00Z', effectiveUntil: '2024-01-01T00:00:01Z' };
    const client = await newAccount({ accountAliases: [{ value: 'then', ...span }] });
    const on = await client.get(`/accounts/A1?effectiveOn=${encodeURIComponent(effectiveOn)}`);
    expect(on.body.aliases).toEqual([{ alias: 'then' }]);
    expect((await client.get('/accounts/A1')).body).not.toHaveProperty('aliases');
  });

  it.each([
    '',
    'now',
    '2024-02-30T00:00:00Z',
    '2024-01',
    '2024-01-01T24:00:00Z',
    '2016-12-31T23:59:60Z',
    '0000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
  ])('rejects effectiveOn=%s', async (effectiveOn) => {
    const client = await newAccount();
    expectRefusal(await client.get(`/accounts/A1?effectiveOn=${effectiveOn}`), 400, 'INVALID_INPUT');
  });

  it('accepts includeGroupDetails, which adds nothing', async () => {
    const client = await newAccount();
    const { body } = await client.get('/accounts/A1');
    expect((await client.get('/accounts/A1?includeGroupDetails=true')).body).toEqual(body);
  });

  it('returns 404 for an account of another tenant', async () => {
    await newAccount();
    expectRefusal(await (await newClient()).get('/accounts/A1'), 404, 'NOT_FOUND');
  });
});

describe('PATCH /accounts/{id}', () => {
  it('keeps absent fields, clears null ones and sets the others', async () => {
    const client = await newAccount({
      netTermDays: 45,
      primaryEmail: 'a@acme.com',
      address: { city: 'Pune' },
      tags: ['a'],
    });
    const { status, body } = await client.patch('/accounts/A1', {
      netTermDays: null,
      address: { country: 'IN' },
      tags: null,
    });
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'Main account', netTermDays: 30, primaryEmail: 'a@acme.com' });
    expect(body.address).toEqual({ country: 'IN' });
    expect(body).not.toHaveProperty('tags');
  });

  it.each([
    { name: null },
    { status: null },
    { id: 'A2' },
    { customerId: 'C2' },
    { aliases: ['x'] },
    { status: 'ARCHIVED' },
  ])('rejects %j', async (changes) => {
    const client = await newAccount();
    expectRefusal(await client.patch('/accounts/A1', changes), 400, 'INVALID_INPUT');
  });

  it('activates a draft, but rejects the reverse', async () => {
    const client = await newAccount({ status: 'DRAFT' });
    expect((await client.patch('/accounts/A1', { status: 'ACTIVE' })).body.status).toBe('ACTIVE');
    expectRefusal(await client.patch('/accounts/A1', { status: 'DRAFT' }), 400, 'NOT_ALLOWED_IN_STATUS');
  });

  it('returns 404 for an unknown account', async () => {
    const client = await newClient();
    expectRefusal(await client.patch('/accounts/A1', { name: 'Other' }), 404, 'NOT_FOUND');
  });
});

it('archives an account once with DELETE /accounts/{id}', async () => {
  const client = await newAccount();
  const key = { 'Idempotency-Key': 'k' };
  expect(await client.delete('/accounts/A1', key)).toMatchObject({ status: 200, body: { success: true } });
  expect((await readAccount(client.graphql, 'A1')).status).toBe('ARCHIVED');
  expect(await client.delete('/accounts/A1', key)).toMatchObject({ status: 200, body: { success: true } });
  expectRefusal(await client.delete('/accounts/A1'), 400, 'NOT_ALLOWED_IN_STATUS');
});
