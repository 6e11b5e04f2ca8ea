import { beforeAll, describe, expect, it } from 'vitest';
import { statementsOf } from '../support/database.ts';
import { accountInput, createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const settings = [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: 'v' }];
const idOf = (index: number) => `A-${String(index).padStart(3, '0')}`;

/** A tenant with 100 accounts of 10 customers, each with an alias and a setting. Tests only read it. */
let large: { client: Client; accounts: Json[]; customers: Json[] };

beforeAll(async () => {
  const client = await service.newTenant();
  const customers = await Promise.all(
    Array.from({ length: 10 }, (_, index) => createCustomer(client, { id: `C-${index}`, settings })),
  );
  const accounts = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      createAccount(client, {
        id: idOf(index),
        customerId: `C-${index % 10}`,
        aliases: [`alias-${index}`],
        settings,
      }),
    ),
  );
  large = { client, accounts, customers };
});

/** Returns the statements of a document, after a first run that opens connections. */
async function costOf(client: Client, document: string, variables = {}): Promise<string[]> {
  await client.send(document, variables);
  return statementsOf(service, async () => {
    const { errors } = await client.send(document, variables);
    expect(errors).toBeUndefined();
  });
}

function expectStatements(texts: string[], count: number): void {
  expect(texts, texts.join('\n')).toHaveLength(count);
}

const wholeAccount = `id name address { city } customer { id name } aliases { value } settings { value }`;

/** Returns the statements that select from customers, without joins to customers. */
const readsOfCustomers = (texts: string[]) =>
  texts.filter((text) => /^select [^(]* from "customers"/.test(text));

describe('a mutation', () => {
  const run = (client: Client, document: string, input: object) =>
    statementsOf(service, async () => {
      const { data, errors } = await client.send(document, { input });
      expect(errors).toBeUndefined();
      expect(Object.values(data as Json)).toEqual([
        expect.objectContaining({ __typename: expect.any(String) }),
      ]);
    });
  const createAccountDocument = (selection: string) =>
    `mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename
      ... on CreateAccountSuccess { replayed account { ${selection} } } } }`;

  it('runs one statement for createAccount with every field', async () => {
    const client = await tenantWithCustomer(service);
    const input = accountInput({
      aliases: ['x', 'y'],
      settings,
      idempotencyKey: 'k',
      address: { city: 'x' },
    });
    expectStatements(await run(client, createAccountDocument('id name address { city } tags'), input), 1);
  });

  it('runs one statement for createAccount that returns every field', async () => {
    const client = await tenantWithCustomer(service);
    const input = accountInput({ aliases: ['x', 'y'], settings, idempotencyKey: 'k' });
    expectStatements(await run(client, createAccountDocument(wholeAccount), input), 1);
  });

  it('runs one statement for createAccount that returns the customer', async () => {
    const client = await tenantWithCustomer(service);
    const texts = await run(client, createAccountDocument('id customer { id name version }'), accountInput());
    expectStatements(texts, 1);
  });

  it('runs one statement for createAccount of an unknown customer', async () => {
    const client = await service.newTenant();
    expectStatements(await run(client, createAccountDocument('id'), accountInput()), 1);
  });

  it('runs one statement for updateAccount with an idempotency key', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'A1' });
    const document = `mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename
      ... on UpdateAccountSuccess { account { id name version } } } }`;
    expectStatements(await run(client, document, { id: 'A1', name: 'Changed', idempotencyKey: 'k' }), 1);
  });

  it('runs two statements for updateAccount that returns every field', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'A1', aliases: ['x'], settings });
    const document = `mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename
      ... on UpdateAccountSuccess { account { ${wholeAccount} } } } }`;
    expectStatements(await run(client, document, { id: 'A1', name: 'Changed' }), 2);
  });

  it('leaves idempotency records out of the statements of writes without a key', async () => {
    const client = await tenantWithCustomer(service);
    const created = await run(client, createAccountDocument('id'), accountInput({ id: 'A1' }));
    const document = `mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename
      ... on UpdateAccountSuccess { account { id } } } }`;
    const renamed = await run(client, document, { id: 'A1', name: 'Changed' });
    for (const texts of [created, renamed]) expect(texts.join()).not.toContain('idempotency_records');
    const repeatable = await run(client, document, { id: 'A1', name: 'Again', idempotencyKey: 'k' });
    expect(repeatable.join()).toContain('idempotency_records');
  });

  it('runs one statement for createCustomer with a first account', async () => {
    const client = await service.newTenant();
    const document =
      'mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename ... on CreateCustomerSuccess { customer { id name } } } }';
    const account = { id: 'A1', name: 'First', aliases: ['x'], settings };
    const input = {
      id: 'C1',
      name: 'New',
      primaryEmail: 'a@b.co',
      address: { city: 'x' },
      settings,
      account,
    };
    expectStatements(await run(client, document, { ...input, idempotencyKey: 'k' }), 1);
  });
});

describe('a query', () => {
  it.each([
    ['account', '{ account(id: "A-001") { id name customerId address { city } } }'],
    ['a whole account', `{ account(id: "A-001") { ${wholeAccount} } }`],
    ['accountByAlias', '{ accountByAlias(alias: "alias-1") { id name } }'],
    ['a whole account by its alias', `{ accountByAlias(alias: "alias-1") { ${wholeAccount} } }`],
    [
      'an account by two names',
      '{ accountByAlias(alias: "alias-1") { id } other: accountByAlias(alias: "A-001") { id } }',
    ],
    ['customer', '{ customer(id: "C-1") { id name billingAddress } }'],
    ['the same account twice', '{ a: account(id: "A-001") { id } b: account(id: "A-001") { name } }'],
    ['a list of accounts', '{ accounts(first: 5) { nodes { id } pageInfo { hasNextPage } } }'],
    [
      'a page of whole accounts',
      `{ accounts(first: 50) { nodes { ${wholeAccount} } pageInfo { endCursor } } }`,
    ],
    ['a search', `{ accounts(first: 50, filter: { search: "alias-1" }) { nodes { ${wholeAccount} } } }`],
  ])('runs one statement for %s', async (_, document) => {
    expectStatements(await costOf(large.client, document), 1);
  });

  it('runs no statement if nothing is read', async () => {
    expect(
      await costOf(large.client, '{ viewer { keyName tenant { name } } nodes(nodeIds: ["x"]) { nodeId } }'),
    ).toEqual([]);
  });
});

describe('a list of 100 accounts', () => {
  it('runs one statement with customers, aliases and settings, and one for the settings of customers', async () => {
    const document = `{ accounts(first: 100) { nodes {
      id customer { name settings { value } } aliases { value } settings { value } } } }`;
    const { data } = await large.client.send(document);
    expect(data.accounts.nodes).toHaveLength(100);
    for (const { id, customer, aliases, settings: own } of data.accounts.nodes) {
      expect(aliases).toEqual([{ value: `alias-${Number(id.slice(2))}` }]);
      expect([own, customer.settings]).toEqual([[{ value: 'v' }], [{ value: 'v' }]]);
    }
    expectStatements(await costOf(large.client, document), 2);
  });

  it('counts only if totalCount is selected', async () => {
    const plain = await costOf(large.client, '{ accounts(first: 5) { nodes { id } } }');
    const counted = await costOf(large.client, '{ accounts(first: 5) { nodes { id } totalCount } }');
    expect([plain.length, counted.length]).toEqual([1, 2]);
    expect(counted.filter((text) => text.includes('count('))).toHaveLength(1);
  });

  it('does not read an account again through its aliases', async () => {
    const document = '{ accounts(first: 100) { nodes { id aliases { account { id customer { id } } } } } }';
    expectStatements(await costOf(large.client, document), 1);
  });
});

describe('a batch of one document', () => {
  it('reads customers once for accounts, nodes, entities, accountByAlias and the accounts of aliases', async () => {
    const document = `query($nodeIds: [ID!]!, $entities: [_Any!]!) {
      accounts(first: 3, filter: { customerId: "C-0" }) { nodes { customer { name } aliases { account { customer { name } } } } }
      nodes(nodeIds: $nodeIds) { ... on Customer { name } ... on Account { customer { name } } }
      _entities(representations: $entities) { ... on Customer { name } ... on Account { customer { name } } }
      accountByAlias(alias: "alias-56") { customer { name } }
      customer(id: "C-9") { name }
    }`;
    // Each path has another customer, so that no batch is right by chance.
    const nodeIds = [large.customers[5].nodeId, large.accounts[11].nodeId];
    const entities = [
      { __typename: 'Customer', id: 'C-2' },
      { __typename: 'Account', id: idOf(33) },
      { __typename: 'Account', nodeId: large.accounts[44].nodeId },
    ];
    const texts = await costOf(large.client, document, { nodeIds, entities });
    expect(readsOfCustomers(texts), texts.join('\n')).toHaveLength(1);
  });

  it('reads only the tables of an account that the document selects', async () => {
    const tablesOf = async (selection: string) => {
      const [text = ''] = await costOf(large.client, `{ account(id: "${idOf(1)}") { ${selection} } }`);
      return ['customers', 'aliases', 'settings'].filter((table) => text.includes(`"${table}"`));
    };
    expect(await tablesOf('id name')).toEqual([]);
    expect(await tablesOf('customer { name }')).toEqual(['customers']);
    expect(await tablesOf('aliases { value } settings { value }')).toEqual(['aliases', 'settings']);
  });

  it('reads 100 account entities with their customers in one statement', async () => {
    const document = `query($all: [_Any!]!) { _entities(representations: $all) {
      ... on Account { id name customer { name } } } }`;
    const all = large.accounts.map(({ id }) => ({ __typename: 'Account', id }));
    expectStatements(await costOf(large.client, document, { all }), 1);
  });

  it('reads 100 entities of two types by both ids in one statement per type', async () => {
    const document =
      'query($all: [_Any!]!) { _entities(representations: $all) { ... on Account { id } ... on Customer { id } } }';
    const ofAccounts = large.accounts.slice(0, 90).map(({ id, nodeId }, index) => ({
      __typename: 'Account',
      ...(index % 2 === 0 ? { id } : { nodeId }),
    }));
    const ofCustomers = large.customers.map(({ id, nodeId }, index) => ({
      __typename: 'Customer',
      ...(index % 2 === 0 ? { id } : { nodeId }),
    }));
    const all = [...ofAccounts, ...ofCustomers].toSorted(
      (a, b) => JSON.stringify(a).length - JSON.stringify(b).length,
    );
    const { data } = await large.client.send(document, { all });
    expect(data._entities.every((entity: Json) => entity !== null)).toBe(true);
    const texts = await costOf(large.client, document, { all });
    expectStatements(texts, 2);
    expect(readsOfCustomers(texts)).toHaveLength(1);
  });

  it('reads 100 account references with their accounts and customers in one statement', async () => {
    const document = `query($all: [_Any!]!) { _entities(representations: $all) {
      ... on AccountReference { account { name customer { name } } } } }`;
    const all = large.accounts.map((_, index) => ({
      __typename: 'AccountReference',
      alias: `alias-${index}`,
      effectiveOn: '2030-01-01T00:00:00Z',
    }));
    expectStatements(await costOf(large.client, document, { all }), 1);
  });

  it('reads 50 accounts, each as of another instant, in one statement, and their customers in one', async () => {
    const start = Date.now();
    const selected = Array.from({ length: 50 }, (_, index) => {
      const asOf = new Date(start + index).toISOString();
      return `t${index}: account(id: "${idOf(index)}", asOf: "${asOf}") { ${wholeAccount} }`;
    });
    const document = `{ ${selected.join(' ')} }`;
    expect((await large.client.send(document)).data.t49).toMatchObject({ id: idOf(49), aliases: [{}] });
    expectStatements(await costOf(large.client, document), 2);
  });

  it('reads a diff in three statements', async () => {
    const document = `{ account(id: "A-001") { diff(from: "2000-01-01T00:00:00Z") { field actor } } }`;
    expectStatements(await costOf(large.client, document), 3);
  });

  it('reads aliases at several instants and settings of both owners in three statements', async () => {
    const document = `{ account(id: "A-001") { now: aliases { value } then: aliases(effectiveOn: "2020-01-01T00:00:00Z") { value }
      settings { id } customer { settings { id } } } }`;
    const texts = await costOf(large.client, document);
    expectStatements(texts, 3);
  });
});
