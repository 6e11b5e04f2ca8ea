import { beforeAll, expect, it } from 'vitest';
import { createdAccount, tenantWithCustomer } from '../support/account.ts';
import { json, type RawAnswer, sendRaw } from '../support/http.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService({ costPerMinute: 1_000_000, exposesSchema: false });
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createdAccount(client, { id: 'A1', aliases: ['x'] });
});

const query =
  'query One($id: ID = "A1") { account(id: $id) { id name customer { name } aliases { value } } }';
const two = 'query A { account(id: "A1") { id } } query B { account(id: "A1") { name } }';

const bodies: [string, unknown][] = [
  ['a query', { query }],
  ['variables', { query, variables: { id: 'nobody' } }],
  ['null for all that may be left out', { query, variables: null, operationName: null, extensions: null }],
  ['variables that do not fit', { query, variables: { id: {} } }],
  ['a name', { query, operationName: 'One' }],
  ['a name of nothing', { query, operationName: 'Two' }],
  ['one of two operations', { query: two, operationName: 'B' }],
  ['no name of two operations', { query: two }],
  ['no operation', { query: 'fragment F on Account { id }' }],
  ['a document that does not parse', { query: '{ account(' }],
  ['a document that is not valid', { query: '{ account { nam } accounts(fist: 1) { nodes { id } } }' }],
  ['the schema, which is hidden', { query: '{ __schema { types { name } } }' }],
  ['errors beside data', { query: '{ a: account(id: "A1") { id } accounts(first: 1000) { nodes { id } } }' }],
  ['a document over the limits', { query: `{ ${'a: __typename '.repeat(1)}${'b '.repeat(6000)} }` }],
  [
    'a document over the cost',
    {
      query:
        '{ accounts(first: 100) { nodes { aliases { value } history(first: 100) { nodes { id changes { field } } } } } }',
    },
  ],
  [
    'a mutation that is refused',
    { query: 'mutation { updateAccount(input: { id: "A1", name: "" }) { __typename } }' },
  ],
  ['a part that is put off', { query: '{ ... @defer { account(id: "A1") { id } } }' }],
  ['a subscription', { query: 'subscription { accountChanged { account { id } } }' }],
  [
    'a trusted document that nobody knows',
    { extensions: { persistedQuery: { version: 1, sha256Hash: 'x' } } },
  ],
  ['an extension', { query, extensions: { mine: 1 } }],
  ['an unknown member', { query, nothing: 1 }],
  ['a query that is a number', { query: 5 }],
  ['a name that is a number', { query, operationName: 5 }],
  ['variables that are a list', { query, variables: [] }],
  ['extensions that are a text', { query, extensions: 'x' }],
  ['a list', [{ query }]],
  ['nothing', ''],
  ['what is not JSON', '{ "query": '],
];

const accepts = [
  undefined,
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json, application/json;q=0.9',
  'application/json, text/plain, */*',
  'application/graphql-response+json; charset=utf-8, application/json; charset=utf-8',
];

/** An answer without what differs from one request to the next. */
function comparable({ status, headers, text }: RawAnswer) {
  const different = ['x-request-id', 'ratelimit-remaining', 'ratelimit-reset', 'content-length'];
  const values = [...headers].map(([name, value]) => [name.toLowerCase(), value]);
  return {
    status,
    headers: Object.fromEntries(values.filter(([name = '']) => !different.includes(name))),
    body: JSON.parse(text, (key, value) => (['requestId', 'currentlyAvailable'].includes(key) ? '' : value)),
  };
}

/** The same request twice: with a query in its URL, which is of no meaning, it is answered by yoga from end to end. */
async function bothWays(body: unknown, headers: Record<string, string>) {
  const request = {
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { ...json, ...headers },
  };
  const [direct, byYoga] = await Promise.all(
    ['/graphql', '/graphql?yoga'].map((path) => sendRaw(service, client, { ...request, path })),
  );
  return [direct, byYoga].map((answer) => comparable(answer as RawAnswer));
}

it.each(bodies.filter(([name]) => name !== 'a subscription'))(
  'what is answered directly is answered as by yoga: %s',
  async (_, body) => {
    for (const accept of accepts) {
      const [direct, byYoga] = await bothWays(body, accept === undefined ? {} : { accept });
      expect(direct).toEqual(byYoga);
    }
  },
);

it.each([
  ['no token', { authorization: '' }],
  ['the cost asked for', { 'graphql-cost': 'report' }],
  ['compression', { 'accept-encoding': 'gzip' }],
  ['a request id', { 'x-request-id': 'mine' }],
])('and so with %s', async (_, headers) => {
  const [direct, byYoga] = await bothWays({ query }, headers);
  expect(direct).toEqual(byYoga);
});

it('a subscription is refused to who takes no events, with a word of what to do', async () => {
  const body = JSON.stringify({ query: 'subscription { accountChanged { account { id } } }' });
  const answer = await sendRaw(service, client, { headers: { ...json, accept: 'application/json' }, body });
  expect(answer.status).toBe(406);
  expect(answer.headers.get('accept')).toBe('text/event-stream');
  expect(answer.errors[0]).toMatchObject({ extensions: { code: 'BAD_REQUEST' } });
});
