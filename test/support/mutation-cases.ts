import { accountInput, customerInput, setting, tenantWithEverything } from './fixtures.ts';
import { type MutationName, mutate } from './mutations.ts';
import type { Client, Service } from './service.ts';

export interface MutationCase {
  name: MutationName;
  /** Sent before the inputs. */
  earlier?: [name: MutationName, input: object][];
  /** Accepted by `tenantFor`. */
  input: object;
  /** Another accepted input. */
  other: object;
  /** Changes the returned entity afterwards. */
  later: [name: MutationName, input: object];
  /** Overrides that name an entity that does not exist; `undefined` if the input names no entity. */
  unknown: object | undefined;
  refused: object;
  /** The number of history entries that the mutation adds. */
  changes: number;
}

const rename = (mutation: MutationName, id: string): MutationCase['later'] => [
  mutation,
  { id, name: 'Changed since' },
];
const renameA1 = rename('updateAccount', 'A1');
const one = { changes: 1 };

const customerCreations = (['createCustomer', 'createCustomers'] as const).map(
  (name): MutationCase => ({
    name,
    input: customerInput({ id: 'C9' }),
    other: customerInput({ id: 'C8' }),
    later: rename('updateCustomer', 'C9'),
    unknown: undefined,
    refused: customerInput({ id: 'C1' }),
    ...one,
  }),
);

const customerCases: MutationCase[] = [
  ...customerCreations,
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

const accountCreations = (['createAccount', 'createAccounts'] as const).map(
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

const accountUpdates = (['updateAccount', 'updateAccounts'] as const).map(
  (name): MutationCase => ({
    name,
    input: { id: 'A1', name: 'New name' },
    other: { id: 'A1', name: 'Other name' },
    later: renameA1,
    unknown: { id: 'nobody' },
    refused: { id: 'A1', status: 'DRAFT' },
    ...one,
  }),
);

const accountCases: MutationCase[] = [
  ...accountCreations,
  ...accountUpdates,
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
  {
    name: 'revertAccount',
    earlier: [
      ['updateAccount', { id: 'A2', name: 'Second' }],
      ['updateAccount', { id: 'A2', tags: ['t'] }],
    ],
    input: { id: 'A2', toVersion: 1 },
    other: { id: 'A2', toVersion: 2 },
    later: rename('updateAccount', 'A2'),
    unknown: { id: 'nobody' },
    refused: { id: 'A2', toVersion: 9 },
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

/** A case for every mutation. Each starts with a new `tenantFor`. */
export const mutationCases: MutationCase[] = [
  ...customerCases,
  ...accountCases,
  ...aliasCases,
  ...settingCases,
];

/** Creates a tenant that accepts the inputs of a case: `tenantWithEverything` after the earlier mutations. */
export async function tenantFor(service: Service, { earlier = [] }: MutationCase): Promise<Client> {
  const client = await tenantWithEverything(service);
  for (const [name, input] of earlier) await mutate(client, name, input);
  return client;
}

const named = ['id', 'accountId', 'alias'];

/** Inputs that `tenantWithEverything` refuses: for a domain rule, an unknown entity and an invalid field. */
export function refusalsOf({ input, unknown, refused }: MutationCase): object[] {
  const invalid = Object.entries(input).map(([key, value]) => [key, named.includes(key) ? '' : value]);
  return [refused, ...(unknown ? [{ ...input, ...unknown }] : []), Object.fromEntries(invalid)];
}
