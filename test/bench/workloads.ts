import { accountId, aliasOf } from './data.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers of five services, compared as a whole
export type Json = any;

export const workloads = {
  W1: 'createAccount: address, two aliases, a setting, its line of history; answers with the customer',
  W2: 'one account whole: customer, address, aliases, settings',
  W3: 'a page of 50 accounts, each whole',
  W4: '100 entity references with their customers',
  W5: '`{ __typename }`',
  W6: 'an account by an alias',
  W7: 'updateAccount',
  W8: 'a search page at a million accounts',
};

export type Workload = keyof typeof workloads;

export interface Ask {
  query: string;
  variables: Json;
}

/** How a service is asked for a workload, and how its answer reads in the words of all. */
export interface Dialect {
  ask(workload: Workload, variables: Json): Ask | Json;
  read(workload: Workload, data: Json): Json;
}

const whole = `id name status invoiceCurrency netTermDays primaryEmail tags version updatedAt
  customer { id name } address { line1 city postalCode country } aliases { value }
  settings { id namespace name dataType value }`;

const success = (type: string, fields: string) =>
  `... on ${type}Success { account { ${fields} } } ... on Error { code message }`;

/** The documents of this service, and of the peers that have the same schema. */
function documents(answerOf: (mutation: string, fields: string) => string): Record<Workload, string> {
  return {
    W1: `mutation CreateAccount($input: CreateAccountInput!) {
      createAccount(input: $input) { ${answerOf('CreateAccount', 'id name customer { name }')} } }`,
    W2: `query Account($id: ID!) { account(id: $id) { ${whole} } }`,
    W3: `query Accounts($first: Int!) {
      accounts(first: $first) { nodes { ${whole} } pageInfo { hasNextPage endCursor } } }`,
    W4: `query Entities($representations: [_Any!]!) {
      _entities(representations: $representations) { ... on Account { id name customer { name } } } }`,
    W5: '{ __typename }',
    W6: 'query ByAlias($alias: String!) { accountByAlias(alias: $alias) { id name status customer { id name } } }',
    W7: `mutation UpdateAccount($input: UpdateAccountInput!) {
      updateAccount(input: $input) { ${answerOf('UpdateAccount', 'id name version')} } }`,
    W8: `query Search($search: String!) {
      accounts(first: 20, filter: { search: $search }) { nodes { id name customer { name } } } }`,
  };
}

const field: Record<Workload, string> = {
  W1: 'createAccount',
  W2: 'account',
  W3: 'accounts',
  W4: '_entities',
  W5: '__typename',
  W6: 'accountByAlias',
  W7: 'updateAccount',
  W8: 'accounts',
};

const ownDocuments = documents(success);
export const own: Dialect = {
  ask: (workload, variables) => ({ query: ownDocuments[workload], variables }),
  read(workload, data) {
    const answer = data[field[workload]];
    return workload === 'W1' || workload === 'W7' ? answer.account : answer;
  },
};

const peerDocuments = documents((_, fields) => fields);
export const peer: Dialect = {
  ask: (workload, variables) => ({ query: peerDocuments[workload], variables }),
  read: (workload, data) => data[field[workload]],
};

export const limit: Dialect = { ask: (_, variables) => variables, read: (_, data) => data };

const graphileWhole = `id: rowId name status invoiceCurrency netTermDays primaryEmail tags version updatedAt
  customer: tenantCustomer { id: rowId name } line1: addressLine1 city: addressCity postalCode: addressPostalCode
  country: addressCountry aliases: aliasesList { value } settings: settingsList { id: rowId namespace name dataType value }`;

const graphile: Record<Workload, string> = {
  W1: `mutation CreateAccount($input: JSON!) { createAccount(input: { input: $input }) {
    result { id: rowId name customer: tenantCustomer { name } } } }`,
  W2: `query Account($id: String!) { account(tenantId: 1, rowId: $id) { ${graphileWhole} } }`,
  W3: `query Accounts($first: Int!) {
    liveAccounts(first: $first) {
      nodes { ${graphileWhole} } pageInfo { hasNextPage endCursor } } }`,
  W4: `query Entities($ids: [String!]!) { accountsByIdsList(ids: $ids) {
    id: rowId name customer: tenantCustomer { name } } }`,
  W5: '{ __typename }',
  W6: `query ByAlias($alias: String!) { accountByAlias(alias: $alias) {
    id: rowId name status customer: tenantCustomer { id: rowId name } } }`,
  W7: `mutation UpdateAccount($id: String!, $name: String!) {
    updateAccount(input: { id: $id, name: $name }) { result { id: rowId name version } } }`,
  W8: `query Search($search: String!) {
    searchAccounts(search: $search, first: 20) { nodes { id: rowId name customer: tenantCustomer { name } } } }`,
};

function nested({ line1, city, postalCode, country, ...account }: Json) {
  return { ...account, address: { line1, city, postalCode, country } };
}

export const postgraphile: Dialect = {
  ask(workload, variables) {
    const ids = workload === 'W4' && { ids: variables.representations.map(({ id }: Json) => id) };
    return { query: graphile[workload], variables: ids || (workload === 'W7' ? variables.input : variables) };
  },
  read(workload, data) {
    if (workload === 'W5') return data.__typename;
    const [answer] = Object.values(data) as Json[];
    if (workload === 'W1' || workload === 'W7') return answer.result;
    if (workload === 'W2') return nested(answer);
    return workload === 'W3' ? { ...answer, nodes: answer.nodes.map(nested) } : answer;
  },
};

/** Different variables of a workload, as many as make its requests differ from one to the next. */
export function variablesOf(workload: Workload, accounts: number): Json[] {
  const spread = (count: number) => Array.from({ length: count }, (_, n) => (n * 7919 + 13) % accounts);
  switch (workload) {
    case 'W1':
      return spread(500).map((n) => ({ input: newAccount(n) }));
    case 'W2':
      return spread(1000).map((n) => ({ id: accountId(n) }));
    case 'W3':
      return [{ first: 50 }];
    case 'W4':
      return spread(50).map((n) => ({ representations: references(n, accounts) }));
    case 'W5':
      return [{}];
    case 'W6':
      return spread(1000).map((n) => ({ alias: aliasOf(n) }));
    case 'W7':
      return spread(1000).map((n) => ({ input: { id: accountId(n), name: `Account renamed ${n}` } }));
    case 'W8':
      return spread(500).map((n) => ({ search: `Account ${n}` }));
  }
}

function references(n: number, accounts: number) {
  return Array.from({ length: 100 }, (_, k) => ({
    __typename: 'Account',
    id: accountId((n + k * 97) % accounts),
  }));
}

/** `$NEW` becomes another text in each request. */
function newAccount(n: number) {
  return {
    id: 'N-$NEW',
    name: 'A new account',
    customerId: `C-${String(n % 1000).padStart(6, '0')}`,
    address: { line1: '2281 Broadway Street', city: 'Florence', postalCode: '29501', country: 'US' },
    aliases: ['n-$NEW@acme.example', 'phone-$NEW'],
    settings: [{ id: 'plan', namespace: 'billing', name: 'Plan', dataType: 'STRING', value: 'gold' }],
  };
}

/** An answer without what services may differ in: how they write instants and cursors. */
export function comparable(value: Json): Json {
  return JSON.parse(
    JSON.stringify(value, (key, inner) => {
      if (key === 'updatedAt') return new Date(inner).toISOString();
      if (key === 'endCursor') return typeof inner;
      return sorted(inner);
    }),
  );
}

function sorted(value: Json): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
