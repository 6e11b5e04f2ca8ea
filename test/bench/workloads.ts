import { accountId, aliasOf } from './data.ts';

// biome-ignore lint/suspicious/noExplicitAny: responses of all services, only compared
export type Json = any;

export const workloads = {
  W1: '`createAccount` with an address, two aliases, a setting and a history row; returns the customer',
  'W1 plain': 'the same; the peers write no history row',
  W2: 'one account with customer, address, aliases and settings',
  W3: 'a page of 50 such accounts',
  W4: '100 entity references with their customers',
  W5: '`{ __typename }`',
  W6: 'an account by alias',
  W7: '`updateAccount` with `expectedVersion` and a history row',
  'W7 plain': 'the same; the peers check no version and write no history row',
  W8: 'a search page at a million accounts',
};

export type Workload = keyof typeof workloads;

/** The name of a workload in a URL. */
export const pathOf = (workload: Workload): string => `/${workload.replace(' ', '-')}`;

export interface GraphqlRequest {
  query: string;
  variables: Json;
}

/** How a service spells the request of a workload, and how to bring its data into the common shape. */
export interface Dialect {
  request(workload: Workload, variables: Json): GraphqlRequest | Json;
  read(workload: Workload, data: Json): Json;
  /** The fields of an account by the names in `selectionFields`; undefined without GraphQL. */
  fields?: Record<SelectionField, string>;
}

export const ownAccount = `id name status invoiceCurrency netTermDays primaryEmail tags version updatedAt
  customer { id name } address { line1 city postalCode country } aliases { value }
  settings { id namespace name dataType value }`;

const success = (type: string, fields: string) =>
  `... on ${type}Success { account { ${fields} } } ... on Error { code message }`;

/** The documents of this service and of the peers with the same schema. */
function documents(
  answerOf: (mutation: string, fields: string) => string,
  plain: string,
): Record<Workload, string> {
  const create = (field: string) => `mutation CreateAccount($input: CreateAccountInput!) {
      ${field}(input: $input) { ${answerOf('CreateAccount', 'id name customer { name }')} } }`;
  const update = (field: string) => `mutation UpdateAccount($input: UpdateAccountInput!) {
      ${field}(input: $input) { ${answerOf('UpdateAccount', 'id name version')} } }`;
  return {
    W1: create('createAccount'),
    'W1 plain': create(`createAccount${plain}`),
    W7: update('updateAccount'),
    'W7 plain': update(`updateAccount${plain}`),
    W2: `query Account($id: ID!) { account(id: $id) { ${ownAccount} } }`,
    W3: `query Accounts($first: Int!) {
      accounts(first: $first) { nodes { ${ownAccount} } pageInfo { hasNextPage endCursor } } }`,
    W4: `query Entities($representations: [_Any!]!) {
      _entities(representations: $representations) { ... on Account { id name customer { name } } } }`,
    W5: '{ __typename }',
    W6: 'query ByAlias($alias: String!) { accountByAlias(alias: $alias) { id name status customer { id name } } }',
    W8: `query Search($search: String!) {
      accounts(first: 20, filter: { search: $search }) { nodes { id name customer { name } } } }`,
  };
}

/** Mutations of this service return a union whose success holds the account. */
const fieldOf = (data: Json) => Object.values(data)[0] as Json;
const isWrite = (workload: Workload) => /^W[17]/.test(workload);

export const selectionFields = {
  status: 'status',
  invoiceCurrency: 'invoiceCurrency',
  netTermDays: 'netTermDays',
  primaryEmail: 'primaryEmail',
  tags: 'tags',
  version: 'version',
  updatedAt: 'updatedAt',
  customer: 'customer { id name }',
  address: 'address { line1 city postalCode country }',
  aliases: 'aliases { value }',
  settings: 'settings { id namespace name dataType value }',
};
export type SelectionField = keyof typeof selectionFields;

const ownDocuments = documents(success, '');
export const ownUpdate = ownDocuments.W7;
export const own: Dialect = {
  request: (workload, variables) => ({ query: ownDocuments[workload], variables }),
  read: (workload, data) => (isWrite(workload) ? fieldOf(data).account : fieldOf(data)),
  fields: selectionFields,
};

const peerDocuments = documents((_, fields) => fields, 'Plain');
export const peer: Dialect = {
  request: (workload, variables) => ({ query: peerDocuments[workload], variables }),
  read: (_, data) => fieldOf(data),
  fields: selectionFields,
};

export const limit: Dialect = { request: (_, variables) => variables, read: (_, data) => data };

const graphileWhole = `id: rowId name status invoiceCurrency netTermDays primaryEmail tags version updatedAt
  customer: tenantCustomer { id: rowId name } line1: addressLine1 city: addressCity postalCode: addressPostalCode
  country: addressCountry aliases: aliasesList { value } settings: settingsList { id: rowId namespace name dataType value }`;

const graphileCreate = (
  field: string,
) => `mutation CreateAccount($input: JSON!) { ${field}(input: { input: $input }) {
    result { id: rowId name customer: tenantCustomer { name } } } }`;

const graphile: Record<Workload, string> = {
  W1: graphileCreate('createAccount'),
  'W1 plain': graphileCreate('createAccountPlain'),
  W2: `query Account($id: String!) { account(tenantId: 1, rowId: $id) { ${graphileWhole} } }`,
  W3: `query Accounts($first: Int!) {
    liveAccounts(first: $first) {
      nodes { ${graphileWhole} } pageInfo { hasNextPage endCursor } } }`,
  W4: `query Entities($ids: [String!]!) { accountsByIdsList(ids: $ids) {
    id: rowId name customer: tenantCustomer { name } } }`,
  W5: '{ __typename }',
  W6: `query ByAlias($alias: String!) { accountByAlias(alias: $alias) {
    id: rowId name status customer: tenantCustomer { id: rowId name } } }`,
  W7: `mutation UpdateAccount($id: String!, $name: String!, $expectedVersion: Int) {
    updateAccount(input: { id: $id, name: $name, expectedVersion: $expectedVersion }) {
      result { id: rowId name version } } }`,
  'W7 plain': `mutation UpdateAccount($id: String!, $name: String!) {
    updateAccountPlain(input: { id: $id, name: $name }) { result { id: rowId name version } } }`,
  W8: `query Search($search: String!) {
    searchAccounts(search: $search, first: 20) { nodes { id: rowId name customer: tenantCustomer { name } } } }`,
};

/** PostGraphile has the address as columns of the account. */
function nested({ line1, city, postalCode, country, ...account }: Json) {
  return line1 === undefined ? account : { ...account, address: { line1, city, postalCode, country } };
}

export const postgraphile: Dialect = {
  request(workload, variables) {
    const ids = workload === 'W4' && { ids: variables.representations.map(({ id }: Json) => id) };
    const input = workload.startsWith('W7') && variables.input;
    return { query: graphile[workload], variables: ids || input || variables };
  },
  read(workload, data) {
    const answer = fieldOf(data);
    if (isWrite(workload)) return answer.result;
    if (workload === 'W2') return nested(answer);
    return workload === 'W3' ? { ...answer, nodes: answer.nodes.map(nested) } : answer;
  },
  fields: {
    ...selectionFields,
    customer: 'customer: tenantCustomer { id: rowId name }',
    address: 'line1: addressLine1 city: addressCity postalCode: addressPostalCode country: addressCountry',
    aliases: 'aliases: aliasesList { value }',
    settings: 'settings: settingsList { id: rowId namespace name dataType value }',
  },
};

/** The variables of a workload's requests, each for other accounts. */
export function variablesOf(workload: Workload, accounts: number): Json[] {
  const spread = (count: number) => Array.from({ length: count }, (_, n) => (n * 7919 + 13) % accounts);
  switch (workload) {
    case 'W1':
    case 'W1 plain':
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
    case 'W7 plain':
      return spread(500).map((n) => ({ input: updateOf(n, workload === 'W7') }));
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

/** The load process replaces `$NEW` by another text in each request, and counts up `$VERSION`. */
function updateOf(n: number, isChecked: boolean) {
  const update = { id: accountId(n), name: `Account renamed $NEW ${n}` };
  return isChecked ? { ...update, expectedVersion: `$VERSION ${accountId(n)}` } : update;
}

function newAccount(n: number) {
  return {
    id: 'N-$NEW',
    name: 'A new account',
    customerId: `C-${String(n % 1000).padStart(6, '0')}`,
    invoiceCurrency: 'EUR',
    netTermDays: 45,
    address: { line1: '2281 Broadway Street', city: 'Florence', postalCode: '29501', country: 'US' },
    aliases: ['n-$NEW@acme.example', 'phone-$NEW'],
    settings: [{ id: 'plan', namespace: 'billing', name: 'Plan', dataType: 'STRING', value: 'gold' }],
  };
}

/** Removes the differences that services may have: the spelling of instants and cursors, and the order of members. */
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
