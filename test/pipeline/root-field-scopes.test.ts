import { beforeAll, describe, expect, it } from 'vitest';
import { type Scope, scopes } from '../../src/lib/scope.ts';
import { buildSchema } from '../../src/schema.ts';
import { accountInput, createAccount, customerInput, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const later = '2030-01-01T00:00:00Z';
const failure = '... on Error { code }';
const mutation = (name: string, input: string) =>
  `mutation { ${name}(input: ${input}) { __typename ${failure} } }`;

/** The scope of each root field and a document that selects it. A missing scope is the first error. */
const needed: Record<string, [Scope | undefined, string]> = {
  'Query.viewer': [undefined, '{ viewer { scopes } }'],
  'Query.node': ['accounts:read', 'query($account: ID!) { node(nodeId: $account) { nodeId } }'],
  'Query.nodes': ['customers:read', 'query($customer: ID!) { nodes(nodeIds: [$customer]) { nodeId } }'],
  'Query.changes': ['accounts:read', '{ changes { latestPosition } }'],
  'Query.account': ['accounts:read', '{ account(id: "nobody") { id } }'],
  'Query.accountByAlias': ['accounts:read', '{ accountByAlias(alias: "nobody") { id } }'],
  'Query.accounts': ['accounts:read', '{ accounts { totalCount } }'],
  'Query.customer': ['customers:read', '{ customer(id: "nobody") { id } }'],
  'Query.customers': ['customers:read', '{ customers { totalCount } }'],
  'Query.webhookEndpoint': ['webhooks:manage', '{ webhookEndpoint(nodeId: "nobody") { url } }'],
  'Query.webhookEndpoints': ['webhooks:manage', '{ webhookEndpoints { totalCount } }'],
  'Mutation.createWebhookEndpoint': ['webhooks:manage', mutation('createWebhookEndpoint', '{ url: "" }')],
  'Mutation.updateWebhookEndpoint': ['webhooks:manage', mutation('updateWebhookEndpoint', '{ nodeId: "x" }')],
  'Mutation.deleteWebhookEndpoint': ['webhooks:manage', mutation('deleteWebhookEndpoint', '{ nodeId: "x" }')],
  'Mutation.rotateWebhookSecret': ['webhooks:manage', mutation('rotateWebhookSecret', '{ nodeId: "x" }')],
  'Mutation.testWebhookEndpoint': ['webhooks:manage', mutation('testWebhookEndpoint', '{ nodeId: "x" }')],
  'Mutation.redeliver': ['webhooks:manage', mutation('redeliver', '{ nodeId: "x", from: "", to: "" }')],
  'Mutation.updateTenant': ['keys:manage', mutation('updateTenant', '{ netTermDays: 366 }')],
  'Mutation.createAccount': [
    'accounts:write',
    mutation('createAccount', '{ id: "", name: "", customerId: "C1" }'),
  ],
  'Mutation.createAccounts': [
    'accounts:write',
    'mutation { createAccounts(inputs: [{ id: "", name: "", customerId: "C1" }]) { __typename } }',
  ],
  'Mutation.updateAccounts': [
    'accounts:write',
    'mutation { updateAccounts(inputs: [{ id: "A1", name: "x" }]) { __typename } }',
  ],
  'Mutation.updateAccount': ['accounts:write', mutation('updateAccount', '{ id: "A1", name: "x" }')],
  'Mutation.archiveAccount': ['accounts:write', mutation('archiveAccount', '{ id: "A1" }')],
  'Mutation.restoreAccount': ['accounts:write', mutation('restoreAccount', '{ id: "A1" }')],
  'Mutation.revertAccount': ['accounts:write', mutation('revertAccount', '{ id: "A1", toVersion: 1 }')],
  'Mutation.addAliases': ['accounts:write', mutation('addAliases', '{ accountId: "A1", aliases: ["y"] }')],
  'Mutation.removeAliases': [
    'accounts:write',
    mutation('removeAliases', '{ accountId: "A1", aliases: ["x"] }'),
  ],
  'Mutation.transferAlias': [
    'accounts:write',
    mutation('transferAlias', '{ alias: "x", toAccountId: "A1" }'),
  ],
  'Mutation.putSettings': ['accounts:write', mutation('putSettings', '{ accountId: "A1", settings: [] }')],
  'Mutation.removeSettings': [
    'customers:write',
    mutation('removeSettings', '{ customerId: "C1", settings: [] }'),
  ],
  'Mutation.createCustomer': [
    'customers:write',
    mutation('createCustomer', '{ id: "C2", name: "x", primaryEmail: "a@b.example", address: {} }'),
  ],
  'Mutation.createCustomers': [
    'customers:write',
    'mutation { createCustomers(inputs: [{ id: "C3", name: "x", primaryEmail: "a@b.example", address: {} }]) { __typename } }',
  ],
  'Mutation.updateCustomer': ['customers:write', mutation('updateCustomer', '{ id: "C1", name: "x" }')],
  'Mutation.archiveCustomer': ['customers:write', mutation('archiveCustomer', '{ id: "C1" }')],
  'Mutation.restoreCustomer': ['customers:write', mutation('restoreCustomer', '{ id: "C1" }')],
};

let owner: Client;
let variables: Json;

beforeAll(async () => {
  owner = await tenantWithCustomer(service);
  const account = await createAccount(owner, { id: 'A1', aliases: ['x'] });
  variables = { account: account.nodeId, customer: account.customer.nodeId };
});

const refusals = (errors: Json): Json =>
  (errors ?? []).map(({ path, extensions }: Json) => [path, extensions.code, extensions.scope]);

describe('the scope of a root field', () => {
  it('is tested for every root field', () => {
    const schema = buildSchema();
    const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()]
      .flatMap((type) => Object.keys(type?.getFields() ?? {}).map((field) => `${type?.name}.${field}`))
      .filter((name) => !name.startsWith('Query._'));
    // test/feed/subscription-lifecycle.test.ts tests the subscriptions.
    const asked = [...Object.keys(needed), 'Subscription.accountChanged', 'Subscription.changes'];
    expect(asked.toSorted()).toEqual(fields.toSorted());
  });

  it.each(Object.entries(needed))('is required for %s, and no other', async (name, [scope, document]) => {
    const field = name.split('.')[1];
    const without = scopes.filter((one) => one !== scope && one !== scope?.replace(':read', ':write'));
    const poor = await service.newKey(owner, without);
    const { errors } = await poor.send(document, variables);
    const path = field === 'nodes' ? [field, 0] : [field];
    expect(refusals(errors)).toEqual(scope === undefined ? [] : [[path, 'FORBIDDEN', scope]]);
    // The feed has the changes of both entities, and endpoints receive them.
    const readsBoth = /^(changes|createWebhookEndpoint|updateWebhookEndpoint|redeliver)$/.test(field ?? '');
    const also: Scope[] = readsBoth ? ['accounts:read', 'customers:read'] : [];
    const rich = await service.newKey(owner, [scope ?? 'keys:manage', ...also]);
    expect(refusals((await rich.send(document, variables)).errors)).toEqual([]);
  });

  it('is returned in viewer', async () => {
    const key = await service.newKey(owner, ['customers:read', 'accounts:write']);
    const { data } = await key.send('{ viewer { scopes } }');
    expect(data.viewer.scopes).toEqual(['customers:read', 'accounts:write']);
  });

  it('includes read access if it allows writes', async () => {
    const key = await service.newKey(owner, ['accounts:write', 'customers:write']);
    const { data } = await key.send('{ account(id: "A1") { customer { id } } }');
    expect(data.account.customer.id).toBe('C1');
  });
});

describe('a key without customers:read', () => {
  it('gets an error with the path of an account’s customer', async () => {
    const key = await service.newKey(owner, ['accounts:read']);
    const { data, errors } = await key.send('{ account(id: "A1") { id customer { id } } }');
    expect(data.account).toBeNull();
    expect(refusals(errors)).toEqual([[['account', 'customer'], 'FORBIDDEN', 'customers:read']]);
  });
});

describe('a key without accounts:read', () => {
  it('cannot count the accounts of a customer', async () => {
    const key = await service.newKey(owner, ['customers:read']);
    const { errors } = await key.send('{ customer(id: "C1") { accounts { totalCount } } }');
    expect(refusals(errors)).toEqual([[['customer', 'accounts'], 'FORBIDDEN', 'accounts:read']]);
  });

  it('gets an error with the path of each account entity, and the other entities', async () => {
    const key = await service.newKey(owner, ['customers:read']);
    const document = `query($all: [_Any!]!) { _entities(representations: $all) {
      ... on Customer { id } ... on Account { id } ... on AccountReference { alias } } }`;
    const all = [
      { __typename: 'Customer', id: 'C1' },
      { __typename: 'Account', id: 'A1' },
      { __typename: 'Account', id: 'nobody' },
      { __typename: 'AccountReference', alias: 'x', effectiveOn: later },
    ];
    const { data, errors } = await key.send(document, { all });
    expect(data._entities).toEqual([{ id: 'C1' }, null, null, null]);
    expect(refusals(errors)).toEqual(
      [1, 2, 3].map((index) => [['_entities', index], 'FORBIDDEN', 'accounts:read']),
    );
  });

  it.each([
    [
      'createCustomer',
      'mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }',
    ],
    [
      'createCustomers',
      'mutation($other: CreateCustomerInput!, $input: CreateCustomerInput!) { createCustomers(inputs: [$other, $input]) { __typename } }',
    ],
  ])('cannot create a first account with a customer by %s', async (field, document) => {
    const key = await service.newKey(owner, ['customers:write']);
    const { customerId: _, ...account } = accountInput({ id: 'A9' }) as Json;
    const [other, input] = [customerInput({ id: 'C8' }), customerInput({ id: 'C9', account })];
    const { errors } = await key.send(document, field === 'createCustomers' ? { other, input } : { input });
    expect(refusals(errors)).toEqual([[[field], 'FORBIDDEN', 'accounts:write']]);
    const { data } = await owner.send('{ other: customer(id: "C8") { id } customer(id: "C9") { id } }');
    expect(data).toEqual({ other: null, customer: null });
  });
});
