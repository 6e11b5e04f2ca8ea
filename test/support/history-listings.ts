import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { newUuid, parseTypeId, toTypeId } from '../../src/lib/id.ts';
import {
  connectionFields,
  deleteRows,
  type Listing,
  pageArguments,
  pageVariables,
} from './connection-contract.ts';
import { createAccount, tenantWithCustomer } from './fixtures.ts';
import type { Client, Service } from './service.ts';

const services = new WeakMap<Client, Service>();

async function tenantWithAccount(service: Service): Promise<Client> {
  const client = await tenantWithCustomer(service);
  await createAccount(client);
  services.set(client, service);
  return client;
}

function databaseOf(client: Client) {
  const service = services.get(client);
  if (service === undefined) throw new Error('The client does not belong to a listing.');
  return service.database.orm;
}

/** Creates a tenant whose account and customer have no history, which the API cannot create. */
async function tenantWithoutHistory(service: Service): Promise<Client> {
  const client = await tenantWithAccount(service);
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(sql`set local session_replication_role = replica`);
    await tx.execute(sql`delete from changes where tenant_id = ${client.tenantId}`);
  });
  return client;
}

async function addChanges(client: Client, accountId: string | null, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = newUuid();
    await databaseOf(client).execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${client.tenantId}, ${id}, 'C1', ${accountId}, 'ACCOUNT_UPDATED', '2026-01-01', 'key_1', 'r', count(*) + 1
      from changes where tenant_id = ${client.tenantId} and account_id is not distinct from ${accountId}`);
    ids.unshift(toTypeId('Change', id));
  }
  return ids;
}

function historyListing(owner: 'account' | 'customer'): Listing {
  const accountId = owner === 'account' ? 'A1' : null;
  const make: Listing['make'] = (_, client, count) => addChanges(client, accountId, count);
  return {
    name: `the history of ${owner === 'account' ? 'an account' : 'a customer'}`,
    document: `query(${pageVariables}) { owner: ${owner}(id: "${accountId ?? 'C1'}") {
      list: history(${pageArguments}) { ${connectionFields} } } }`,
    newClient: tenantWithoutHistory,
    make,
    makeTied: make,
    addFirst: async (client) => String((await addChanges(client, accountId, 1))[0]),
    remove: (service, client, ids) => {
      const values = ids.map((id) => parseTypeId(id)?.uuid ?? '');
      return deleteRows(service, client, { table: 'changes', column: 'id', values });
    },
  };
}

async function addAlias(client: Client, value: string, effectiveFrom: string): Promise<void> {
  await databaseOf(client).execute(sql`
    insert into aliases (tenant_id, value, account_id, effective_from, effective_until, created_at)
    values (${client.tenantId}, ${value}, 'A1', ${effectiveFrom}, 'infinity', now())`);
}

async function addAliases(
  client: Client,
  count: number,
  fromOf: (index: number) => string,
): Promise<string[]> {
  const values = Array.from({ length: count }, (_, index) => `v-${String(index).padStart(2, '0')}`);
  for (const [index, value] of values.entries()) await addAlias(client, value, fromOf(index));
  return values;
}

const timelineListing: Listing = {
  name: 'the timeline of an account’s aliases',
  document: `query(${pageVariables}) { owner: account(id: "A1") {
    list: aliasTimeline(${pageArguments}) { ${connectionFields.replaceAll('{ id }', '{ id: value }')} } } }`,
  newClient: tenantWithAccount,
  make: (_, client, count) =>
    addAliases(client, count, (index) => new Date(Date.UTC(2026, 0, 1 + index)).toISOString()),
  makeTied: (_, client, count) => addAliases(client, count, () => '-infinity'),
  async addFirst(client) {
    await addAlias(client, '0-first', '-infinity');
    return '0-first';
  },
  remove: (service, client, ids) =>
    deleteRows(service, client, { table: 'aliases', column: 'value', values: ids }),
};

async function addTenantChanges(client: Client, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const id = randomUUID();
    await databaseOf(client).execute(sql`
      insert into tenant_changes (tenant_id, version, at, actor, request_id, before, after)
      select ${client.tenantId}, count(*) + 2, '2026-01-01', 'key_1', ${id}, '{}', '{}'
      from tenant_changes where tenant_id = ${client.tenantId}`);
    ids.unshift(id);
  }
  return ids;
}

const tenantListing: Listing = {
  name: 'the history of a tenant',
  document: `query(${pageVariables}) { viewer { owner: tenant {
    list: history(${pageArguments}) { ${connectionFields.replaceAll('{ id }', '{ id: requestId }')} } } } }`,
  newClient: tenantWithAccount,
  make: (_, client, count) => addTenantChanges(client, count),
  makeTied: (_, client, count) => addTenantChanges(client, count),
  addFirst: async (client) => String((await addTenantChanges(client, 1))[0]),
  remove: (service, client, ids) =>
    deleteRows(service, client, { table: 'tenant_changes', column: 'request_id', values: ids }),
};

/** The histories of an account, a customer and a tenant, and the alias timeline of an account. */
export const recordListings: Listing[] = [
  historyListing('account'),
  historyListing('customer'),
  tenantListing,
  timelineListing,
];
