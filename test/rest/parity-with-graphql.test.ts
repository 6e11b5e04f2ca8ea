import { describe, expect, it } from 'vitest';
import {
  type Accepted,
  badAddresses,
  badEmails,
  badIdentifiers,
  badMetadata,
  badNames,
  goodAddresses,
  goodEmails,
  goodIdentifiers,
  goodMetadata,
  goodNames,
  listOf,
  type Refused,
} from '../support/field-limits.ts';
import { customerInput, tenantWithCustomer } from '../support/fixtures.ts';
import { type MutationName, tryMutation } from '../support/mutations.ts';
import { type RestAnswer, type RestClient, useRest } from '../support/rest.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { badSettings, goodSettings } from '../support/setting-field-limits.ts';
import { span } from '../support/spans.ts';

/** REST and GraphQL accept the same input and reject the rest with the same messages. */

const service = useService();
const rest = useRest(service);

const [from, until] = ['2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z'];

const good: Accepted[] = [
  ...goodNames,
  ...goodEmails,
  ...goodAddresses,
  ...goodMetadata,
  ...goodSettings,
  ...goodIdentifiers('alias', (value) => ({ aliases: [value] })),
  ['a new currency', { invoiceCurrency: 'XCG' }],
  ['a blank email', { primaryEmail: ' ' }],
  ['tags to fold', { tags: [' İSTANBUL ', 'straße'] }],
  ['a metadata key to trim', { metadata: { ' k ': 'v' } }],
  ['dated aliases', { aliases: ['a'], datedAliases: [span('b', from, until), span('b', until)] }],
  [
    'nulls',
    { primaryEmail: null, address: null, aliases: null, datedAliases: null, tags: null, status: null },
  ],
];

const bad: Refused[] = [
  ...badIdentifiers('id', (id) => ({ id }), ['id']),
  ...badIdentifiers('alias', (value) => ({ aliases: ['ok', value] }), ['aliases', '1'], 255),
  ...badNames,
  ...badEmails,
  ...badAddresses,
  ...badMetadata,
  ...badSettings,
  ['an unknown currency', { invoiceCurrency: 'usd' }, ['invoiceCurrency'], 'INVALID_VALUE'],
  ['a withdrawn currency', { invoiceCurrency: 'ANG' }, ['invoiceCurrency'], 'INVALID_VALUE'],
  ['netTermDays 366', { netTermDays: 366 }, ['netTermDays'], 'TOO_LARGE'],
  ['an archived account', { status: 'ARCHIVED' }, ['status'], 'INVALID_VALUE'],
  ['11 aliases', { aliases: listOf(11, (index) => `a${index}`) }, ['aliases'], 'TOO_MANY'],
  ['51 tags', { tags: listOf(51, (index) => `t${index}`) }, ['tags'], 'TOO_MANY'],
  ['a span that ends before it begins', { datedAliases: [span('a', until, from)] }, [], ''],
  ['spans that overlap', { datedAliases: [span('a', from), span('a', undefined, until)] }, [], ''],
  ['a dated alias that is also a plain alias', { aliases: ['a'], datedAliases: [span('a')] }, [], ''],
  [
    '11 plain and dated aliases',
    { aliases: listOf(10, (index) => `a${index}`), datedAliases: [span('a')] },
    [],
    '',
  ],
  ['an alias that is another account’s id', { aliases: ['A0'] }, [], ''],
  ['an unknown customer', { customerId: 'nobody' }, [], ''],
];

/** Renames the fields that REST names differently. */
function inRestWords(input: Json): Json {
  const { datedAliases, ...others } = input;
  return datedAliases === undefined ? input : { ...others, accountAliases: datedAliases };
}

/** Returns `accepted`, or the code and message of an error. REST truncates messages to 500 characters. */
function decisionOf(result: Json): Json {
  if (result.code === undefined) return 'accepted';
  const { code, message } = result;
  const words = [...message.replaceAll('datedAliases', 'accountAliases')];
  return { code, message: words.length > 500 ? `${words.slice(0, 499).join('')}…` : words.join('') };
}

function restDecisionOf({ status, headers, body }: RestAnswer): Json {
  if (status < 300) return 'accepted';
  return { code: headers.get('x-error-code'), message: body.message };
}

async function twoTenants(): Promise<[Client, RestClient]> {
  const clients = await Promise.all([tenantWithCustomer(service), tenantWithCustomer(service)]);
  for (const client of clients) {
    await tryMutation(client, 'createAccount', { id: 'A0', name: 'Main account', customerId: 'C1' });
  }
  return [clients[0], rest.of(clients[1])];
}

interface Way {
  mutation: MutationName;
  input: (fields: object) => object;
  send: (client: RestClient, input: Json) => Promise<RestAnswer>;
}

const ways: Way[] = [
  {
    mutation: 'createAccount',
    input: (fields) => ({ id: 'A1', name: 'Main account', customerId: 'C1', ...fields }),
    send: (client, input) => client.post('/accounts', inRestWords(input)),
  },
  {
    mutation: 'createCustomer',
    input: (fields) => customerInput({ id: 'C2', account: { id: 'A1', name: 'Main account', ...fields } }),
    send: (client, { account, ...input }) =>
      client.post('/customers', { ...input, account: inRestWords(account) }),
  },
];

const changes: Way = {
  mutation: 'updateAccount',
  input: (fields) => ({ id: 'A0', ...fields }),
  send: (client, { id, ...input }) => client.patch(`/accounts/${encodeURIComponent(id)}`, input),
};

const changeable = ['name', 'primaryEmail', 'address', 'metadata'];
const ofChanges = <T extends [string, object, ...unknown[]]>(cases: T[]): T[] =>
  cases.filter(([, fields]) => Object.keys(fields).every((name) => changeable.includes(name)));

async function decisions({ mutation, input, send }: Way, fields: object, clients: [Client, RestClient]) {
  const sent = input(fields);
  const result = await tryMutation(clients[0], mutation, sent);
  return [decisionOf(result), restDecisionOf(await send(clients[1], sent))];
}

describe.each(ways)('$mutation over GraphQL and REST', (way) => {
  const inFirst = way.mutation === 'createCustomer';
  const accepted = good.filter((_, index) => !inFirst || index % 4 === 0);

  it.each(accepted)('accepts %s', async (_, fields) => {
    expect(await decisions(way, fields, await twoTenants())).toEqual(['accepted', 'accepted']);
  });

  it('rejects the same input with the same messages', async () => {
    const clients = await twoTenants();
    for (const [what, fields] of bad.filter(([, fields]) => !inFirst || !('customerId' in fields))) {
      const [graphql, facade] = await decisions(way, fields, clients);
      expect({ what, ...graphql }).toEqual({ what, code: expect.any(String), message: expect.any(String) });
      expect({ what, ...facade }).toEqual({ what, ...graphql });
    }
  });
});

describe('updateAccount over GraphQL and REST', () => {
  it('accepts the same input', async () => {
    const clients = await twoTenants();
    for (const [what, fields] of ofChanges(good)) {
      expect([what, ...(await decisions(changes, fields, clients))]).toEqual([what, 'accepted', 'accepted']);
    }
  });

  it('rejects the same input with the same messages', async () => {
    const clients = await twoTenants();
    for (const [what, fields] of ofChanges(bad)) {
      const [graphql, facade] = await decisions(changes, fields, clients);
      expect({ what, ...graphql }).toEqual({ what, code: 'INVALID_INPUT', message: expect.any(String) });
      expect({ what, ...facade }).toEqual({ what, ...graphql });
    }
  });
});

it('replays in REST a key that GraphQL used with the same input', async () => {
  const client = await tenantWithCustomer(service);
  const dated = { id: 'A1', name: 'Main account', customerId: 'C1', datedAliases: [span('x', from)] };
  const first = await tryMutation(client, 'createAccount', { ...dated, idempotencyKey: 'k' });
  const second = await rest.of(client).post('/accounts', inRestWords(dated), { 'Idempotency-Key': 'k' });
  expect(second.headers.get('idempotent-replayed')).toBe('true');
  expect(second.body.togaiAccountId).toBe(first.account.nodeId);
});
