import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Listening } from './listen.ts';
import { type Caller, gateways, type Json, post, useSubgraphs } from './support.ts';

const subgraphs = useSubgraphs();
const accountCount = 100;
const customerCount = 10;
const first = '2026-05-01T00:00:00.000Z';
const later = '2026-06-01T00:00:00.000Z';

const createCustomer = `mutation($input: CreateCustomerInput!) { createCustomer(input: $input) {
  ... on CreateCustomerSuccess { customer { id nodeId } } ... on Error { code message } } }`;
const createAccounts = `mutation($inputs: [CreateAccountInput!]!) { createAccounts(inputs: $inputs) {
  __typename ... on Error { code message } } }`;
const recordUsage = `mutation($input: RecordUsageInput!) { recordUsage(input: $input) {
  ... on RecordUsageSuccess { event { id } } ... on BillingError { code message } } }`;
const issueSilently = 'mutation($input: IssueInvoiceInput!) { issueInvoice(input: $input) { __typename } }';
const issueInvoice = `mutation($input: IssueInvoiceInput!) { issueInvoice(input: $input) {
  __typename ... on IssueInvoiceSuccess { invoice { id dueAt total { currency amount } account { name } } }
  ... on BillingError { code message } ... on NotBillableError { account { name } } } }`;

/** Creates accounts of several customers, each with an alias that has usage, and an invoice. */
async function fill({ ask }: Caller): Promise<void> {
  const { accounts, billing } = subgraphs.urls;
  const created = (answer: { data: Json; errors: Json }) => expect(answer.errors).toBeUndefined();
  for (let index = 0; index < customerCount; index += 1) {
    const input = {
      id: `C${index}`,
      name: `Customer ${index}`,
      primaryEmail: 'a@b.co',
      address: { city: 'x' },
    };
    created(await ask(accounts, createCustomer, { input }));
  }
  const list = Array.from({ length: accountCount }, (_, index) => ({
    id: `A${index}`,
    name: `Account ${index}`,
    customerId: `C${index % customerCount}`,
    aliases: [`meter-${index}`],
  }));
  created(await ask(accounts, createAccounts, { inputs: list }));
  for (let index = 0; index < accountCount; index += 1) {
    const usage = { alias: `meter-${index}`, meter: 'api_calls', quantity: index + 1, at: first };
    created(await ask(billing, recordUsage, { input: usage }));
    created(await ask(billing, issueSilently, { input: { accountId: `A${index}`, amount: 100 + index } }));
  }
}

let caller: Awaited<ReturnType<typeof subgraphs.newTenant>>;

beforeAll(async () => {
  caller = await subgraphs.newTenant();
  await fill(caller);
});

/** Returns the statements of a query without token lookups, after a first run that opens connections. */
async function statementsOf(ask: () => Promise<unknown>): Promise<string[]> {
  await ask();
  const texts = await subgraphs.statements(ask);
  return texts.filter((text) => !text.includes('api_keys'));
}

const fromAccounts = `{ accounts(first: ${accountCount}, orderBy: { field: ID, direction: ASC }) { nodes {
  id usage { meter quantity } invoices { nodes { total { amount } } } customer { name invoiced { currency amount } } } } }`;
const fromUsage = `{ recentUsage(first: ${accountCount}) {
  quantity account { alias effectiveOn account { id name customer { name } } } } }`;
const fromInvoices = `{ invoices(first: ${accountCount}) { nodes {
  total { amount } account { id name } customer { id name } } pageInfo { hasNextPage } } }`;

describe.each(Object.entries(gateways))('%s', (_, start) => {
  let gateway: Listening;
  const ask = (query: string, variables = {}, by: Caller = caller) => by.ask(gateway.url, query, variables);

  beforeAll(async () => {
    gateway = await start(subgraphs.supergraph());
  });
  afterAll(() => gateway.close());

  it('joins usage and invoices to 100 accounts and sums to customers in one statement', async () => {
    const { data, errors } = await ask(fromAccounts);
    expect(errors).toBeUndefined();
    expect(data.accounts.nodes).toHaveLength(accountCount);
    for (const { id, usage, invoices, customer } of data.accounts.nodes) {
      const index = Number(id.slice(1));
      const ofCustomer = Array.from({ length: 10 }, (_, tens) => 100 + tens * 10 + (index % 10));
      const sum = ofCustomer.reduce((total, amount) => total + amount);
      expect({ usage, invoices, customer }).toEqual({
        usage: [{ meter: 'api_calls', quantity: index + 1 }],
        invoices: { nodes: [{ total: { amount: 100 + index } }] },
        customer: { name: `Customer ${index % 10}`, invoiced: [{ currency: 'USD', amount: sum }] },
      });
    }
    expect(await statementsOf(() => ask(fromAccounts))).toHaveLength(1);
  });

  it('joins accounts by alias and their customers to 100 usage events in one statement', async () => {
    const { data, errors } = await ask(fromUsage);
    expect(errors).toBeUndefined();
    expect(data.recentUsage).toHaveLength(accountCount);
    for (const { quantity, account } of data.recentUsage) {
      const index = quantity - 1;
      expect(account).toEqual({
        alias: `meter-${index}`,
        effectiveOn: first,
        account: { id: `A${index}`, name: `Account ${index}`, customer: { name: `Customer ${index % 10}` } },
      });
    }
    expect(await statementsOf(() => ask(fromUsage))).toHaveLength(1);
  });

  it('joins accounts by id and customers by node id to invoices in one statement per type', async () => {
    const { data, errors } = await ask(fromInvoices);
    expect(errors).toBeUndefined();
    for (const { total, account, customer } of data.invoices.nodes) {
      const index = total.amount - 100;
      expect(account).toEqual({ id: `A${index}`, name: `Account ${index}` });
      expect(customer).toEqual({ id: `C${index % 10}`, name: `Customer ${index % 10}` });
    }
    expect(data.invoices.nodes).toHaveLength(accountCount);
    const texts = await statementsOf(() => ask(fromInvoices));
    expect(texts, texts.join('\n')).toHaveLength(2);
  });

  it('continues pages of both subgraphs in one query', async () => {
    const document = `query($invoice: String, $account: String) {
      invoices(first: 40, after: $invoice) { nodes { id } pageInfo { hasNextPage endCursor } }
      accounts(first: 40, after: $account) { nodes { id } pageInfo { hasNextPage endCursor } } }`;
    const seen: Json[] = [];
    for (let variables = {}, more = true; more; ) {
      const { data, errors } = await ask(document, variables);
      expect(errors).toBeUndefined();
      seen.push(...data.invoices.nodes, ...data.accounts.nodes);
      more = data.invoices.pageInfo.hasNextPage;
      expect(data.accounts.pageInfo.hasNextPage).toBe(more);
      variables = { invoice: data.invoices.pageInfo.endCursor, account: data.accounts.pageInfo.endCursor };
    }
    expect(new Set(seen.map(({ id }) => id)).size).toBe(2 * accountCount);
    const { errors } = await ask('{ invoices(first: 0) { nodes { id } } }');
    expect(errors[0]).toMatchObject({ path: ['invoices'], extensions: { code: 'BAD_REQUEST' } });
  });

  it('resolves a transferred alias to the account at each instant', async () => {
    const tenant = await subgraphs.newTenant();
    const customer = { id: 'C', name: 'Customer', primaryEmail: 'a@b.co', address: { city: 'x' } };
    await ask(createCustomer, { input: customer }, tenant);
    const dated = (id: string, range: object) => ({
      ...{ id, name: `Account ${id}`, customerId: 'C' },
      datedAliases: [{ value: 'device', ...range }],
    });
    const accounts = [dated('old', { effectiveUntil: later }), dated('new', { effectiveFrom: later })];
    await ask(createAccounts, { inputs: accounts }, tenant);
    for (const [alias, at, quantity] of [
      ['device', first, 1],
      ['device', later, 2],
      ['nobody', later, 3],
    ])
      await ask(recordUsage, { input: { alias, at, quantity, meter: 'm' } }, tenant);
    const query = `{ recentUsage { quantity account { account { id } } }
      account(id: "new") { usage { quantity } } }`;
    const { data } = await ask(query, {}, tenant);
    const named = data.recentUsage.map(({ quantity, account }: Json) => [
      quantity,
      account.account?.id ?? null,
    ]);
    expect(named.toSorted()).toEqual([
      [1, 'old'],
      [2, 'new'],
      [3, null],
    ]);
    expect(data.account.usage).toEqual([{ quantity: 2 }]);
  });

  it('runs mutations of both subgraphs with their error unions', async () => {
    const refused = `mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename
      ... on Error { code message } ... on InvalidInputError { issues { path code } } ... on IdTakenError { id } } }`;
    const bad = await ask(refused, { input: { id: 'A1', name: '', customerId: 'C1', aliases: [''] } });
    expect(bad.data.createAccount).toMatchObject({ __typename: 'InvalidInputError', code: 'INVALID_INPUT' });
    expect(bad.data.createAccount.issues.map(({ path }: Json) => path)).toEqual([['name'], ['aliases', '0']]);
    const taken = await ask(refused, { input: { id: 'A1', name: 'Again', customerId: 'C1' } });
    expect(taken.data.createAccount).toMatchObject({
      __typename: 'IdTakenError',
      code: 'ID_TAKEN',
      id: 'A1',
    });
    const none = await ask(issueInvoice, { input: { accountId: 'nope', amount: 5 } });
    expect(none.data.issueInvoice).toMatchObject({ __typename: 'NotBillableError', account: null });
    const tenant = await subgraphs.newTenant();
    const customer = { id: 'C', name: 'Customer', primaryEmail: 'a@b.co', address: { city: 'x' } };
    const made = await ask(
      createCustomer,
      { input: { ...customer, account: { id: 'A', name: 'Main' } } },
      tenant,
    );
    expect(made.data.createCustomer.customer).toMatchObject({ id: 'C' });
    const issued = await ask(issueInvoice, { input: { accountId: 'A', amount: 5 } }, tenant);
    expect(issued.data.issueInvoice).toMatchObject({
      __typename: 'IssueInvoiceSuccess',
      invoice: { total: { currency: 'USD', amount: 5 }, account: { name: 'Main' } },
    });
  });

  it('returns nothing of another tenant for its ids', async () => {
    const stranger = await subgraphs.newTenant();
    const own = await ask('{ account(id: "A1") { nodeId usage { quantity } } }');
    const query = `query($nodeId: ID!) { account(id: "A1") { name usage { quantity } } customer(id: "C1") { invoiced { amount } }
      accountByAlias(alias: "meter-1") { name } invoices { nodes { id } } recentUsage { id } accounts { totalCount } }`;
    const { data, errors } = await ask(query.replace('query($nodeId: ID!) ', ''), {}, stranger);
    expect(errors).toBeUndefined();
    expect(own.data.account.usage).toEqual([{ quantity: 2 }]);
    expect(data).toEqual({
      account: null,
      customer: null,
      accountByAlias: null,
      invoices: { nodes: [] },
      recentUsage: [],
      accounts: { totalCount: 0 },
    });
  });

  it.each([
    ['without a token', {}],
    ['with a bad token', { authorization: 'Bearer agk_nobody' }],
  ])('returns UNAUTHENTICATED from both subgraphs %s', async (_, headers: Record<string, string>) => {
    for (const query of ['{ account(id: "A1") { name } }', '{ recentUsage { id } }', fromUsage]) {
      const { data, errors } = await post(gateway.url, { query }, headers);
      expect(Object.values(data ?? {}).filter((value) => value !== null)).toEqual([]);
      expect(errors[0].extensions.code).toBe('UNAUTHENTICATED');
    }
  });

  it('returns an error at the path that the key may not read', async () => {
    const reader = await subgraphs.newKey(caller.tenantId, ['customers:read']);
    const query = '{ invoices(first: 1) { nodes { total { amount } account { name } customer { name } } } }';
    const { data, errors } = await ask(query, {}, reader);
    expect(errors[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
    expect(errors[0].path.slice(0, 4)).toEqual(['invoices', 'nodes', 0, 'account']);
    expect(data).toBeNull();
  });

  it('does not expose internal fields of a subgraph', async () => {
    for (const query of [
      '{ node(nodeId: "x") { nodeId } }',
      '{ _service { sdl } }',
      '{ nodes(nodeIds: []) { nodeId } }',
    ]) {
      const { errors } = await ask(query);
      expect(errors[0].extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    }
  });
});

it('composes the supergraph of the schema of the running service', async () => {
  const { data } = await caller.ask(subgraphs.urls.accounts, '{ _service { sdl } }');
  const committed = join(import.meta.dirname, '..', '..', 'src', 'schema.graphql');
  expect(data._service.sdl).toBe(await readFile(committed, 'utf8'));
});
