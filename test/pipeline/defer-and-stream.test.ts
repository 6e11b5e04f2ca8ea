import { beforeAll, describe, expect, it } from 'vitest';
import { createAccount, createCustomer } from '../support/fixtures.ts';
import { json } from '../support/http.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await service.newTenant();
  await createCustomer(client);
  for (const id of ['A1', 'A2', 'A3'])
    await createAccount(client, { id, name: `Account ${id}`, customerId: 'C1' });
});

const multipart = 'multipart/mixed';
/** The `Accept` headers of Apollo Client and urql. */
const apollo = 'multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json;q=0.9';
const urql = 'application/graphql-response+json, application/json, text/event-stream, multipart/mixed';
const events = 'text/event-stream';

function partsOf(type: string, text: string): Json[] {
  const pattern = type.startsWith(multipart) ? /^\{.*\}$/gm : /(?<=^data: )\{.*\}$/gm;
  return [...text.matchAll(pattern)].map(([part]) => JSON.parse(part));
}

/** Sends a query and returns the parts of the response in order. */
async function partsTo(query: string, accept: string, { token } = client) {
  const response = await service.fetch(
    new Request('http://localhost/graphql', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...json, accept },
      body: JSON.stringify({ query }),
    }),
  );
  const type = response.headers.get('content-type') ?? '';
  return {
    type,
    requestId: response.headers.get('x-request-id'),
    parts: partsOf(type, await response.text()),
  };
}

const deferred = `{ account(id: "A1") { id ... @defer(label: "later") { history(first: 1) { nodes { version } } } } }`;
const streamed = `{ accounts(first: 3, orderBy: { field: NAME, direction: ASC }) { nodes @stream(initialCount: 1) { id } } }`;

describe.each([
  ['multipart/mixed', multipart, /^multipart\/mixed/],
  ['what Apollo Client accepts', apollo, /^multipart\/mixed/],
  ['what urql accepts', urql, /^(multipart\/mixed|text\/event-stream)/],
  ['text/event-stream', events, /^text\/event-stream/],
])('to a client that accepts %s', (_, accept, expected) => {
  it('sends deferred fields after the others', async () => {
    const { type, parts } = await partsTo(deferred, accept);
    expect(type).toMatch(expected);
    expect(parts[0]).toEqual({ data: { account: { id: 'A1' } }, hasNext: true });
    const later = parts.slice(1).flatMap((part) => part.incremental ?? []);
    expect(later).toEqual([
      { label: 'later', path: ['account'], data: { history: { nodes: [{ version: 1 }] } } },
    ]);
    expect(parts.at(-1).hasNext).toBe(false);
  });

  it('streams the items of a list', async () => {
    const { parts } = await partsTo(streamed, accept);
    expect(parts[0]).toEqual({ data: { accounts: { nodes: [{ id: 'A1' }] } }, hasNext: true });
    const later = parts.slice(1).flatMap((part) => part.incremental ?? []);
    expect(later.flatMap(({ items }) => items)).toEqual([{ id: 'A2' }, { id: 'A3' }]);
    expect(later[0].path).toEqual(['accounts', 'nodes', 1]);
  });
});

it.each([deferred, streamed])(
  'returns a single body for %s if the client accepts no parts',
  async (query) => {
    const whole = await client.send(query.replace(/@(defer|stream)\([^)]*\)/, ''));
    const answer = await client.send(query, {}, { accept: 'application/json' });
    expect(answer).toMatchObject({ status: 200, data: whole.data, errors: undefined });
  },
);

it('returns the missing scope of a deferred field', async () => {
  const reader = await service.newKey(client, ['accounts:read']);
  const query = '{ account(id: "A1") { id ... @defer { customer { id } } } }';
  const { parts, requestId } = await partsTo(query, multipart, reader);
  expect(parts[0].data).toEqual({ account: { id: 'A1' } });
  const [error] = parts.flatMap((part) => part.incremental ?? []).flatMap(({ errors }) => errors ?? []);
  expect(error).toMatchObject({
    path: ['account', 'customer'],
    extensions: { code: 'FORBIDDEN', scope: 'customers:read', requestId },
  });
});

it('sends one error if several streamed items fail at once', async () => {
  await createAccount(client, { id: 'A4', customerId: 'C1', aliases: ['x', 'y', 'z'] });
  const failing = 'account { customer { accounts(first: 1, last: 1) { totalCount } } }';
  const { parts } = await partsTo(
    `{ account(id: "A4") { aliases @stream(initialCount: 0) { ${failing} } } }`,
    multipart,
  );
  const later = parts.flatMap((part) => part.incremental ?? []);
  expect(later).toMatchObject([{ items: null, errors: [{ extensions: { code: 'BAD_REQUEST' } }] }]);
});

it('runs as many statements as a single-body response', async () => {
  const inParts = await service.statements(() => partsTo(streamed, multipart));
  const whole = await service.statements(() => client.send(streamed.replace(/@stream\([^)]*\)/, '')));
  expect(inParts.sort()).toEqual(whole.sort());
});
