import { beforeAll } from 'vitest';
import { mutate } from './mutations.ts';
import type { Client, Json, Service } from './service.ts';

/** Returns the input of a customer with only the required fields. */
export function customerInput(overrides: object = {}) {
  return { id: 'C1', name: 'Acme', primaryEmail: 'a@acme.com', address: { country: 'US' }, ...overrides };
}

/** Returns the input of an account of customer C1 with only the required fields. */
export function accountInput(overrides: object = {}) {
  return { id: 'A1', name: 'Main account', customerId: 'C1', ...overrides };
}

export const setting = (id: string, overrides: object = {}) => ({
  id,
  namespace: 'n',
  name: 'Setting',
  dataType: 'STRING',
  value: 'v',
  ...overrides,
});

/** Creates an account, which must succeed. */
export function createAccount(client: Client, overrides: object = {}): Promise<Json> {
  return mutate(client, 'createAccount', accountInput(overrides));
}

/** Creates a customer, which must succeed. */
export function createCustomer(client: Client, overrides: object = {}): Promise<Json> {
  return mutate(client, 'createCustomer', customerInput(overrides));
}

/** Creates a tenant with customer C1. */
export async function tenantWithCustomer(
  service: Service,
  options?: Parameters<Service['newTenant']>[0],
): Promise<Client> {
  const client = await service.newTenant(options);
  await createCustomer(client);
  return client;
}

const customerText = (id: string) =>
  `${id}: createCustomer(input: { id: "${id}", name: "Acme", primaryEmail: "a@acme.com", address: { country: "US" } }) { __typename }`;
const archiveText = (type: string, id: string) =>
  `archived${id}: archive${type}(input: { id: "${id}" }) { __typename }`;
const settingText = (id: string) =>
  `{ id: "${id}", namespace: "n", name: "Setting", dataType: STRING, value: "v" }`;
const accountsText = `createAccounts(inputs: [
  { id: "A1", name: "Main account", customerId: "C1", aliases: ["x", "y"], settings: [${settingText('s')} ${settingText('t')}] }
  { id: "A2", name: "Main account", customerId: "C1", aliases: ["z"] }
  { id: "A3", name: "Main account", customerId: "C1", aliases: ["old"] }
  { id: "A4", name: "Main account", customerId: "C1" }
]) { __typename }`;

// One request per tenant, always with the same text, because most tests start with one of these tenants.
const accountsDocument = `mutation { ${customerText('C1')} ${accountsText} ${archiveText('Account', 'A3')} }`;
const everythingDocument = `mutation { ${['C1', 'C2', 'C3', 'C4', 'C5'].map(customerText).join(' ')} ${accountsText}
  ${['A3', 'A4'].map((id) => archiveText('Account', id)).join(' ')}
  ${['C3', 'C4'].map((id) => archiveText('Customer', id)).join(' ')} }`;

async function tenantFrom(service: Service, document: string): Promise<Client> {
  const client = await service.newTenant();
  const { data, errors } = await client.send(document);
  const types = Object.values(data ?? {}).flat() as { __typename: string }[];
  if (errors !== undefined || !types.every(({ __typename }) => __typename.endsWith('Success'))) {
    throw new Error(JSON.stringify({ data, errors }));
  }
  return client;
}

/** Creates a tenant with customer C1 and its accounts A1 (aliases x, y), A2 (z), A3 (archived) and A4. */
export function tenantWithAccounts(service: Service): Promise<Client> {
  return tenantFrom(service, accountsDocument);
}

/**
 * Creates a tenant that has an entity for every mutation: the accounts A1 to A4 of customer C1, with A3 and A4 archived,
 * and the customers C2 and C5 without accounts, C3 and C4 archived.
 */
export function tenantWithEverything(service: Service): Promise<Client> {
  return tenantFrom(service, everythingDocument);
}

/** Creates one tenant for tests that change nothing in it. */
export function useSharedTenant(create: () => Promise<Client>): { readonly client: Client } {
  let client: Client | undefined;
  beforeAll(async () => {
    client = await create();
  });
  return {
    get client() {
      if (client === undefined) throw new Error('The tenant does not exist before the tests.');
      return client;
    },
  };
}
