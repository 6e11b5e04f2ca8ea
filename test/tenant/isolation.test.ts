import { expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import { accountInput, createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { accountFields, tryMutation } from '../support/mutations.ts';
import { type Answer, type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const document = `
query($account: ID!, $alias: String!, $customer: ID!, $nodeIds: [ID!]!, $nodeId: ID!, $entities: [_Any!]!) {
  account(id: $account) { ...AccountFields }
  byAlias: accountByAlias(alias: $alias) { ...AccountFields }
  customer(id: $customer) { id settings { id } }
  node(nodeId: $nodeId) { nodeId }
  nodes(nodeIds: $nodeIds) { nodeId }
  accounts(filter: { customerId: $customer }) { totalCount nodes { id } }
  _entities(representations: $entities) { __typename }
}
${accountFields}`;

interface Names {
  account: string;
  alias: string;
  customer: string;
  accountNode: string;
  customerNode: string;
}

function look(client: Client, { account, alias, customer, accountNode, customerNode }: Names) {
  const entities = [
    { __typename: 'Account', id: account },
    { __typename: 'Account', nodeId: accountNode },
    { __typename: 'Customer', id: customer },
    { __typename: 'Customer', nodeId: customerNode },
  ];
  const nodeIds = [accountNode, customerNode];
  return client.send(document, { account, alias, customer, nodeId: accountNode, nodeIds, entities });
}

const shown = ({ status, data, errors }: Answer) => ({ status, data, errors });

it('answers for entities of another tenant as for unknown ones', async () => {
  const [owner, stranger] = [await tenantWithCustomer(service), await service.newTenant()];
  const account: Json = await createAccount(owner, { aliases: ['x'] });
  const names = { account: 'A1', alias: 'x', customer: 'C1' };
  const nodes = { accountNode: account.nodeId, customerNode: account.customer.nodeId };
  expect((await look(owner, { ...names, ...nodes })).data.account).toEqual(account);
  const unknown = await look(stranger, {
    account: 'nobody',
    alias: 'nobody',
    customer: 'nobody',
    accountNode: 'account_01m84fadmwe03rqpvwbebaam9z',
    customerNode: 'customer_01m84fadmwe03rqpvwbebaam9z',
  });
  expect(shown(await look(stranger, { ...names, ...nodes }))).toEqual(shown(unknown));
  expect(unknown.data).toEqual({
    account: null,
    byAlias: null,
    customer: null,
    node: null,
    nodes: [null, null],
    accounts: { totalCount: 0, nodes: [] },
    _entities: [null, null, null, null],
  });
});

it('accepts the same ids and aliases in two tenants', async () => {
  const clients = [await tenantWithCustomer(service), await tenantWithCustomer(service)];
  const nodeIds = [];
  for (const [index, client] of clients.entries()) {
    const name = `Account of tenant ${index}`;
    nodeIds.push((await createAccount(client, { name, aliases: ['x'], idempotencyKey: 'k' })).nodeId);
  }
  expect(new Set(nodeIds).size).toBe(2);
  for (const [index, client] of clients.entries()) {
    const { data } = await client.send('{ accountByAlias(alias: "x") { name } accounts { totalCount } }');
    expect(data).toEqual({
      accountByAlias: { name: `Account of tenant ${index}` },
      accounts: { totalCount: 1 },
    });
  }
});

it('rejects an account of another tenant’s customer like one of an unknown customer', async () => {
  const [owner, stranger] = [await tenantWithCustomer(service), await service.newTenant()];
  const before = [await rowCounts(service, owner), await rowCounts(service, stranger)];
  expect(await tryMutation(stranger, 'createAccount', accountInput({ idempotencyKey: 'k' }))).toMatchObject({
    __typename: 'NotFoundError',
    type: 'Customer',
    id: 'C1',
  });
  expect([await rowCounts(service, owner), await rowCounts(service, stranger)]).toEqual(before);
});

it('reads the customer, aliases and settings of an account from its own tenant only', async () => {
  const clients = [await service.newTenant(), await service.newTenant()];
  for (const [index, client] of clients.entries()) {
    const settings = [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: `of ${index}` }];
    await createCustomer(client, { name: `Customer ${index}`, settings });
    await createAccount(client, { aliases: [`alias-${index}`], settings });
  }
  for (const [index, client] of clients.entries()) {
    const { data } = await client.send(
      '{ account(id: "A1") { customer { name settings { value } } aliases { value } settings { value } } }',
    );
    const settings = [{ value: `of ${index}` }];
    expect(data.account).toEqual({
      customer: { name: `Customer ${index}`, settings },
      aliases: [{ value: `alias-${index}` }],
      settings,
    });
  }
});
