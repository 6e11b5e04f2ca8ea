import { sql } from 'drizzle-orm';
import {
  connectionFields,
  deleteRows,
  type Listing,
  pageArguments,
  pageVariables,
} from './connection-contract.ts';
import { createAccount, createCustomer, tenantWithCustomer } from './fixtures.ts';
import type { Client, Service } from './service.ts';

type Field = 'UPDATED_AT' | 'CREATED_AT' | 'NAME' | 'ID';

export interface OrderBy {
  field: Field;
  direction: 'ASC' | 'DESC';
}

const fields: Field[] = ['UPDATED_AT', 'CREATED_AT', 'NAME', 'ID'];

/** Every order of accounts or customers. */
export const orders: OrderBy[] = fields.flatMap((field): OrderBy[] => [
  { field, direction: 'ASC' },
  { field, direction: 'DESC' },
]);

interface Entity {
  id: string;
  /** Determines the sort key. */
  rank: number;
}

/** Creates entities with these ids whose sort keys follow their ranks. */
type Make = (service: Service, client: Client, entities: Entity[]) => Promise<void>;

type Table = 'accounts' | 'customers';

function maker(table: Table, create: (client: Client, id: string) => Promise<unknown>): Make {
  return async ({ database }, client, entities) => {
    await Promise.all(entities.map(({ id }) => create(client, id)));
    await database.orm.execute(sql`
      update ${sql.identifier(table)} set name = 'Name ' || lpad(rank::text, 6, '0'),
        updated_at = '2026-01-01'::timestamptz + rank * interval '1 ms',
        created_at = '2026-01-01'::timestamptz + rank * interval '1 ms'
      from json_to_recordset(${JSON.stringify(entities)}) as made(id text, rank integer)
      where tenant_id = ${client.tenantId} and ${sql.identifier(table)}.id = made.id`);
  };
}

const makeAccounts = maker('accounts', (client, id) => createAccount(client, { id }));
const makeCustomers = maker('customers', (client, id) => createCustomer(client, { id }));

function listing(
  table: Table,
  { field, direction }: OrderBy,
): Omit<Listing, 'name' | 'document' | 'newClient'> {
  const up = direction === 'ASC';
  const make = table === 'accounts' ? makeAccounts : makeCustomers;
  const names = (count: number) =>
    Array.from({ length: count }, (_, index) => `A-${String(index).padStart(2, '0')}`);
  const makeOrdered: Listing['make'] = async (service, client, count) => {
    const ids = field === 'ID' && !up ? names(count).toReversed() : names(count);
    await make(
      service,
      client,
      ids.map((id, index) => ({ id, rank: 1000 + (up ? index : -index) })),
    );
    return ids;
  };
  return {
    byText: field === 'NAME' || field === 'ID',
    make: makeOrdered,
    async makeTied(service, client, count) {
      if (field === 'ID') return makeOrdered(service, client, count);
      await make(
        service,
        client,
        names(count).map((id) => ({ id, rank: 1000 })),
      );
      return names(count);
    },
    async addFirst(client) {
      const id = up ? '0-first' : 'z-first';
      await make(serviceOf(client), client, [{ id, rank: up ? 1 : 9000 }]);
      return id;
    },
    remove: (service, client, ids) => deleteRows(service, client, { table, column: 'id', values: ids }),
  };
}

const services = new WeakMap<Client, Service>();

function serviceOf(client: Client): Service {
  const service = services.get(client);
  if (service === undefined) throw new Error('The client does not belong to a listing.');
  return service;
}

/** Remembers the service of a client, because `addFirst` gets only the client. */
function remembering(newClient: Listing['newClient']): Listing['newClient'] {
  return async (service) => {
    const client = await newClient(service);
    services.set(client, service);
    return client;
  };
}

function orderText({ field, direction }: OrderBy): string {
  return `orderBy: { field: ${field}, direction: ${direction} }`;
}

export function accountListing(order: OrderBy): Listing {
  return {
    ...listing('accounts', order),
    name: `accounts by ${order.field} ${order.direction}`,
    document: `query(${pageVariables}) { list: accounts(${pageArguments}, ${orderText(order)}) { ${connectionFields} } }`,
    newClient: remembering(tenantWithCustomer),
  };
}

/** Returns the listing with a filter that every account matches, which runs another statement. */
export function filteredListing(order: OrderBy, filter: string): Listing {
  return {
    ...accountListing(order),
    name: `accounts with ${filter} by ${order.field} ${order.direction}`,
    document: `query(${pageVariables}) { list: accounts(${pageArguments}, ${orderText(order)}, filter: ${filter}) { ${connectionFields} } }`,
  };
}

export function customerAccountListing(order: OrderBy): Listing {
  return {
    ...listing('accounts', order),
    name: `accounts of a customer by ${order.field} ${order.direction}`,
    document: `query(${pageVariables}) { owner: customer(id: "C1") {
      list: accounts(${pageArguments}, ${orderText(order)}) { ${connectionFields} } } }`,
    newClient: remembering(async (service) => {
      const client = await tenantWithCustomer(service);
      await createCustomer(client, { id: 'C2', account: { id: 'other', name: 'Of another' } });
      return client;
    }),
  };
}

export function customerListing(order: OrderBy): Listing {
  return {
    ...listing('customers', order),
    name: `customers by ${order.field} ${order.direction}`,
    document: `query(${pageVariables}) { list: customers(${pageArguments}, ${orderText(order)}) { ${connectionFields} } }`,
    newClient: remembering((service) => service.newTenant()),
  };
}
