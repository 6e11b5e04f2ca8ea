import { expect } from 'vitest';
import { mutated } from './mutations.ts';
import type { RestClient } from './rest.ts';
import type { Json } from './service.ts';

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
  mutated(client.graphql, 'removeSettings', { accountId: entityId, settings: [key] });

/** A kind of name that paths hold. */
export interface Kind {
  /** Makes what the name means. */
  make(client: RestClient, ...names: string[]): Promise<void>;
  /** Ends what the name means; what is left of it is not found among what is in force. */
  end(client: RestClient, name: string): Promise<unknown>;
  pathOf(segment: string): string;
  /** The name in a response to GET. */
  nameIn(body: Json): string;
}

export const settingNamed = (name: string): SettingName => ({ namespace: 'n', id: name, entityId: 'A1' });

/** The kinds, in a tenant that has the account A1 and the customer C1. */
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
