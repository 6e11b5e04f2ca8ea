import {
  type GraphQLObjectType,
  type GraphQLOutputType,
  getNamedType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { beforeAll, expect, it } from 'vitest';
import { buildSchema } from '../../src/schema.ts';
import { createAccount, createCustomer } from '../support/fixtures.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const schema = buildSchema();
let client: Client;
let nodeId: string;

const address = {
  phoneNumber: '12',
  line1: 'l',
  line2: 'm',
  postalCode: 'p',
  city: 'c',
  state: 's',
  country: 'FR',
};
const settings = [{ id: 's', namespace: 'n', name: 'n', dataType: 'STRING', value: 'v' }];

beforeAll(async () => {
  client = await service.newTenant();
  await createCustomer(client, { address, settings, metadata: { of: 'customer' } });
  const account = await createAccount(client, {
    address: { ...address, city: 'd' },
    settings,
    invoiceCurrency: 'JPY',
    netTermDays: 7,
    primaryEmail: 'b@acme.com',
    billingInformation: { emailRecipients: ['c@acme.com'] },
    tags: ['t'],
    metadata: { of: 'account' },
    datedAliases: [
      { value: 'x', effectiveFrom: '2020-01-01T00:00:00Z', effectiveUntil: '2100-01-01T00:00:00Z' },
    ],
  });
  nodeId = account.nodeId;
});

/** The required arguments of fields. */
const required: Record<string, string> = { diff: '(from: "2000-01-01T00:00:00Z")' };

/** Selects a field with all leaves down to this depth. */
function selectionOf(field: string, type: GraphQLOutputType, depth = 3): string {
  const named = getNamedType(type);
  const name = `${field}${required[field] ?? ''}`;
  if (isLeafType(named)) return name;
  if (!isObjectType(named) || depth === 0) return '';
  const inner = Object.values(named.getFields()).map((field) =>
    selectionOf(field.name, field.type, depth - 1),
  );
  const selected = inner.filter((one) => one !== '').join(' ');
  return selected === '' ? '' : `${name} { ${selected} }`;
}

function fieldsOf(type: string): [name: string, selection: string][] {
  const fields = Object.values((schema.getType(type) as GraphQLObjectType).getFields());
  return fields.map(({ name, type: of }) => [name, selectionOf(name, of, 2)]);
}

const reference = '[{ __typename: "Account", id: "A1" }]';
const byAlias = '[{ __typename: "AccountReference", alias: "x", effectiveOn: "2030-01-01T00:00:00Z" }]';

/** The fields that return an account. */
const ways: Record<string, (selected: string) => string> = {
  account: (selected) => `account(id: "A1") { ${selected} }`,
  accounts: (selected) => `accounts { nodes { ${selected} } }`,
  accountByAlias: (selected) => `accountByAlias(alias: "x") { ${selected} }`,
  _entities: (selected) => `_entities(representations: ${reference}) { ... on Account { ${selected} } }`,
  node: (selected) => `node(nodeId: "${nodeId}") { ... on Account { ${selected} } }`,
  'a reference by node id': (selected) =>
    `_entities(representations: [{ __typename: "Account", nodeId: "${nodeId}" }]) { ... on Account { ${selected} } }`,
  reference: (selected) =>
    `_entities(representations: ${byAlias}) { ... on AccountReference { account { ${selected} } } }`,
};

/** Selections of an account that contain a field of each type. */
const owners: Record<string, (selected: string) => string> = {
  Account: (selected) => selected,
  Customer: (selected) => `customer { ${selected} }`,
  Alias: (selected) => `aliases { ${selected} }`,
  Setting: (selected) => `settings { ${selected} }`,
};

async function read(document: string): Promise<Json> {
  const { data, errors } = await client.send(`{ ${document} }`);
  expect(errors).toBeUndefined();
  return data;
}

/** Returns every value under this name in a response. */
function valuesAt(answer: Json, name: string): Json[] {
  if (typeof answer !== 'object' || answer === null) return [];
  return Object.entries(answer).flatMap(([key, value]) => (key === name ? [value] : valuesAt(value, name)));
}

const cases = Object.keys(ways).flatMap((way) => Object.keys(owners).map((type) => [way, type] as const));

it.each(cases)('returns through %s each field of %s alone as beside all others', async (way, type) => {
  const ask = (selected: string) => ways[way]?.(owners[type]?.(selected) ?? '') ?? '';
  const fields = fieldsOf(type);
  const together = await read(
    ask(fields.map(([, selection], index) => `all${index}: ${selection}`).join(' ')),
  );
  for (const [index, [, selection]] of fields.entries()) {
    const alone = await read(ask(`all${index}: ${selection}`));
    const [expected] = valuesAt(together, `all${index}`);
    expect(valuesAt(alone, `all${index}`), selection).toEqual([expected]);
    expect(expected, selection).toBeDefined();
  }
});

it.each(['account(id: "A1")', 'accounts { nodes', 'accountByAlias(alias: "x")'])(
  'returns the node ids of the account and customer through %s as Node',
  async (way) => {
    const asked = `${way} { ... on Node { nodeId } customer { ... on Node { nodeId } } }`;
    const answer = await read(way.includes('{') ? `${asked} }` : asked);
    const whole = await read('account(id: "A1") { nodeId customer { nodeId } }');
    expect(valuesAt(answer, 'nodeId')).toEqual(valuesAt(whole, 'nodeId'));
    expect(valuesAt(whole, 'nodeId')).toHaveLength(2);
  },
);
