import { beforeAll, describe, expect, it } from 'vitest';
import { type DocumentLimit, documentLimits } from '../../src/pipeline/limits.ts';
import { listOf, x } from '../support/field-limits.ts';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { json, sendRaw } from '../support/http.ts';
import { expectAlive, expectRequestError } from '../support/refusal.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1' });
});

const repeat = (count: number, make: (index: number) => string) => listOf(count, make).join(' ');

const path = [
  ['accounts(first: 1)', 'Customer'],
  ['nodes', 'AccountConnection'],
  ['customer', 'Account'],
] as const;
const at = (level: number) => path[level % 3] ?? path[0];
const inFields = (levels: number) =>
  `{ customer(id: "C1") { ${repeat(levels - 2, (n) => `${at(n)[0]} {`)} __typename ${'}'.repeat(levels)}`;
const inFragments = (levels: number) =>
  `{ customer(id: "C1") { ...F0 } }
   ${repeat(levels - 2, (n) => `fragment F${n} on ${at(n)[1]} { ${at(n)[0]} { ...F${n + 1} } }`)}
   fragment F${levels - 2} on ${at(levels - 2)[1]} { __typename }`;

/** Returns documents that reach a limit exactly. */
const edges: [DocumentLimit, string, (count: number) => string][] = [
  ['characters', '', (count) => '{ __typename }'.padEnd(count)],
  ['tokens', '', (count) => `{ nodes(nodeIds: [${'"" '.repeat(count - 12)}]) { nodeId } }`],
  [
    'fragments',
    '',
    (count) =>
      `{ ${repeat(count, (n) => `...F${n}`)} } ${repeat(count, (n) => `fragment F${n} on Query { __typename }`)}`,
  ],
  ['depth', '', inFields],
  ['depth', ', in fragments', inFragments],
  [
    'fields',
    ', a fragment wherever it is spread',
    (count) => {
      const [spreads, rest] = [Math.floor((count - 1) / 100), (count - 1) % 100];
      return `{ viewer { ${'...F '.repeat(spreads)} ${'keyName '.repeat(rest)} } }
              fragment F on Viewer { ${'keyName '.repeat(100)} }`;
    },
  ],
  ['rootFields', '', (count) => `{ ${'__typename '.repeat(count)} }`],
  [
    'rootFields',
    ', in a fragment',
    (count) => `{ ...F } fragment F on Query { ${'__typename '.repeat(count)} }`,
  ],
  ['aliases', '', (count) => `{ viewer { ${repeat(count, (n) => `a${n}: keyName`)} } }`],
  [
    'aliases',
    ', in a fragment',
    (count) => `{ viewer { ...F ...F ${count % 2 ? 'b: keyName' : ''} } }
                fragment F on Viewer { ${repeat(Math.floor(count / 2), (n) => `a${n}: keyName`)} }`,
  ],
  ['directives', '', (count) => `{ ${'... @include(if: true) { __typename } '.repeat(count)} }`],
];

async function expectTooComplex(query: string, limit: DocumentLimit, variables: object = {}) {
  const { maximum } = documentLimits[limit];
  const statuses = { 'application/graphql-response+json': 400, 'application/json': 200 };
  for (const [accept, status] of Object.entries(statuses)) {
    const body = JSON.stringify({ query, variables });
    const answer = await sendRaw(service, client, { body, headers: { ...json, accept } });
    expectRequestError(answer, status, 'QUERY_TOO_COMPLEX');
    expect(answer.errors).toEqual([
      { message: expect.any(String), extensions: expect.objectContaining({ limit, maximum }) },
    ]);
    expect(answer.errors[0].message).toMatch(`at most ${maximum} `);
    expect(answer.errors[0].message).toMatch(`\`${limit}\``);
  }
}

describe('the limit of a document', () => {
  it.each(edges)('holds for %s%s', async (limit, _, documentOf) => {
    const { maximum } = documentLimits[limit];
    const answer = await client.send(documentOf(maximum));
    expect(answer).toMatchObject({ status: 200, errors: undefined });
    await expectTooComplex(documentOf(maximum + 1), limit);
  });

  it('holds for the cost, including variables', async () => {
    const query = 'query($ids: [ID!]!) { nodes(nodeIds: $ids) { nodeId } }';
    const most = Math.floor((documentLimits.cost.maximum - 51) / 2);
    const answer = await client.send(query, { ids: Array(most).fill('') });
    expect(answer).toMatchObject({ status: 200, errors: undefined });
    await expectTooComplex(query, 'cost', { ids: Array(most + 1).fill('') });
    expect((await client.send(query, { ids: [''] })).data).toEqual({ nodes: [null] });
  });

  it('holds for every operation of the document', async () => {
    await expectTooComplex(
      `query A { __typename } query B ${inFields(documentLimits.depth.maximum + 1)}`,
      'depth',
    );
  });

  it('holds for fragments whose spreads double', async () => {
    const doubling = repeat(60, (n) => `fragment F${n} on Viewer { ...F${n + 1} ...F${n + 1} }`);
    await expectTooComplex(`{ viewer { ...F0 } } ${doubling} fragment F60 on Viewer { keyName }`, 'fields');
  });
});

describe('a hostile document', () => {
  const hostile: [string, string, DocumentLimit][] = [
    ['10,000 aliases', `{ ${repeat(10_000, (n) => `a${n}: __typename`)} }`, 'characters'],
    ['10,000 short aliases', `{${repeat(10_000, () => 'a:id')}}`, 'tokens'],
    ['100,000 tokens', `{${'a'.repeat(49_000).split('').join(' ')}}`, 'tokens'],
    ['a string of 900 KB', `{ account(id: "${x(900_000)}") { id } }`, 'characters'],
    ['900 KB of comment', `{ __typename } #${x(900_000)}`, 'characters'],
    ['a flood of directives', `{ viewer ${'@skip(if: false) '.repeat(600)} { keyName } }`, 'directives'],
    ['a flood of unknown directives', `{ viewer ${'@a '.repeat(2_000)} { keyName } }`, 'directives'],
    [
      'nested pages',
      '{ customers(first: 100) { nodes { accounts(first: 100) { nodes { history(first: 100) { nodes { id } } } } } } }',
      'cost',
    ],
  ];

  it.each(hostile)('is rejected with %s', async (_, document, limit) => {
    await expectTooComplex(document, limit);
    await expectAlive(client);
  });

  // The parser stops at the token limit or when the stack overflows.
  it.each([
    ['fields', '{a'],
    ['lists', '{a(b: ', '['],
    ['objects', '{a(b: ', '{b:'],
  ])('is rejected with 10,000 nested %s', async (_, opening, level = opening) => {
    const answer = await client.send(opening + level.repeat(10_000));
    expectRequestError(answer, 400, 'QUERY_TOO_COMPLEX');
    await expectAlive(client);
  });

  it.each([
    ['itself', '{ viewer { ...A } } fragment A on Viewer { ...A }'],
    [
      'itself through a field',
      '{ account(id: "A1") { ...A } } fragment A on Account { customer { accounts { nodes { ...A } } } }',
    ],
    ['each other', '{ viewer { ...A } } fragment A on Viewer { ...B } fragment B on Viewer { ...A }'],
    ['itself, unused', '{ __typename } fragment A on Viewer { ...A }'],
  ])('is rejected as invalid with a fragment that contains %s', async (_, document) => {
    expectRequestError(await client.send(document), 400, 'GRAPHQL_VALIDATION_FAILED');
    await expectAlive(client);
  });

  it.each([
    ['nested lists', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['nested objects', `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['a string of 900 KB', JSON.stringify(x(900_000))],
    ['300,000 entries', `[${'1,'.repeat(300_000)}1]`],
  ])('gets a short response with %s as a variable', async (_, value) => {
    for (const type of ['id: ID!', 'inputs: [CreateAccountInput!]!', 'metadata: JSONObject']) {
      const name = type.split(':')[0];
      const uses = {
        id: 'query($id: ID!) { account(id: $id) { id } }',
        inputs:
          'mutation($inputs: [CreateAccountInput!]!) { createAccounts(inputs: $inputs) { __typename } }',
        metadata:
          'mutation($metadata: JSONObject) { updateAccount(input: { id: "A1", metadata: $metadata }) { __typename } }',
      }[name ?? ''];
      const body = `{"query":${JSON.stringify(uses)},"variables":{"${name}":${value}}}`;
      const answer = await sendRaw(service, client, { body, headers: json });
      expect(answer.text.length).toBeLessThan(10_000);
      expect([200, 400, 413]).toContain(answer.status);
      expect(answer.text).not.toContain('INTERNAL_SERVER_ERROR');
    }
    await expectAlive(client);
  });
});
