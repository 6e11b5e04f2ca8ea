import { isDeepStrictEqual } from 'node:util';
import {
  defaultFieldResolver,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLString,
  getNamedType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { guardPast } from '../../src/past/graphql.ts';
import { buildSchema } from '../../src/schema.ts';
import { createAccount, createCustomer, setting } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const schema = buildSchema();
let client: Client;
/** An instant at which the entities had their first version, and one at which nothing existed. */
let then = '';
/** What was returned of the first versions. */
const recorded: Record<string, Json> = {};
const before = '2000-01-01T00:00:00.000Z';

const address = {
  phoneNumber: '12',
  line1: 'l',
  line2: 'm',
  postalCode: 'p',
  city: 'c',
  state: 's',
  country: 'FR',
};
const account = {
  id: 'A1',
  status: 'DRAFT',
  address,
  aliases: ['x'],
  settings: [setting('s')],
  invoiceCurrency: 'JPY',
  netTermDays: 7,
  primaryEmail: 'b@acme.com',
  billingInformation: { emailRecipients: ['c@acme.com'] },
  tags: ['t'],
  metadata: { k: 'v' },
};

/** Changes every field that can change. */
async function changeEverything(): Promise<void> {
  const parts = Object.fromEntries(Object.keys(address).map((name) => [name, '34']));
  const common = { name: 'New', address: { ...parts, country: 'DE' }, metadata: { k: 'new' } };
  await mutate(client, 'updateCustomer', { id: 'C1', ...common, primaryEmail: 'new@b.co' });
  await mutate(client, 'updateAccount', {
    ...{ id: 'A1', ...common, status: 'ACTIVE', invoiceCurrency: null, netTermDays: null },
    ...{ primaryEmail: 'new@b.co', billingInformation: { emailRecipients: ['new@b.co'] }, tags: ['new'] },
  });
  const settings = [setting('s', { value: 'new' })];
  await mutate(client, 'putSettings', { customerId: 'C1', settings });
  await mutate(client, 'putSettings', { accountId: 'A1', settings });
  await mutate(client, 'addAliases', { accountId: 'A1', aliases: ['new'] });
}

beforeAll(async () => {
  client = await service.newTenant();
  await createCustomer(client, { address, metadata: { k: 'v' }, settings: [setting('s')] });
  const { updatedAt } = await createAccount(client, account);
  then = updatedAt;
  for (const type of ['Account', 'Customer']) recorded[type] = await read(type, pastSelection(type));
  await changeEverything();
});

/** The fields that have no past state, each with its required arguments. */
const refused: Record<string, string> = {
  'Account.aliasTimeline': '{ nodes { value } }',
  'Account.diff': `(from: "${before}") { field }`,
  'Account.history': '{ nodes { id } }',
  'Customer.accounts': '{ nodes { id } }',
  'Customer.diff': `(from: "${before}") { field }`,
  'Customer.history': '{ nodes { id } }',
};

function fieldsOf(name: string) {
  const type = schema.getType(name);
  return isObjectType(type) ? Object.values(type.getFields()) : [];
}

/** The fields that the changes of this test leave equal. */
const unchanged: Record<string, string[]> = {
  Account: ['__typename', 'createdAt', 'customerId', 'id', 'nodeId'],
  // A customer with accounts cannot be archived.
  Customer: ['__typename', 'createdAt', 'id', 'nodeId', 'status'],
};

/** Selects every field that can be read as of an instant, down to this depth. */
function pastSelection(name: string, depth = 3): string {
  const fields = fieldsOf(name).filter((field) => refused[`${name}.${field.name}`] === undefined);
  const parts = fields.flatMap((field) => {
    const type = getNamedType(field.type);
    if (isLeafType(type)) return [field.name];
    return depth === 0 ? [] : [`${field.name} { ${pastSelection(type.name, depth - 1)} }`];
  });
  return ['__typename', ...parts].join(' ');
}

const root = (type: string, asOf = '') =>
  type === 'Account' ? `account(id: "A1"${asOf})` : `customer(id: "C1"${asOf})`;

async function read(type: string, selection: string, asOf?: string): Promise<Json> {
  const argument = asOf === undefined ? '' : `, asOf: "${asOf}"`;
  const { data, errors } = await client.send(`{ found: ${root(type, argument)} { ${selection} } }`);
  expect(errors).toBeUndefined();
  return data.found;
}

describe.each(['Account', 'Customer'])('every field of %s', (type) => {
  it('is as it was recorded, or is refused', async () => {
    const selection = pastSelection(type);
    const [past, current] = [await read(type, selection, then), await read(type, selection)];
    expect(past).toEqual(recorded[type]);
    expect(await read(type, selection, '2900-01-01T00:00:00Z')).toEqual(current);
    expect(await read(type, selection, before)).toBeNull();
    // All others have changed, so that none can be a current value.
    const same = Object.keys(past).filter((name) => isDeepStrictEqual(past[name], current[name]));
    expect(same.toSorted()).toEqual(unchanged[type]);
  });

  it.each(Object.entries(refused).filter(([field]) => field.startsWith(`${type}.`)))(
    'says what to do instead of mixing past and present: %s',
    async (field, rest) => {
      const name = field.split('.')[1];
      const { data, errors } = await client.send(
        `{ found: ${root(type, `, asOf: "${then}"`)} { ${name}${rest} } }`,
      );
      expect(data).toEqual({ found: null });
      expect(errors).toMatchObject([
        {
          message: `asOf cannot be combined with \`${field}\`. Select this field in a query without \`asOf\``,
          path: ['found', name],
          extensions: { code: 'BAD_REQUEST', issues: [{ path: ['asOf'], code: 'INVALID_VALUE' }] },
        },
      ]);
      expect((await client.send(`{ found: ${root(type)} { ${name}${rest} } }`)).errors).toBeUndefined();
    },
  );
});

describe('guardPast', () => {
  it('refuses a new field with a resolver for rows of the past, unless it declares that it answers for them', () => {
    const type = (name: string, fields: object) =>
      new GraphQLObjectType({ name, fields: fields as Record<string, { type: typeof GraphQLString }> });
    const resolve = () => 'now';
    const late = type('Late', { text: { type: GraphQLString, resolve } });
    const made = new GraphQLSchema({
      query: type('Query', {
        account: {
          type: type('Account', {
            late: { type: late, extensions: { anyTime: true }, resolve },
            name: { type: GraphQLString },
            text: { type: GraphQLString, resolve },
          }),
        },
      }),
    });
    guardPast(made);
    const resolverOf = (name: string, field: string) => {
      const found = made.getType(name);
      const one = isObjectType(found) ? found.getFields()[field] : undefined;
      return (row: object) => (one?.resolve ?? defaultFieldResolver)(row, {}, {}, {} as never);
    };
    const past = { asOf: new Date(), state: {} };
    for (const [name, field] of [
      ['Account', 'text'],
      ['Late', 'text'],
    ] as const) {
      expect(resolverOf(name, field)({})).toBe('now');
      expect(() => resolverOf(name, field)(past)).toThrow(
        `asOf cannot be combined with \`${name}.${field}\``,
      );
    }
    expect(resolverOf('Account', 'late')(past)).toBe('now');
  });
});

describe('asOf', () => {
  it('finds no entity of another tenant, and needs the scope of the field', async () => {
    const stranger = await service.newTenant();
    const document = `{ ${root('Account', `, asOf: "${then}"`)} { id } ${root('Customer', `, asOf: "${then}"`)} { id } }`;
    expect((await stranger.send(document)).data).toEqual({ account: null, customer: null });
    const reader = await service.newKey(client, ['accounts:read']);
    const { errors } = await reader.send(`{ ${root('Account', `, asOf: "${then}"`)} { customer { id } } }`);
    expect(errors).toMatchObject([{ extensions: { code: 'FORBIDDEN', scope: 'customers:read' } }]);
  });

  it.each(['0000-01-01T00:00:00Z', '10000-01-01', 'yesterday'])('rejects %s', async (asOf) => {
    const { errors } = await client.send('query($asOf: DateTime) { account(id: "A1", asOf: $asOf) { id } }', {
      asOf,
    });
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_REQUEST' } }]);
  });

  it('reads the current state if it is null', async () => {
    const { data } = await client.send('{ account(id: "A1", asOf: null) { id history { nodes { id } } } }');
    expect(data.account.history.nodes.length).toBeGreaterThan(0);
  });
});

describe('diff', () => {
  const diff = async (type: string, period: string) =>
    client.send(`{ found: ${root(type)} { diff(${period}) { field before after version actor } } }`);

  it('rejects a period that ends before it begins', async () => {
    const { errors } = await diff('Account', `from: "2900-01-01T00:00:00Z", to: "${before}"`);
    expect(errors).toMatchObject([
      {
        message: `from must not be later than \`to\`, which is ${before}`,
        extensions: { code: 'BAD_REQUEST', issues: [{ path: ['from'] }] },
      },
    ]);
  });

  it('is empty between two instants before the creation', async () => {
    const { data } = await diff('Account', `from: "${before}", to: "2001-01-01T00:00:00Z"`);
    expect(data.found.diff).toEqual([]);
  });

  it('has every value of a creation, with null before it, and by default ends with the current state', async () => {
    const { data } = await diff('Customer', `from: "${before}"`);
    const { name, version } = await read('Customer', 'name version');
    expect(version).toBeGreaterThanOrEqual(1);
    expect(data.found.diff).toContainEqual(
      expect.objectContaining({
        field: 'name',
        before: null,
        after: name,
        actor: expect.stringMatching(/^key_/),
      }),
    );
    expect(data.found.diff.map(({ field }: Json) => field)).toEqual(
      expect.arrayContaining(['address.city', 'metadata', 'primaryEmail', 'settings.n.s', 'status']),
    );
  });
});
