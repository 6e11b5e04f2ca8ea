import { beforeAll, describe, expect, it } from 'vitest';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { type Answer, type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createCustomer(client, { id: 'C2' });
  await createAccount(client, { id: 'A1', aliases: ['x', 'y'], metadata: { plan: 'gold' } });
});

/** Returns a response without the parts that differ between requests. */
function comparable({ status, data, errors }: Answer) {
  return JSON.parse(
    JSON.stringify({ status, data, errors }, (key, value) => (key === 'requestId' ? '' : value)),
  );
}

const account = 'id nodeId name status metadata createdAt aliases { value } customer { id billingAddress }';

const corpus: [string, string, object?][] = [
  [
    'a variable inside a custom scalar',
    'query($id: String!) { _entities(representations: [{ __typename: "Account", id: $id }]) { ... on Account { name } } }',
    { id: 'A1' },
  ],
  [
    'a default of a custom scalar',
    'query($on: DateTime = "2026-01-01T00:00:00Z") { account(id: "A1") { aliases(effectiveOn: $on) { value } } }',
  ],
  [
    'a fragment that is excluded in one place and spread in another',
    'query($x: Boolean!) { account(id: "A1") { ...H @include(if: $x) ...R } } fragment H on Account { id name } fragment R on Account { ...H }',
    { x: false },
  ],
  ['an alias called __proto__', '{ account(id: "A1") { __proto__: id name } }'],
  [
    'a list instead of an input object',
    'mutation($address: AddressInput) { updateAccount(input: { id: "A1", address: $address }) { __typename } }',
    { address: [] },
  ],
  ['an account', `query($id: ID!) { account(id: $id) { ${account} __typename } }`, { id: 'A1' }],
  ['an unknown account', 'query($id: ID!) { account(id: $id) { id } }', { id: 'nobody' }],
  [
    'a list',
    `{ accounts { edges { cursor node { ${account} } } nodes { id } pageInfo { hasNextPage } totalCount } }`,
  ],
  ['aliases in another order', '{ z: viewer { keyName } a: account(id: "A1") { b: name a: id } }'],
  [
    'skipped fields',
    'query($yes: Boolean!) { account(id: "A1") { id @skip(if: $yes) name @include(if: $yes) ...F @include(if: $yes) } } fragment F on Account { version }',
    { yes: true },
  ],
  [
    'types behind an interface and a union',
    `{ _entities(representations: [{ __typename: "Account", id: "A1" }, { __typename: "Customer", id: "C2" }, { __typename: "Account", id: "nobody" }]) {
      __typename ... on Account { name } ... on Customer { primaryEmail } } }`,
  ],
  [
    'a variable of another type',
    'query($first: Int) { accounts(first: $first) { nodes { id } } }',
    { first: 'x' },
  ],
  ['a variable that is missing', 'query($id: ID!) { account(id: $id) { id } }'],
  [
    'a literal that is not an instant',
    '{ account(id: "A1") { aliases(effectiveOn: "yesterday") { value } } }',
  ],
  [
    'an error at a place in the document',
    '{ accounts(first: 1) { nodes { id } }\n  bad: accounts(first: 1000) { nodes { id } } }',
  ],
  ['an error inside a list', '{ accounts { nodes { id history(first: 1000) { nodes { id } } } } }'],
  [
    'a rejected mutation',
    `mutation { createAccount(input: { id: "A1", name: "Taken", customerId: "C1" }) {
      __typename ... on Error { code message } ... on IdTakenError { id accountId } } }`,
  ],
  [
    'invalid input',
    `mutation($input: CreateAccountInput!) { createAccount(input: $input) {
      __typename ... on InvalidInputError { issues { path code message } } } }`,
    { input: { id: '', name: '', customerId: 'C1', address: { country: 'usa' } } },
  ],
];

describe('a repeated document', () => {
  it.each(corpus)('returns the same response: %s', async (_, document, variables) => {
    const answers = [];
    for (let time = 0; time < 4; time += 1) answers.push(comparable(await client.send(document, variables)));
    expect(answers.slice(1)).toEqual([answers[0], answers[0], answers[0]]);
    expect(JSON.stringify(answers[3])).toBe(JSON.stringify(answers[0]));
  });
});

describe('an input with absent variables', () => {
  const update = `mutation($id: ID!, $e: String, $t: Int, $key: String) {
    updateAccount(input: { id: $id, primaryEmail: $e, netTermDays: $t, idempotencyKey: $key }) {
      ... on UpdateAccountSuccess { replayed account { primaryEmail netTermDays } } ... on Error { code } } }`;

  it('keeps their fields each time it is sent', async () => {
    await createAccount(client, { id: 'A2', primaryEmail: 'kept@acme.example' });
    for (const netTermDays of [5, 6, 7]) {
      const { data } = await client.send(update, { id: 'A2', t: netTermDays });
      expect(data.updateAccount.account).toEqual({ primaryEmail: 'kept@acme.example', netTermDays });
    }
  });

  it('is replayed each time it is sent', async () => {
    await createAccount(client, { id: 'A3' });
    for (const replayed of [false, true, true]) {
      const { data } = await client.send(update, { id: 'A3', t: 5, key: 'key-1' });
      expect(data.updateAccount).toMatchObject({ replayed });
    }
  });

  it('stores the members of an object that mixes variables and literals', async () => {
    const document = `mutation($id: ID!, $plan: String!) {
      updateAccount(input: { id: $id, metadata: { plan: $plan, fixed: "x" } }) {
        ... on UpdateAccountSuccess { account { metadata } } } }`;
    await createAccount(client, { id: 'A4' });
    for (const plan of ['a', 'b', 'c']) {
      const { data } = await client.send(document, { id: 'A4', plan });
      expect(data.updateAccount.account.metadata).toEqual({ plan, fixed: 'x' });
    }
  });
});

it('does not run text of a request as code', async () => {
  const attack = '(globalThis.ranRequest = true)';
  const marker = '__MAGIC_DATE__33a9e76d_02e0_4128_8e92_3530ad3da74d';
  const byMarker = `{ account(id: "${marker}(()=>${attack})()") { id } }`;
  for (const document of [byMarker, `{ account(id: ${JSON.stringify(`"+${attack}+"`)}) { id } }`]) {
    for (let time = 0; time < 3; time += 1) {
      expect(await client.send(document)).toMatchObject({ data: { account: null } });
      expect(globalThis).not.toHaveProperty('ranRequest');
    }
  }
});

it('checks the scopes of each key that sends the same document', async () => {
  const document = '{ accounts { nodes { id customer { name } } } }';
  for (let time = 0; time < 3; time += 1) expect((await client.send(document)).errors).toBeUndefined();
  const limited = await service.newKey(client, ['accounts:read']);
  for (let time = 0; time < 3; time += 1) {
    const { data, errors } = await limited.send(document);
    expect([data, errors[0].extensions.code]).toEqual([null, 'FORBIDDEN']);
  }
});

it('runs the mutations of a document in order and continues after a rejected one', async () => {
  const document = `mutation($taken: CreateAccountInput!) {
    first: updateAccount(input: { id: "A1", name: "First" }) { ...Updated }
    taken: createAccount(input: $taken) { __typename }
    second: updateAccount(input: { id: "A1", name: "Second" }) { ...Updated } }
    fragment Updated on UpdateAccountResult { ... on UpdateAccountSuccess { account { name version } } }`;
  const taken = { id: 'A1', name: 'Taken', customerId: 'C1' };
  const { data: before } = await client.send('{ account(id: "A1") { version } }');
  for (let time = 0; time < 4; time += 1) {
    const { data } = await client.send(document, { taken });
    const version = before.account.version + 2 * time;
    expect(data).toEqual({
      first: { account: { name: 'First', version: version + 1 } },
      taken: { __typename: 'IdTakenError' },
      second: { account: { name: 'Second', version: version + 2 } },
    });
  }
});

it('runs the operation that the request names', async () => {
  const document = 'query A { account(id: "A1") { id } } query B { customer(id: "C2") { id } }';
  for (let time = 0; time < 3; time += 1) {
    for (const [operationName, data] of [
      ['A', { account: { id: 'A1' } }],
      ['B', { customer: { id: 'C2' } }],
    ] as const) {
      const response = await service.fetch(
        new Request('http://localhost/graphql', {
          method: 'POST',
          headers: { 'content-type': 'application/json', authorization: `Bearer ${client.token}` },
          body: JSON.stringify({ query: document, operationName }),
        }),
      );
      expect(await response.json()).toEqual({ data });
    }
  }
});
