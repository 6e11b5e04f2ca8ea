import { beforeAll, describe, expect, it } from 'vitest';
import { encodeCursor } from '../../src/lib/page.ts';
import { buildSchema, printSchema } from '../../src/schema.ts';
import { writesNothing } from '../support/database.ts';
import { entityProbes, type Own, type Probe, probesOf } from '../support/id-probes.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const schema = buildSchema();
const sdl = printSchema(schema);

const own: Own = {
  Account: (inner) => `account(id: "SA") { ${inner} }`,
  Customer: (inner) => `customer(id: "SC") { ${inner} }`,
  Tenant: (inner) => `viewer { tenant { ${inner} } }`,
};

let owner: Client;
let stranger: Client;
/** An existing name of the owner and an unknown one, for each kind of name. */
let pairs: Record<string, [theirs: string, unknown: string]>;

/** The entities of the owner. Their names are as long as the unknown ones. */
const ownersEntities = `mutation {
  createCustomer(input: { id: "their-customer", name: "Secret", primaryEmail: "a@secret.example", address: { country: "US" } }) { __typename }
  createAccounts(inputs: [
    { id: "their-account", name: "Secret", customerId: "their-customer", aliases: ["their-alias"],
      settings: [{ id: "x", namespace: "n", name: "Secret", dataType: STRING, value: "Secret" }] }
    { id: "their-archive", name: "Secret", customerId: "their-customer" }]) { __typename }
  archiveAccount(input: { id: "their-archive" }) { __typename }
  closed: createCustomer(input: { id: "their-archived", name: "Secret", primaryEmail: "a@secret.example", address: { country: "US" } }) { __typename }
  archiveCustomer(input: { id: "their-archived" }) { __typename }
}`;
const strangersEntities = `mutation {
  createCustomer(input: { id: "SC", name: "Stranger", primaryEmail: "s@s.example", address: { country: "US" },
    account: { id: "SA", name: "Stranger" } }) { __typename }
}`;

async function made(client: Client, document: string): Promise<void> {
  const { data, errors } = await client.send(document);
  expect(errors).toBeUndefined();
  for (const one of Object.values(data).flat() as Json[]) expect(one.__typename).toMatch(/Success$/);
}

beforeAll(async () => {
  [owner, stranger] = [await service.newTenant(), await service.newTenant()];
  await made(owner, ownersEntities);
  await made(stranger, strangersEntities);
  const { data } = await owner.send(`{ account(id: "their-account") { nodeId customer { nodeId } }
    accounts(first: 1) { pageInfo { endCursor } } }`);
  const cursor: string = data.accounts.pageInfo.endCursor;
  const [order, value] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  pairs = {
    'an account’s id': ['their-account', 'noone-account'],
    'an archived account’s id': ['their-archive', 'noone-archive'],
    'a customer’s id': ['their-customer', 'noone-customer'],
    'an archived customer’s id': ['their-archived', 'noone-archived'],
    'an alias': ['their-alias', 'noone-alias'],
    'an account’s node id': [data.account.nodeId, 'account_01m84fadmwe03rqpvwbebaam9z'],
    'a customer’s node id': [data.account.customer.nodeId, 'customer_01m84fadmwe03rqpvwbebaam9z'],
    'a cursor': [cursor, encodeCursor(order, [value, 'noone-account'])],
  };
});

const kinds = [
  ...['an account’s id', 'an archived account’s id', 'a customer’s id', 'an archived customer’s id'],
  ...['an alias', 'an account’s node id', 'a customer’s node id', 'a cursor'],
].map((kind) => ({ kind, cursor: kind === 'a cursor' }));

/** Returns a response without the parts that differ between requests. */
function shown({ status, data, errors }: { status: number; data: Json; errors: Json }, name: string): string {
  return JSON.stringify({ status, data, errors })
    .replaceAll(/"[^"]*requestId":"[^"]+"/g, '""')
    .replaceAll(/\b(change|account|customer|key)_[0-9a-z]{26}\b/g, '#')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '#')
    .replaceAll(name, '#');
}

const probesFor = (value: string, cursor = false): Probe[] => {
  const name = { value, cursor };
  return [...probesOf(schema, name, own), ...entityProbes(schema, sdl, name)];
};
const namesFor = (cursor = false): string[] => probesFor('', cursor).map(({ name }) => name);

/** Sends the probe with this name and returns the response as text. */
async function answerTo(client: Client, name: string, value: string, cursor = false): Promise<string> {
  const probe = probesFor(value, cursor).find((one) => one.name === name);
  if (probe === undefined) throw new Error(`There is no probe ${name}.`);
  return shown(await client.send(probe.document, probe.variables), value);
}

/** These mutations succeed, because a tenant may use the ids of another one. */
const creates = /^Mutation\.create/;

describe.each(kinds)('$kind of another tenant', ({ kind, cursor }) => {
  it.each(namesFor(cursor))('is unknown in %s', async (name) => {
    const [theirs, unknown] = pairs[kind] ?? ['', ''];
    const silent = creates.test(name) ? [owner] : [owner, stranger];
    const [answer, other] = await writesNothing(service, silent, async () => [
      await answerTo(stranger, name, theirs, cursor),
      await answerTo(stranger, name, unknown, cursor),
    ]);
    expect(answer).toBe(other);
    expect(answer).not.toContain('Secret');
    expect(answer).not.toMatch(/GRAPHQL_|QUERY_TOO_COMPLEX|INTERNAL/);
  });
});

describe('the set of probes', () => {
  it('covers every root field and every entity key that identifies an entity', () => {
    const roots = [schema.getQueryType(), schema.getMutationType()];
    const fields = roots.flatMap((type) =>
      Object.values(type?.getFields() ?? {})
        .filter(({ args, name }) => args.length > 0 && !name.startsWith('_'))
        // Its input names nothing: it changes the tenant of the token.
        .filter(({ name }) => name !== 'updateTenant')
        .map(({ name }) => `${type?.name}.${name}`),
    );
    expect([...namesFor(), ...namesFor(true)]).toEqual(expect.arrayContaining(fields));
    const keys = ['Account by id', 'Account by nodeId', 'Customer by id', 'Customer by nodeId'];
    expect(namesFor()).toEqual(expect.arrayContaining([...keys, 'AccountReference by alias effectiveOn']));
    expect(namesFor(true)).toEqual(
      expect.arrayContaining([
        'Query.accounts',
        'Customer.accounts',
        'Account.history',
        'Account.aliasTimeline',
        'Tenant.history',
      ]),
    );
  });

  it.each([
    ...['Query.account', 'Query.accountByAlias', 'Account by id'].map(
      (name) => [name, 'their-account'] as const,
    ),
    ...['Query.customer', 'Query.accounts', 'Customer by id'].map(
      (name) => [name, 'their-customer'] as const,
    ),
    ['AccountReference by alias effectiveOn', 'their-alias'],
  ] as const)('returns the entity to its owner: %s', async (name, value) => {
    expect(await answerTo(owner, name, value)).toContain('Secret');
  });
});
