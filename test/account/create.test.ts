import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { accountInput, createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { accountFields, sendMutation, tryMutation } from '../support/mutations.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();

/** The request body of "Create an account" in the original API's documentation. */
const example = JSON.parse(
  readFileSync(new URL('./create-account.request.json', import.meta.url), 'utf8'),
) as Json;

const always = { effectiveFrom: null, effectiveUntil: null };

const expected = {
  id: 'ACC00001',
  name: 'Primary Account',
  status: 'ACTIVE',
  customerId: 'C1234qwd',
  customer: { id: 'C1234qwd', name: 'Acme' },
  invoiceCurrency: 'USD',
  netTermDays: 45,
  primaryEmail: 'admin@example.com',
  address: example.address,
  billingInformation: null,
  aliases: [
    { value: 'acme_primary', ...always },
    { value: 'acme_1', ...always },
  ],
  settings: example.settings,
  tags: [],
  metadata: {},
  version: 1,
};

async function createExample() {
  const client = await service.newTenant();
  await createCustomer(client, { id: 'C1234qwd' });
  return { client, account: await createAccount(client, example) };
}

it('creates the account of the original API’s example from the unchanged body', async () => {
  const { account } = await createExample();
  expect(account).toMatchObject(expected);
});

const everyWay = `
query($id: ID!, $name: String!, $nodeId: ID!, $entities: [_Any!]!) {
  account(id: $id) { ...AccountFields }
  byAlias: accountByAlias(alias: "acme_1") { ...AccountFields }
  byOwnId: accountByAlias(alias: $name) { ...AccountFields }
  node(nodeId: $nodeId) { ...AccountFields }
  nodes(nodeIds: [$nodeId]) { ...AccountFields }
  accounts { nodes { ...AccountFields } }
  ofCustomer: accounts(filter: { customerId: "C1234qwd" }) { edges { node { ...AccountFields } } }
  _entities(representations: $entities) { ...AccountFields }
}
${accountFields}`;

it('returns every value through every field that returns an account', async () => {
  const { client, account } = await createExample();
  const entities = [
    { __typename: 'Account', id: account.id },
    { __typename: 'Account', nodeId: account.nodeId },
  ];
  const { data, errors } = await client.send(everyWay, {
    id: account.id,
    name: account.id,
    nodeId: account.nodeId,
    entities,
  });
  expect(errors).toBeUndefined();
  const { account: byId, byAlias, byOwnId, node, nodes, accounts, ofCustomer, _entities } = data;
  const all = [byId, byAlias, byOwnId, node, ...nodes, ...accounts.nodes, ofCustomer.edges[0].node];
  for (const read of [...all, ..._entities]) expect(read).toEqual(account);
});

it('assigns a TypeID as node id and one instant as creation time', async () => {
  const before = Date.now();
  const { account } = await createExample();
  expect(account.nodeId).toMatch(/^account_0[0-7][0-9a-hjkmnp-tv-z]{24}$/);
  expect(account.createdAt).toBe(account.updatedAt);
  expect(account.aliases.map((alias: Json) => alias.createdAt)).toEqual([
    account.createdAt,
    account.createdAt,
  ]);
  expect(Date.parse(account.createdAt)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(account.createdAt)).toBeLessThanOrEqual(Date.now());
});

it('assigns node ids in the order of creation', async () => {
  const client = await tenantWithCustomer(service);
  const nodeIds: string[] = [];
  for (const id of ['A3', 'A1', 'A2']) nodeIds.push((await createAccount(client, { id })).nodeId);
  expect(nodeIds).toEqual([...nodeIds].sort());
});

describe('createAccount without optional fields', () => {
  it('creates an active account at version 1 with empty lists and the default terms', async () => {
    const client = await tenantWithCustomer(service);
    expect(await createAccount(client)).toMatchObject({
      status: 'ACTIVE',
      version: 1,
      invoiceCurrency: 'USD',
      netTermDays: 30,
      primaryEmail: null,
      address: null,
      billingInformation: null,
      aliases: [],
      settings: [],
      tags: [],
      metadata: {},
    });
  });

  it('uses the currency and net terms of the tenant', async () => {
    const client = await tenantWithCustomer(service, { baseCurrency: 'JPY', netTermDays: 0 });
    expect(await createAccount(client)).toMatchObject({ invoiceCurrency: 'JPY', netTermDays: 0 });
    const own = await createAccount(client, { id: 'A2', invoiceCurrency: 'EUR', netTermDays: 14 });
    expect(own).toMatchObject({ invoiceCurrency: 'EUR', netTermDays: 14 });
  });

  it('treats null like an absent field', async () => {
    const client = await tenantWithCustomer(service);
    const optional =
      `invoiceCurrency netTermDays primaryEmail status address billingInformation aliases datedAliases
      settings tags metadata idempotencyKey`.split(/\s+/);
    const nulls = Object.fromEntries(optional.map((field) => [field, null]));
    const { nodeId: _1, createdAt: _2, updatedAt: _3, ...bare } = await createAccount(client);
    expect(await createAccount(client, { ...nulls, id: 'A2' })).toMatchObject({ ...bare, id: 'A2' });
  });
});

it('rejects a customer that does not exist and names its id', async () => {
  const client = await service.newTenant();
  expect(await tryMutation(client, 'createAccount', accountInput({ customerId: 'nobody' }))).toMatchObject({
    __typename: 'NotFoundError',
    code: 'NOT_FOUND',
    type: 'Customer',
    id: 'nobody',
  });
});

it('creates two accounts of one document in order', async () => {
  const client = await tenantWithCustomer(service);
  const { data } = await client.send(
    `mutation($a: CreateAccountInput!, $b: CreateAccountInput!) {
      a: createAccount(input: $a) { ... on CreateAccountSuccess { account { id aliases { value } } } }
      b: createAccount(input: $b) { ... on AliasTakenError { clashes { value accountId } } }
    }`,
    { a: accountInput({ aliases: ['x'] }), b: accountInput({ id: 'A2', aliases: ['x'] }) },
  );
  expect(data.a.account).toEqual({ id: 'A1', aliases: [{ value: 'x' }] });
  expect(data.b.clashes).toEqual([{ value: 'x', accountId: 'A1' }]);
});

it('reads the input from literals as well as from variables', async () => {
  const client = await tenantWithCustomer(service);
  const { data } = await client.send(
    `mutation { createAccount(input: { id: "A1", name: "Main", customerId: "C1", status: DRAFT,
      metadata: { k: "v" }, datedAliases: [{ value: "x", effectiveFrom: "2026-01-01T00:00:00Z" }] }) {
        ... on CreateAccountSuccess { account { status metadata aliases(effectiveOn: "2026-01-01T00:00:00Z") { value } } }
    } }`,
  );
  expect(data.createAccount.account).toEqual({
    status: 'DRAFT',
    metadata: { k: 'v' },
    aliases: [{ value: 'x' }],
  });
});

it('returns status 200 for a rejected account, because the error is data', async () => {
  const client = await service.newTenant();
  const { status, errors } = await sendMutation(client, 'createAccount', accountInput());
  expect({ status, errors }).toEqual({ status: 200, errors: undefined });
});
