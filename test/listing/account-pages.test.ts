import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import {
  connectionFields,
  deleteRows,
  describeConnection,
  type Listing,
  pageArguments,
  pageVariables,
} from '../support/connection-contract.ts';
import { createAccount, createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, type Service, useService } from '../support/service.ts';

const service = useService();

/** Creates accounts of customer C1. `secondsOf` returns the seconds from 2026 to the last change of each. */
async function makeAccounts(
  { database }: Service,
  client: Client,
  count: number,
  secondsOf: (index: number) => number,
): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `A-${String(index).padStart(2, '0')}`);
  for (const [index, id] of ids.entries()) {
    await createAccount(client, { id });
    await database.orm.execute(
      sql`update accounts set updated_at = '2026-01-01'::timestamptz + make_interval(secs => ${secondsOf(index)})
        where tenant_id = ${client.tenantId} and id = ${id}`,
    );
  }
  return ids;
}

const ofAccounts: Omit<Listing, 'name' | 'document'> = {
  newClient: tenantWithCustomer,
  make: (on, client, count) => makeAccounts(on, client, count, (index) => -index / 1000),
  makeTied: (on, client, count) => makeAccounts(on, client, count, () => 0),
  addFirst: async (client) => (await createAccount(client, { id: 'new' })).id,
  remove: (on, client, ids) => deleteRows(on, client, { table: 'accounts', column: 'id', values: ids }),
};

describeConnection(service, {
  ...ofAccounts,
  name: 'accounts in the default order',
  document: `query(${pageVariables}) { list: accounts(${pageArguments}) { ${connectionFields} } }`,
});

describeConnection(service, {
  ...ofAccounts,
  name: 'accounts of one customer in the default order',
  document: `query(${pageVariables}) {
    list: accounts(${pageArguments}, filter: { customerId: "C1" }) { ${connectionFields} } }`,
  newClient: async (on) => {
    const client = await tenantWithCustomer(on);
    await createCustomer(client, { id: 'C2', account: { id: 'other', name: 'Of another' } });
    return client;
  },
});

describe('accounts', () => {
  const list = async (client: Client, args: string) => {
    const { data } = await client.send(`{ accounts${args} { totalCount nodes { id } } }`);
    return { ids: data.accounts.nodes.map(({ id }: { id: string }) => id), count: data.accounts.totalCount };
  };

  it('starts with the latest change and sorts equal times by the bytes of the ids', async () => {
    const client = await tenantWithCustomer(service);
    for (const id of ['b', 'B', 'ä', 'a', '1', '_']) await createAccount(client, { id });
    await createAccount(client, { id: 'late' });
    await service.database.orm.execute(
      sql`update accounts set updated_at = '2026-01-01' where tenant_id = ${client.tenantId} and id <> 'late'`,
    );
    const { ids } = await list(client, '');
    expect(ids).toEqual(['late', '1', 'B', '_', 'a', 'b', 'ä']);
  });

  it('excludes archived accounts and includes drafts', async () => {
    const client = await tenantWithCustomer(service);
    for (const id of ['kept', 'gone']) await createAccount(client, { id, status: 'DRAFT' });
    await service.database.orm.execute(
      sql`update accounts set status = 'ARCHIVED' where tenant_id = ${client.tenantId} and id = 'gone'`,
    );
    expect(await list(client, '')).toEqual({ ids: ['kept'], count: 1 });
  });

  it('returns no account of a customer that does not exist', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client);
    expect(await list(client, '(filter: { customerId: "nobody" })')).toEqual({ ids: [], count: 0 });
  });

  it.each(['', '\\u0000', 'x'.repeat(51)])(
    'returns nothing for "%s", which cannot be a customer id',
    async (id) => {
      const client = await tenantWithCustomer(service);
      await createAccount(client);
      const document = `{ accounts(filter: { customerId: "${id}" }) { totalCount nodes { id } } }`;
      const { data, errors } = await client.send(document);
      if (errors !== undefined) expect(errors[0].extensions.code).toBe('BAD_REQUEST');
      else expect(data.accounts).toEqual({ totalCount: 0, nodes: [] });
    },
  );

  it.each(['(filter: {})', '(filter: null)', '(filter: { customerId: null })'])(
    'returns all accounts for %s',
    async (args) => {
      const client = await tenantWithCustomer(service);
      await createAccount(client);
      expect(await list(client, args)).toEqual({ ids: ['A1'], count: 1 });
    },
  );
});
