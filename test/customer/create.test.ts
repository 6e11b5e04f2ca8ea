import { describe, expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import { createAccount, createCustomer, customerInput } from '../support/fixtures.ts';
import { sendMutation, tryMutation } from '../support/mutations.ts';
import { readAccount, readCustomer } from '../support/reads.ts';
import { expectRequestError } from '../support/refusal.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();

const full = {
  id: 'Kunde 1',
  name: 'Ünïcode GmbH & Co. 😀',
  primaryEmail: 'First.Last+tag@example.com',
  address: {
    phoneNumber: '+49 (30) 1234-5/6',
    line1: 'Straße 1',
    line2: 'Hof',
    postalCode: '10115',
    city: 'Berlin',
    state: 'BE',
    country: 'DE',
  },
  settings: [{ id: 's', namespace: 'USER', name: 'Setting', dataType: 'JSON', value: '{"a": 1}' }],
  metadata: { crm: 'x-1' },
};

describe('createCustomer', () => {
  it('stores every field', async () => {
    const client = await service.newTenant();
    const created = await createCustomer(client, full);
    expect(created).toMatchObject({ ...full, status: 'ACTIVE', version: 1 });
    expect(created.nodeId).toMatch(/^customer_0[0-7][0-9a-hjkmnp-tv-z]{24}$/);
    expect(created.createdAt).toBe(created.updatedAt);
    expect(await readCustomer(client, full.id)).toEqual(created);
  });

  it('stores empty settings and metadata by default', async () => {
    const client = await service.newTenant();
    expect(await createCustomer(client)).toMatchObject({ settings: [], metadata: {} });
    const nulls = { id: 'C2', settings: null, metadata: null, account: null, idempotencyKey: null };
    expect(await createCustomer(client, nulls)).toMatchObject({ settings: [], metadata: {} });
  });

  it('accepts an id that an account or a customer of another tenant has', async () => {
    const [one, two] = [await service.newTenant(), await service.newTenant()];
    await createCustomer(one, { id: 'same', account: { id: 'same', name: 'First' } });
    await createCustomer(two, { id: 'same' });
    expect(await rowCounts(service, one)).toMatchObject({ customers: 1, accounts: 1 });
    expect(await rowCounts(service, two)).toMatchObject({ customers: 1, accounts: 0 });
  });

  it('rejects an id that is taken', async () => {
    const client = await service.newTenant();
    await createCustomer(client);
    const before = await rowCounts(service, client);
    expect(
      await tryMutation(client, 'createCustomer', customerInput({ name: 'Other', settings: full.settings })),
    ).toMatchObject({
      __typename: 'IdTakenError',
      code: 'ID_TAKEN',
      id: 'C1',
      accountId: null,
    });
    expect(await rowCounts(service, client)).toEqual(before);
  });
});

const first = {
  id: 'A1',
  name: 'First account',
  aliases: ['x'],
  tags: ['VIP'],
  netTermDays: 7,
  settings: full.settings,
};

describe('createCustomer with a first account', () => {
  it('creates both at the same instant', async () => {
    const client = await service.newTenant();
    const customer = await createCustomer(client, { ...full, account: first });
    const account = await readAccount(client, 'A1');
    const { id, name, netTermDays, settings } = first;
    expect(account).toMatchObject({
      id,
      name,
      netTermDays,
      settings,
      tags: ['vip'],
      aliases: [{ value: 'x' }],
    });
    expect(account.customer).toEqual(customer);
    expect(account.createdAt).toBe(customer.createdAt);
    expect(await rowCounts(service, client)).toMatchObject({
      customers: 1,
      accounts: 1,
      settings: 2,
      changes: 2,
    });
  });

  it.each([
    [
      'the account id is taken',
      { id: 'TAKEN' },
      { __typename: 'IdTakenError', id: 'TAKEN', accountId: 'TAKEN' },
    ],
    [
      'an alias of the account is taken',
      { aliases: ['free', 'TAKEN'] },
      { __typename: 'AliasTakenError', clashes: [{ value: 'TAKEN', accountId: 'TAKEN' }] },
    ],
    [
      'the account is invalid',
      { address: { country: 'xx' } },
      { __typename: 'InvalidInputError', issues: [{ path: ['account', 'address', 'country'] }] },
    ],
  ])('writes nothing if %s', async (_, change, error) => {
    const client = await service.newTenant();
    await createCustomer(client, { id: 'C0', account: { id: 'TAKEN', name: 'Taken' } });
    const before = await rowCounts(service, client);
    const result: Json = await tryMutation(
      client,
      'createCustomer',
      customerInput({ ...full, account: { ...first, ...change } }),
    );
    expect(result).toMatchObject(error);
    expect(await rowCounts(service, client)).toEqual(before);
    expect(await readCustomer(client, full.id)).toBeNull();
  });

  it('names the customer’s id if both ids are taken', async () => {
    const client = await service.newTenant();
    await createCustomer(client, { account: first });
    expect(await tryMutation(client, 'createCustomer', customerInput({ account: first }))).toMatchObject({
      __typename: 'IdTakenError',
      id: 'C1',
      accountId: null,
    });
  });

  it.each(['customerId', 'idempotencyKey'])('rejects a %s of the account', async (field) => {
    const client = await service.newTenant();
    const answer = await sendMutation(
      client,
      'createCustomer',
      customerInput({ account: { ...first, [field]: 'C1' } }),
    );
    expectRequestError(answer, 400, 'BAD_REQUEST');
  });
});

it('creates a customer to which later mutations of the same document add accounts', async () => {
  const client = await service.newTenant();
  const { data } = await client.send(
    `mutation($customer: CreateCustomerInput!) {
      before: createAccount(input: { id: "A0", name: "Early", customerId: "C1" }) { ... on NotFoundError { id } }
      createCustomer(input: $customer) { __typename }
      after: createAccount(input: { id: "A1", name: "Later", customerId: "C1" }) {
        ... on CreateAccountSuccess { account { customer { name } } }
      }
    }`,
    { customer: customerInput() },
  );
  expect(data).toEqual({
    before: { id: 'C1' },
    createCustomer: { __typename: 'CreateCustomerSuccess' },
    after: { account: { customer: { name: 'Acme' } } },
  });
  expect((await createAccount(client, { id: 'A2' })).customer.id).toBe('C1');
});
