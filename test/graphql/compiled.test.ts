import { beforeAll, describe, expect, it } from 'vitest';
import { createdAccount, createdCustomer, tenantWithCustomer } from '../support/account.ts';
import { type Answer, type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createdCustomer(client, { id: 'C2' });
  await createdAccount(client, { id: 'A1', aliases: ['x', 'y'], metadata: { plan: 'gold' } });
});

/** An answer without what differs from one request to the next. */
function comparable({ status, data, errors }: Answer) {
  return JSON.parse(
    JSON.stringify({ status, data, errors }, (key, value) => (key === 'requestId' ? '' : value)),
  );
}

const account = 'id nodeId name status metadata createdAt aliases { value } customer { id billingAddress }';

const corpus: [string, string, object?][] = [
  ['an account', `query($id: ID!) { account(id: $id) { ${account} __typename } }`, { id: 'A1' }],
  ['what is missing', 'query($id: ID!) { account(id: $id) { id } }', { id: 'nobody' }],
  [
    'a list',
    `{ accounts { edges { cursor node { ${account} } } nodes { id } pageInfo { hasNextPage } totalCount } }`,
  ],
  ['names in an order of their own', '{ z: viewer { keyName } a: account(id: "A1") { b: name a: id } }'],
  [
    'what is skipped',
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
  ['a literal that is no instant', '{ account(id: "A1") { aliases(effectiveOn: "yesterday") { value } } }'],
  [
    'an error at a place in the document',
    '{ accounts(first: 1) { nodes { id } }\n  bad: accounts(first: 1000) { nodes { id } } }',
  ],
  ['an error inside of a list', '{ accounts { nodes { id history(first: 1000) { nodes { id } } } } }'],
  [
    'a refused mutation',
    `mutation { createAccount(input: { id: "A1", name: "Taken", customerId: "C1" }) {
      __typename ... on Error { code message } ... on IdTakenError { id accountId } } }`,
  ],
  [
    'an input that breaks rules',
    `mutation($input: CreateAccountInput!) { createAccount(input: $input) {
      __typename ... on InvalidInputError { issues { path code message } } } }`,
    { input: { id: '', name: 'x', customerId: 'C1', address: { country: 'usa' } } },
  ],
];

describe('a document that comes again, and is compiled, is answered as it was the first time:', () => {
  it.each(corpus)('%s', async (_, document, variables) => {
    const answers = [];
    for (let time = 0; time < 4; time += 1) answers.push(comparable(await client.send(document, variables)));
    expect(answers.slice(1)).toEqual([answers[0], answers[0], answers[0]]);
    expect(JSON.stringify(answers[3])).toBe(JSON.stringify(answers[0]));
  });
});

it('a document that was compiled for another key shows nothing that a scope does not allow', async () => {
  const document = '{ accounts { nodes { id customer { name } } } }';
  for (let time = 0; time < 3; time += 1) expect((await client.send(document)).errors).toBeUndefined();
  const limited = await service.newKey(client, ['accounts:read']);
  for (let time = 0; time < 3; time += 1) {
    const { data, errors } = await limited.send(document);
    expect([data, errors[0].extensions.code]).toEqual([null, 'FORBIDDEN']);
  }
});

it('the mutations of a document run one after the other, compiled or not, and a refused one does not stop the next', async () => {
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

it('each operation of a document is answered by its name', async () => {
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
