import { beforeAll } from 'vitest';
import { accountInput, customerInput } from './account.ts';
import type { MutationName } from './mutations.ts';
import type { Client, Service } from './service.ts';

export const setting = (id: string, overrides: object = {}) => ({
  id,
  namespace: 'n',
  name: 'Setting',
  dataType: 'STRING',
  value: 'v',
  ...overrides,
});

const customerOf = (id: string) =>
  `${id}: createCustomer(input: { id: "${id}", name: "Acme", primaryEmail: "a@acme.com", address: { country: "US" } }) { __typename }`;
const archived = (type: string, id: string) =>
  `archived${id}: archive${type}(input: { id: "${id}" }) { __typename }`;
const settingOf = (id: string) =>
  `{ id: "${id}", namespace: "n", name: "Setting", dataType: STRING, value: "v" }`;
const accountsOf = `createAccounts(inputs: [
  { id: "A1", name: "Main account", customerId: "C1", aliases: ["x", "y"], settings: [${settingOf('s')} ${settingOf('t')}] }
  { id: "A2", name: "Main account", customerId: "C1", aliases: ["z"] }
  { id: "A3", name: "Main account", customerId: "C1", aliases: ["old"] }
  { id: "A4", name: "Main account", customerId: "C1" }
]) { __typename }`;

// One request each, always of the same text: worlds are what these tests make most.
const smallWorld = `mutation { ${customerOf('C1')} ${accountsOf} ${archived('Account', 'A3')} }`;
const wholeWorld = `mutation { ${['C1', 'C2', 'C3', 'C4', 'C5'].map(customerOf).join(' ')} ${accountsOf}
  ${['A3', 'A4'].map((id) => archived('Account', id)).join(' ')}
  ${['C3', 'C4'].map((id) => archived('Customer', id)).join(' ')} }`;

async function tenantLike(service: Service, document: string): Promise<Client> {
  const client = await service.newTenant();
  const { data, errors } = await client.send(document);
  const types = Object.values(data ?? {}).flat() as { __typename: string }[];
  if (errors !== undefined || !types.every(({ __typename }) => __typename.endsWith('Success'))) {
    throw new Error(JSON.stringify({ data, errors }));
  }
  return client;
}

/** A tenant whose customer C1 has the accounts above, A3 archived. */
export function newSmallWorld(service: Service): Promise<Client> {
  return tenantLike(service, smallWorld);
}

/** A tenant with something for every mutation: A4 archived, too; C2 and C5 without accounts, C3 and C4 archived. */
export function newWorld(service: Service): Promise<Client> {
  return tenantLike(service, wholeWorld);
}

/** One world for tests that change nothing, and prove it. */
export function untouched(make: () => Promise<Client>): { readonly client: Client } {
  let client: Client | undefined;
  beforeAll(async () => {
    client = await make();
  });
  return {
    get client() {
      if (client === undefined) throw new Error('There is no world before the tests.');
      return client;
    },
  };
}

export interface MutationCase {
  name: MutationName;
  /** What the world accepts. */
  input: object;
  /** Another input that the world accepts. */
  other: object;
  /** What changes the answered entity afterwards. */
  later: [name: MutationName, input: object];
  /** What the input becomes when it names nothing of the tenant; undefined when it names nothing anyway. */
  unknown: object | undefined;
  refused: object;
  /** How many rows the history gets. */
  changes: number;
}

const rename = (mutation: MutationName, id: string): MutationCase['later'] => [
  mutation,
  { id, name: 'Changed since' },
];
const renameA1 = rename('updateAccount', 'A1');
const one = { changes: 1 };

const customerCases: MutationCase[] = [
  {
    name: 'createCustomer',
    input: customerInput({ id: 'C9' }),
    other: customerInput({ id: 'C8' }),
    later: rename('updateCustomer', 'C9'),
    unknown: undefined,
    refused: customerInput({ id: 'C1' }),
    ...one,
  },
  {
    name: 'updateCustomer',
    input: { id: 'C1', name: 'New name' },
    other: { id: 'C1', name: 'Other name' },
    later: rename('updateCustomer', 'C1'),
    unknown: { id: 'nobody' },
    refused: { id: 'C3', name: 'New name' },
    ...one,
  },
  {
    name: 'archiveCustomer',
    input: { id: 'C2' },
    other: { id: 'C5' },
    later: ['restoreCustomer', { id: 'C2' }],
    unknown: { id: 'nobody' },
    refused: { id: 'C1' },
    ...one,
  },
  {
    name: 'restoreCustomer',
    input: { id: 'C3' },
    other: { id: 'C4' },
    later: ['archiveCustomer', { id: 'C3' }],
    unknown: { id: 'nobody' },
    refused: { id: 'C1' },
    ...one,
  },
];

const creations = (['createAccount', 'createAccounts'] as const).map(
  (name): MutationCase => ({
    name,
    input: accountInput({ id: 'A9', aliases: ['new'], settings: [setting('s')] }),
    other: accountInput({ id: 'A8' }),
    later: ['removeAliases', { accountId: 'A9', aliases: ['new'] }],
    unknown: { customerId: 'nobody' },
    refused: accountInput({ id: 'A9', aliases: ['x'] }),
    ...one,
  }),
);

const accountCases: MutationCase[] = [
  ...creations,
  {
    name: 'updateAccount',
    input: { id: 'A1', name: 'New name' },
    other: { id: 'A1', name: 'Other name' },
    later: renameA1,
    unknown: { id: 'nobody' },
    refused: { id: 'A1', status: 'DRAFT' },
    ...one,
  },
  {
    name: 'archiveAccount',
    input: { id: 'A1' },
    other: { id: 'A2' },
    later: ['restoreAccount', { id: 'A1' }],
    unknown: { id: 'nobody' },
    refused: { id: 'A3' },
    ...one,
  },
  {
    name: 'restoreAccount',
    input: { id: 'A3' },
    other: { id: 'A4' },
    later: ['archiveAccount', { id: 'A3' }],
    unknown: { id: 'nobody' },
    refused: { id: 'A1' },
    ...one,
  },
];

const aliasCases: MutationCase[] = [
  {
    name: 'addAliases',
    input: { accountId: 'A1', aliases: ['new'] },
    other: { accountId: 'A1', aliases: ['newer'] },
    later: ['removeAliases', { accountId: 'A1', aliases: ['new'] }],
    unknown: { accountId: 'nobody' },
    refused: { accountId: 'A1', aliases: ['new', 'z'] },
    ...one,
  },
  {
    name: 'removeAliases',
    input: { accountId: 'A1', aliases: ['x'] },
    other: { accountId: 'A1', aliases: ['y'] },
    later: renameA1,
    unknown: { accountId: 'nobody' },
    refused: { accountId: 'A1', aliases: ['x', 'z'] },
    ...one,
  },
  {
    name: 'transferAlias',
    input: { alias: 'x', toAccountId: 'A2' },
    other: { alias: 'y', toAccountId: 'A2' },
    later: rename('updateAccount', 'A2'),
    unknown: { toAccountId: 'nobody' },
    refused: { alias: 'x', toAccountId: 'A3' },
    changes: 2,
  },
];

const settingCases: MutationCase[] = [
  {
    name: 'putSettings',
    input: { accountId: 'A1', settings: [setting('s', { value: 'w' })] },
    other: { accountId: 'A1', settings: [setting('new')] },
    later: ['removeSettings', { accountId: 'A1', settings: [{ namespace: 'n', id: 's' }] }],
    unknown: { accountId: 'nobody' },
    refused: { accountId: 'A3', settings: [setting('s')] },
    ...one,
  },
  {
    name: 'removeSettings',
    input: { accountId: 'A1', settings: [{ namespace: 'n', id: 's' }] },
    other: { accountId: 'A1', settings: [{ namespace: 'n', id: 't' }] },
    later: renameA1,
    unknown: { accountId: 'nobody' },
    refused: { accountId: 'A1', settings: [{ namespace: 'n', id: 'nothing' }] },
    ...one,
  },
];

/** One case of every mutation, on a new world each. */
export const mutationCases: MutationCase[] = [
  ...customerCases,
  ...accountCases,
  ...aliasCases,
  ...settingCases,
];

const named = ['id', 'accountId', 'alias'];

/** Inputs that the world refuses: by a rule of the domain, as unknown, and as invalid. */
export function refusalsOf({ input, unknown, refused }: MutationCase): object[] {
  const invalid = Object.entries(input).map(([key, value]) => [key, named.includes(key) ? '' : value]);
  return [refused, ...(unknown ? [{ ...input, ...unknown }] : []), Object.fromEntries(invalid)];
}
