import { beforeAll, describe, expect, it } from 'vitest';
import { documentLimits } from '../../src/pipeline/limits.ts';
import { listOf } from '../support/field-limits.ts';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
let client: Client;
let nodeId = '';

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  const account: Json = await createAccount(client, { id: 'A1' });
  nodeId = account.nodeId;
});

async function ask(query: string, variables: object = {}, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ query, variables });
  const { text } = await sendRaw(service, client, { body, headers: { ...json, ...headers } });
  return JSON.parse(text) as Json;
}

async function costOf(query: string, variables: object = {}): Promise<number> {
  const { errors, extensions } = await ask(query, variables, { 'graphql-cost': 'report' });
  expect(errors).toBeUndefined();
  expect(extensions.cost).toEqual({
    requestedQueryCost: expect.any(Number),
    maximumQueryCost: documentLimits.cost.maximum,
  });
  return extensions.cost.requestedQueryCost;
}

describe('the cost of a request', () => {
  it('is reported only with the header `graphql-cost: report`', async () => {
    expect(await ask('{ __typename }')).toEqual({ data: { __typename: 'Query' } });
    expect(await costOf('{ __typename }')).toBe(51);
  });

  it('is 50 plus 1 for each field and each entry of a list', async () => {
    expect(await costOf('{ viewer { keyName tenant { name } } }')).toBe(50 + 4);
    expect(await costOf(`{ nodes(nodeIds: ["${nodeId}", ""]) { nodeId __typename } }`)).toBe(50 + 1 + 2 * 3);
  });

  it('counts a page by its size, by default 20, plus 10', async () => {
    const page = (entries: number) => 50 + 10 + 1 + entries * 2;
    expect(await costOf('{ accounts { nodes { id } } }')).toBe(page(20));
    expect(await costOf('{ accounts(first: 3) { nodes { id } } }')).toBe(page(3));
    expect(await costOf('{ accounts(last: 3) { nodes { id } } }')).toBe(page(3));
    expect(await costOf('{ accounts(first: null) { nodes { id } } }')).toBe(page(20));
  });

  it('multiplies the sizes of nested pages', async () => {
    const inner = 10 + 1 + 7 * 2;
    const query = '{ customers(first: 5) { nodes { accounts(first: 7) { nodes { id } } } } }';
    expect(await costOf(query)).toBe(50 + 10 + 1 + 5 * (1 + inner));
  });

  it('reads variables and their defaults', async () => {
    const query = 'query($n: Int = 4, $m: Int) { accounts(first: $n, last: $m) { nodes { id } } }';
    const page = (entries: number) => 50 + 10 + 1 + entries * 2;
    expect(await costOf(query)).toBe(page(4));
    expect(await costOf(query, { n: 9 })).toBe(page(9));
    expect(await costOf(query, { n: null, m: 2 })).toBe(page(2));
    expect(await costOf(query, { n: null })).toBe(page(20));
  });

  it('counts lists of ids and representations by their length', async () => {
    const nodes = 'query($ids: [ID!]!) { nodes(nodeIds: $ids) { nodeId } }';
    expect(await costOf(nodes, { ids: Array(30).fill(nodeId) })).toBe(50 + 1 + 30 * 2);
    const entities =
      'query($all: [_Any!]!) { _entities(representations: $all) { ... on Account { id name } } }';
    const all = Array(30).fill({ __typename: 'Account', id: 'A1' });
    expect(await costOf(entities, { all })).toBe(50 + 1 + 30 * 3);
  });

  it.each([
    ['createAccounts', 'CreateAccountInput', { name: 'New', customerId: 'C1' }],
    [
      'createCustomers',
      'CreateCustomerInput',
      { name: 'New', primaryEmail: 'a@b.example', address: { country: 'US' } },
    ],
    ['updateAccounts', 'UpdateAccountInput', { name: 'New' }],
  ])('counts the inputs of %s', async (name, type, fields) => {
    const document = `mutation($all: [${type}!]!) { ${name}(inputs: $all) { __typename } }`;
    const all = listOf(3, (n) => ({ id: `N${n}`, ...fields }));
    expect(await costOf(document, { all })).toBe(50 + 1 + 3 * (100 + 2));
  });

  it('is higher for writes, JSON, counts and aliases', async () => {
    expect(await costOf('mutation { archiveAccount(input: { id: "no" }) { __typename } }')).toBe(50 + 102);
    expect(await costOf('{ account(id: "no") { metadata } }')).toBe(50 + 1 + 10);
    expect(await costOf('{ accounts { totalCount } }')).toBe(50 + 10 + 150);
    const asOf = 'asOf: "2030-01-01T00:00:00Z"';
    expect(await costOf(`{ account(id: "no", ${asOf}) { id } }`)).toBe(50 + 1 + 20 + 1);
    expect(await costOf(`{ a: customer(id: "no", ${asOf}) { id } }`)).toBe(50 + 10 + 20 + 1);
    expect(await costOf('{ account(id: "no", asOf: null) { id } }')).toBe(50 + 1 + 1);
    expect(await costOf('{ account(id: "no") { diff(from: "2030-01-01") { field } } }')).toBe(
      50 + 1 + 40 + 5 * 2,
    );
    const search = '{ accounts(first: 1, filter: { search: "a" }) { totalCount } }';
    expect(await costOf(search)).toBe(50 + 10 + 500 + 150);
    const byVariable = 'query($f: AccountFilter) { accounts(first: 1, filter: $f) { totalCount } }';
    expect(await costOf(byVariable, { f: { search: 'a' } })).toBe(50 + 10 + 500 + 150);
    expect(await costOf(byVariable, { f: { tag: 'a' } })).toBe(50 + 10 + 150);
    expect(await costOf('{ viewer { a: keyName keyName } }')).toBe(50 + 1 + 10 + 1);
  });

  it('counts fields that are merged once', async () => {
    const query = `{ viewer { keyName } viewer { keyName ...F ...F } ... on Query { viewer { keyName } } }
                   fragment F on Viewer { keyName scopes }`;
    expect(await costOf(query)).toBe(50 + 3);
  });

  it('is reported in the first part of an incremental response', async () => {
    const headers = { authorization: `Bearer ${client.token}`, ...json, accept: 'multipart/mixed' };
    const response = await service.fetch(
      new Request('http://localhost/graphql', {
        method: 'POST',
        headers: { ...headers, 'graphql-cost': 'report' },
        body: JSON.stringify({ query: '{ viewer { keyName ... @defer { scopes } } }' }),
      }),
    );
    const [first = '', ...others] = (await response.text()).split('requestedQueryCost');
    expect(first).toContain('"keyName":"test"');
    expect(others).toHaveLength(1);
  });
});

const whole = `
  nodeId id name status customerId invoiceCurrency netTermDays primaryEmail tags metadata version createdAt updatedAt
  address { phoneNumber line1 line2 postalCode city state country }
  billingInformation { emailRecipients additionalEmailRecipients }
  aliases { value effectiveFrom effectiveUntil createdAt }
  aliasTimeline { nodes { value effectiveFrom effectiveUntil createdAt } }
  settings { id namespace name dataType value }
  history { nodes { id kind at actor requestId version before after } }
  customer {
    nodeId id name status primaryEmail billingAddress metadata version createdAt updatedAt
    address { phoneNumber line1 line2 postalCode city state country }
    settings { id namespace name dataType value }
  }`;

describe('the cost limit', () => {
  it('allows a page of 100 accounts with every field', async () => {
    const { errors, data } = await ask(`{ accounts(first: 100) { nodes { ${whole} } } }`);
    expect(errors).toBeUndefined();
    expect(data.accounts.nodes.length).toBeGreaterThan(0);
  });

  it('allows 100 representations of accounts with every field', async () => {
    const query = `query($all: [_Any!]!) { _entities(representations: $all) { ... on Account { ${whole} } } }`;
    const { errors, data } = await ask(query, { all: Array(100).fill({ __typename: 'Account', id: 'A1' }) });
    expect(errors).toBeUndefined();
    expect(data._entities).toHaveLength(100);
  });
});
