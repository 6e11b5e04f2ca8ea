import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, clientThrough, type Json, openImpatientApp, useService } from '../support/service.ts';

const service = useService();

async function tenantWithNodes() {
  const client = await tenantWithCustomer(service);
  const account: Json = await createAccount(client, { aliases: ['x'] });
  return { client, account: account.nodeId as string, customer: account.customer.nodeId as string };
}

const nodes = async (client: Client, nodeIds: string[]) => {
  const document =
    'query($nodeIds: [ID!]!) { nodes(nodeIds: $nodeIds) { __typename nodeId ... on Account { name } ... on Customer { primaryEmail } } }';
  const { data, errors } = await client.send(document, { nodeIds });
  expect(errors).toBeUndefined();
  return data.nodes;
};

const entities = async (client: Client, representations: unknown[]) => {
  const document =
    'query($all: [_Any!]!) { _entities(representations: $all) { __typename ... on Account { id } ... on Customer { id } } }';
  return client.send(document, { all: representations });
};

const strangeIds = [
  '',
  'A1',
  '\u0000',
  '\ud800',
  'account_',
  'account_01m84fadmwe03rqpvwbebaam9z',
  'account_81m84fadmwe03rqpvwbebaam9z',
  'account_01m84fadmwe03rqpvwbebaamil',
  'account_0000000000w0ng000000000005',
  'ACCOUNT_01m84fadmwe03rqpvwbebaam9z',
  'key_01m84fadmwe03rqpvwbebaam9z',
  'change_01m84fadmwe03rqpvwbebaam9z',
  '01a2091c-ce3e-7fff-bc1e-86bfe2f7f739',
  'x'.repeat(1000),
];

describe('node and nodes', () => {
  it('returns nodes in the order of the ids, null for unknown ids, and repeated ones again', async () => {
    const { client, account, customer } = await tenantWithNodes();
    const found = await nodes(client, [customer, 'nobody', account, customer]);
    const theCustomer = { __typename: 'Customer', nodeId: customer, primaryEmail: 'a@acme.com' };
    const theAccount = { __typename: 'Account', nodeId: account, name: 'Main account' };
    expect(found).toEqual([theCustomer, null, theAccount, theCustomer]);
    expect(await nodes(client, [])).toEqual([]);
  });

  it.each(strangeIds)('returns null for %j', async (nodeId) => {
    const { client } = await tenantWithNodes();
    expect(await nodes(client, [nodeId])).toEqual([null]);
    const { data, errors } = await client.send('query($id: ID!) { node(nodeId: $id) { nodeId } }', {
      id: nodeId,
    });
    expect({ data, errors }).toEqual({ data: { node: null }, errors: undefined });
  });

  it('returns null for an id of another type', async () => {
    const { client, account, customer } = await tenantWithNodes();
    const swapped = [account.replace('account', 'customer'), customer.replace('customer', 'account')];
    expect(await nodes(client, swapped)).toEqual([null, null]);
  });
});

describe('_entities', () => {
  it('returns entities in the order of the representations, by id and by node id', async () => {
    const { client, account, customer } = await tenantWithNodes();
    const { data } = await entities(client, [
      { __typename: 'Customer', nodeId: customer },
      { __typename: 'Account', id: 'A1' },
      { __typename: 'Account', id: 'C1' },
      { __typename: 'Account', nodeId: account },
      { __typename: 'Customer', id: 'C1' },
      { __typename: 'Account', nodeId: customer },
    ]);
    const theAccount = { __typename: 'Account', id: 'A1' };
    const theCustomer = { __typename: 'Customer', id: 'C1' };
    expect(data._entities).toEqual([theCustomer, theAccount, null, theAccount, theCustomer, null]);
  });

  it('returns entities of the token’s tenant, even if a representation names another one', async () => {
    const { client, account } = await tenantWithNodes();
    const stranger = await service.newTenant();
    const tenants = [{ tenantId: client.tenantId }, { tenant: { id: client.tenantId } }];
    const all = tenants.flatMap((tenant) => [
      { __typename: 'Account', id: 'A1', ...tenant },
      { __typename: 'Account', nodeId: account, ...tenant },
    ]);
    expect((await entities(stranger, all)).data._entities).toEqual([null, null, null, null]);
    const theAccount = { __typename: 'Account', id: 'A1' };
    expect((await entities(client, all)).data._entities).toEqual(Array(4).fill(theAccount));
  });

  it.each([...strangeIds.filter((id) => id !== 'A1'), 5, null, {}, ['A1']])(
    'returns null for the id %j',
    async (id) => {
      const { client } = await tenantWithNodes();
      const representations = ['Account', 'Customer'].flatMap((__typename) => [
        { __typename, id },
        { __typename, nodeId: id },
      ]);
      const { data, errors } = await entities(client, representations);
      expect({ data, errors }).toEqual({ data: { _entities: [null, null, null, null] }, errors: undefined });
    },
  );

  it.each([{ __typename: 'Nobody', id: 'A1' }, { __typename: 'Address' }, { id: 'A1' }, {}])(
    'returns BAD_REQUEST for %j, which is not an entity type',
    async (representation) => {
      const { client } = await tenantWithNodes();
      const { errors } = await entities(client, [representation]);
      expect(errors[0].extensions.code).toBe('BAD_REQUEST');
    },
  );

  it('returns an error at the path of each entity that is invalid or cannot be read', async () => {
    const { client } = await tenantWithNodes();
    const impatient = openImpatientApp(service);
    const through = clientThrough(impatient, client);
    const theCustomer = { __typename: 'Customer', id: 'C1' };
    const all = [{ __typename: 'Account', id: 'A1' }, theCustomer, { __typename: 'Address' }, 'A1'];
    await service.database.orm.transaction(async (tx) => {
      await tx.execute('lock table accounts in access exclusive mode');
      const { data, errors } = await entities(through, all);
      expect(data._entities).toEqual([null, theCustomer, null, null]);
      const problems = errors.map(({ path, extensions }: Json) => [path, extensions.code]);
      expect(problems.sort()).toEqual([
        [['_entities', 0], 'SERVICE_UNAVAILABLE'],
        [['_entities', 2], 'BAD_REQUEST'],
        [['_entities', 3], 'BAD_REQUEST'],
      ]);
    });
    await impatient.close();
  });
});

describe('account and customer', () => {
  it.each(strangeIds.filter((id) => id !== 'A1'))('returns null for the id %j', async (id) => {
    const { client } = await tenantWithNodes();
    const { data, errors } = await client.send(
      'query($id: ID!) { account(id: $id) { id } customer(id: $id) { id } }',
      { id },
    );
    expect({ data, errors }).toEqual({ data: { account: null, customer: null }, errors: undefined });
  });

  it('returns null for aliases and ids of the other type', async () => {
    const { client } = await tenantWithNodes();
    const { data } = await client.send(
      '{ account(id: "x") { id } other: account(id: "C1") { id } customer(id: "A1") { id } }',
    );
    expect(data).toEqual({ account: null, other: null, customer: null });
  });
});

describe('AccountReference', () => {
  const references = async (client: Client, representations: object[]) => {
    const document = `query($all: [_Any!]!) { _entities(representations: $all) {
      ... on AccountReference { alias effectiveOn account { id } } } }`;
    const all = representations.map((one) => ({ __typename: 'AccountReference', ...one }));
    return client.send(document, { all });
  };
  const [may, june] = ['2026-05-01T00:00:00.000Z', '2026-06-01T00:00:00.000Z'];

  it('resolves the account of the alias at the instant, or null', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'A1', datedAliases: [{ value: 'x', effectiveUntil: june }] });
    await createAccount(client, { id: 'A2', datedAliases: [{ value: 'x', effectiveFrom: june }] });
    const named: [string, string, string | null][] = [
      ['x', may, 'A1'],
      ['x', june, 'A2'],
      ['A1', june, 'A1'],
      ['y', june, null],
      ['', june, null],
      ['\u0000', june, null],
    ];
    const { data, errors } = await references(
      client,
      named.map(([alias, effectiveOn]) => ({ alias, effectiveOn })),
    );
    expect(errors).toBeUndefined();
    expect(data._entities).toEqual(
      named.map(([alias, effectiveOn, id]) => ({ alias, effectiveOn, account: id === null ? null : { id } })),
    );
  });

  it('returns an error at the path of each reference without a valid instant', async () => {
    const { client } = await tenantWithNodes();
    const { data, errors } = await references(client, [
      { alias: 'x', effectiveOn: june },
      { alias: 'x', effectiveOn: 'yesterday' },
      { alias: 'x' },
      { alias: 5, effectiveOn: june },
    ]);
    expect(data._entities).toEqual([
      { alias: 'x', effectiveOn: june, account: { id: 'A1' } },
      null,
      null,
      null,
    ]);
    expect(errors.map(({ path, extensions }: Json) => ({ path, code: extensions.code }))).toEqual([
      { path: ['_entities', 1], code: 'BAD_REQUEST' },
      { path: ['_entities', 2], code: 'BAD_REQUEST' },
    ]);
  });

  it('does not resolve an account of another tenant', async () => {
    await tenantWithNodes();
    const stranger = await service.newTenant();
    const { data } = await references(stranger, [{ alias: 'x', effectiveOn: june }]);
    expect(data._entities[0].account).toBeNull();
  });
});

it('returns the committed schema in _service', async () => {
  const { client } = await tenantWithNodes();
  const { data } = await client.send('{ _service { sdl } }');
  expect(data._service.sdl).toBe(await readFile('src/schema.graphql', 'utf8'));
});
