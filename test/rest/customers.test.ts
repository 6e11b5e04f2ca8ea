import { describe, expect, it } from 'vitest';
import { exampleCustomer } from '../../src/customer/rest.ts';
import { customerInput, setting } from '../support/fixtures.ts';
import { readCustomer } from '../support/reads.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);
const newTenant = async (): Promise<RestClient> => rest.of(await service.newTenant());

async function newCustomer(overrides: object = {}): Promise<RestClient> {
  const client = await newTenant();
  expect((await client.post('/customers', customerInput(overrides))).status).toBe(201);
  return client;
}

describe('POST /customers', () => {
  it('returns the example response of the OpenAPI document for the example request', async () => {
    const client = await newTenant();
    const { post } = rest.contract.document.paths['/customers'];
    const { status, body } = await client.post('/customers', exampleCustomer);
    const example = post.responses[201].content['application/json'].example;
    const { togaiCustomerId, createdAt, updatedAt } = body;
    expect({ status, body }).toEqual({
      status: 201,
      body: { ...example, togaiCustomerId, createdAt, updatedAt },
    });
    expect(post.requestBody.content['application/json'].example).toEqual(exampleCustomer);
  });

  it('creates a customer with settings and a first account, and returns both', async () => {
    const client = await newTenant();
    const account = {
      id: 'A1',
      name: 'First account',
      accountAliases: [{ value: 'x', effectiveFrom: '2022-06-04 00:00:00 UTC' }],
      settings: [setting('s')],
      tags: ['a'],
    };
    const { status, body } = await client.post(
      '/customers',
      customerInput({ account, settings: [setting('t')], metadata: { a: 'b' } }),
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: 'C1', settings: [setting('t')], metadata: { a: 'b' } });
    expect(body.account).toEqual((await client.get('/accounts/A1')).body);
    expect(body.account).toMatchObject({
      customerId: 'C1',
      aliases: [{ alias: 'x' }],
      settings: [setting('s')],
    });
  });

  it('writes nothing if its account is rejected', async () => {
    const client = await newCustomer();
    await client.post('/accounts', { id: 'A1', name: 'Main account', customerId: 'C1' });
    const taken = { id: 'C2', account: { id: 'A1', name: 'Main account' } };
    expectRefusal(await client.post('/customers', customerInput(taken)), 400, 'ID_TAKEN');
    expectRefusal(await client.get('/customers/C2'), 404, 'NOT_FOUND');
  });

  it.each([
    ['an empty address', { address: {} }],
    ['a missing address', { address: undefined }],
    ['a missing email', { primaryEmail: undefined }],
    ['a customer of the account', { account: { id: 'A1', name: 'Main account', customerId: 'C1' } }],
    ['dated aliases of the account', { account: { id: 'A1', name: 'Main account', datedAliases: [] } }],
    ['an unknown field of the address', { address: { country: 'US', zip: '1' } }],
    ['a status', { status: 'ACTIVE' }],
  ])('rejects %s', async (_, overrides) => {
    expectRefusal(
      await (await newTenant()).post('/customers', customerInput(overrides)),
      400,
      'INVALID_INPUT',
    );
  });

  it('requires accounts:write for a first account', async () => {
    const client = await rest.withScopes(await newTenant(), ['customers:write']);
    const account = { id: 'A1', name: 'Main account' };
    expectRefusal(await client.post('/customers', customerInput({ account })), 403, 'FORBIDDEN');
    expect((await client.post('/customers', customerInput())).status).toBe(201);
  });
});

describe('/customers/{id}', () => {
  it('returns every field that the clients require, including an empty billing address', async () => {
    const client = await newCustomer({ address: { phoneNumber: '123' } });
    const { body } = await client.get('/customers/C1');
    expect(Object.keys(body).toSorted()).toEqual([
      'address',
      'billingAddress',
      'createdAt',
      'id',
      'name',
      'primaryEmail',
      'status',
      'togaiCustomerId',
      'updatedAt',
    ]);
    expect(body).toMatchObject({ billingAddress: '', address: { phoneNumber: '123' } });
  });

  it('keeps absent fields and null metadata, sets others and clears empty metadata', async () => {
    const client = await newCustomer({ metadata: { a: 'b' } });
    const { status, body } = await client.patch('/customers/C1', { name: 'Other name', metadata: null });
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'Other name', primaryEmail: 'a@acme.com', metadata: { a: 'b' } });
    const { body: cleared } = await client.patch('/customers/C1', { metadata: {} });
    expect(cleared).not.toHaveProperty('metadata');
    for (const changes of [
      { name: null },
      { address: null },
      { address: {} },
      { id: 'C2' },
      { status: 'ARCHIVED' },
    ]) {
      expectRefusal(await client.patch('/customers/C1', changes), 400, 'INVALID_INPUT');
    }
  });

  it('archives a customer without live accounts, and names live accounts otherwise', async () => {
    const client = await newCustomer({ account: { id: 'A1', name: 'Main account' } });
    const refused = await client.delete('/customers/C1');
    expectRefusal(refused, 400, 'NOT_ALLOWED_IN_STATUS');
    expect(refused.body.message).toContain('"A1"');
    await client.delete('/accounts/A1');
    expect(await client.delete('/customers/C1')).toMatchObject({ status: 200, body: { success: true } });
    expect((await readCustomer(client.graphql, 'C1')).status).toBe('ARCHIVED');
    expect((await client.get('/customers/C1')).body.status).toBe('ARCHIVED');
  });

  it('returns 404 for a customer of another tenant', async () => {
    await newCustomer();
    const client = await newTenant();
    expectRefusal(await client.get('/customers/C1'), 404, 'NOT_FOUND');
    expectRefusal(await client.patch('/customers/C1', { name: 'Other name' }), 404, 'NOT_FOUND');
    expectRefusal(await client.delete('/customers/C1'), 404, 'NOT_FOUND');
  });
});

it('lists, filters and searches with GET /customers', async () => {
  const client = await newCustomer();
  await client.post('/customers', customerInput({ id: 'C2', name: 'Globex' }));
  await client.delete('/customers/C2');
  const ids = async (query: string) =>
    (await client.get(`/customers${query}`)).body.data.map(({ id }: Json) => id);
  expect(await ids('')).toEqual(['C1']);
  expect(await ids('?status=ARCHIVED')).toEqual(['C2']);
  expect(await ids('?_search=glob')).toEqual([]);
  expect(await ids('?_search=ACME')).toEqual(['C1']);
});
