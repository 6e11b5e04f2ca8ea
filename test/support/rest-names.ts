import { expect } from 'vitest';
import { tenantWithAccounts } from './fixtures.ts';
import { mutate } from './mutations.ts';
import { type RestClient, useRest } from './rest.ts';
import { type Json, useService } from './service.ts';

/** Runs the service for the tests of a file, with REST clients for new tenants of `tenantWithAccounts`. */
export function useRestNames() {
  const service = useService();
  const rest = useRest(service);
  return { service, newClient: async () => rest.of(await tenantWithAccounts(service)) };
}

async function created(client: RestClient, path: string, body: Json): Promise<void> {
  expect(await client.post(path, body)).toMatchObject({ status: path.includes('add_aliases') ? 200 : 201 });
}

export async function addAccounts(client: RestClient, ...ids: string[]): Promise<void> {
  for (const id of ids) await created(client, '/accounts', { id, name: `Named ${id}`, customerId: 'C1' });
}

export async function addCustomers(client: RestClient, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    const body = { id, name: `Named ${id}`, primaryEmail: 'c@acme.example', address: { country: 'US' } };
    await created(client, '/customers', body);
  }
}

export const addAliases = (client: RestClient, id: string, ...aliases: string[]) =>
  created(client, `/accounts/${encodeURIComponent(id)}/add_aliases`, { aliases });

export interface SettingName {
  namespace: string;
  id: string;
  entityId: string;
}

export const addSetting = (client: RestClient, name: SettingName, entityType = 'ACCOUNT') =>
  created(client, '/settings', { ...name, entityType, name: 'S', dataType: 'STRING', value: 'v' });

export const removeSetting = (client: RestClient, { entityId, ...key }: SettingName) =>
  mutate(client.graphql, 'removeSettings', { accountId: entityId, settings: [key] });

/** A kind of entity that a path names. */
export interface Kind {
  /** Creates entities with these names. */
  make(client: RestClient, ...names: string[]): Promise<void>;
  /** Archives or removes the entity with this name. */
  end(client: RestClient, name: string): Promise<unknown>;
  pathOf(segment: string): string;
  /** Returns the name in the response to a GET. */
  nameIn(body: Json): string;
}

export const settingNamed = (name: string): SettingName => ({ namespace: 'n', id: name, entityId: 'A1' });

/** The kinds of entity. They need account A1 and customer C1. */
export const kinds: Record<string, Kind> = {
  account: {
    make: addAccounts,
    end: (client, name) => client.delete(`/accounts/${encodeURIComponent(name)}`),
    pathOf: (segment) => `/accounts/${segment}`,
    nameIn: ({ id }) => id,
  },
  customer: {
    make: addCustomers,
    end: (client, name) => client.delete(`/customers/${encodeURIComponent(name)}`),
    pathOf: (segment) => `/customers/${segment}`,
    nameIn: ({ id }) => id,
  },
  alias: {
    make: (client, ...names) => addAliases(client, 'A1', ...names),
    end: (client, name) => client.delete(`/aliases/${encodeURIComponent(name)}`),
    pathOf: (segment) => `/aliases/${segment}`,
    nameIn: ({ value }) => value,
  },
  setting: {
    make: async (client, ...names) => {
      for (const name of names) await addSetting(client, settingNamed(name));
    },
    end: (client, name) => removeSetting(client, settingNamed(name)),
    pathOf: (segment) => `/settings/setting.n.${segment}.ACCOUNT.A1`,
    nameIn: ({ id }) => id,
  },
};
