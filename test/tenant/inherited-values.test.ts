import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { withReplica } from '../support/replica.ts';
import { useRest } from '../support/rest.ts';
import { type Client, clientThrough, type Json, useService } from '../support/service.ts';
import { updateTenant } from '../support/tenants.ts';

const service = useService();
const rest = useRest(service);
let client: Client;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  client = await tenantWithCustomer(service, { baseCurrency: 'USD', netTermDays: 30 });
  await createAccount(client, { id: 'inherits' });
  await createAccount(client, { id: 'own', invoiceCurrency: 'CHF', netTermDays: 10 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Advances the fake clock. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

const document = `{ accounts(orderBy: { field: CREATED_AT, direction: ASC }) {
  nodes { id invoiceCurrency netTermDays version updatedAt history { totalCount } } }
  usd: accounts(filter: { invoiceCurrency: "USD" }) { nodes { id } }
  eur: accounts(filter: { invoiceCurrency: "EUR" }) { nodes { id } }
  viewer { tenant { baseCurrency netTermDays version } } }`;

async function read(reader: Client, headers: Record<string, string> = {}): Promise<Json> {
  const { data, errors } = await reader.send(document, {}, headers);
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

/** Returns the values that the accounts have, and the ids that filters by currency find. */
async function view(reader: Client, headers: Record<string, string> = {}): Promise<Json> {
  const { accounts, usd, eur, viewer } = await read(reader, headers);
  const values = accounts.nodes.map(({ id, invoiceCurrency, netTermDays }: Json) => [
    ...[id, invoiceCurrency, netTermDays],
  ]);
  const idsOf = ({ nodes }: Json) => nodes.map(({ id }: Json) => id);
  return { values, usd: idsOf(usd), eur: idsOf(eur), version: viewer.tenant.version };
}

const own = ['own', 'CHF', 10];
const before = { values: [['inherits', 'USD', 30], own], usd: ['inherits'], eur: [], version: 1 };
const after = { values: [['inherits', 'EUR', 45], own], usd: [], eur: ['inherits'], version: 2 };
const change = { baseCurrency: 'EUR', netTermDays: 45 };

describe('accounts without their own currency and net terms', () => {
  it('inherit the new ones of their tenant at once, and those with their own keep them', async () => {
    expect(await view(client)).toEqual(before);
    await updateTenant(client, change);
    expect(await view(client)).toEqual(after);
    const { body } = await rest.of(client).get('/accounts/inherits');
    expect(body).toMatchObject({ invoiceCurrency: 'EUR', netTermDays: 45 });
  });

  it('keep their versions, times and histories', async () => {
    const kept = async () =>
      (await read(client)).accounts.nodes.map(({ id, version, updatedAt, history }: Json) => [
        ...[id, version, updatedAt, history.totalCount],
      ]);
    const earlier = await kept();
    await updateTenant(client, change);
    expect(await kept()).toEqual(earlier);
  });

  it('inherit the new ones in later fields of the same mutation', async () => {
    const { data } = await client.send(`mutation {
      first: updateAccount(input: { id: "inherits", name: "First" }) { ...Values }
      updateTenant(input: { baseCurrency: "EUR", netTermDays: 45 }) { __typename }
      second: updateAccount(input: { id: "inherits", name: "Second" }) { ...Values }
    } fragment Values on UpdateAccountSuccess { account { invoiceCurrency netTermDays } }`);
    expect(data.first.account).toEqual({ invoiceCurrency: 'USD', netTermDays: 30 });
    expect(data.second.account).toEqual({ invoiceCurrency: 'EUR', netTermDays: 45 });
  });

  it('inherit the new ones at once for other tokens of the tenant on the same replica', async () => {
    const other = await service.newKey(client, ['accounts:read']);
    const { body } = await rest.of(client).post('/authenticate');
    const session = { authorization: `Bearer ${body.token}` };
    expect([await view(other), await view(client, session)]).toEqual([before, before]);
    await updateTenant(client, change);
    expect([await view(other), await view(client, session)]).toEqual([after, after]);
  });

  it('inherit the new ones on another replica within 5 seconds', async () => {
    await withReplica(service, async (replica) => {
      const there = clientThrough(replica, client);
      expect([await view(client), await view(there)]).toEqual([before, before]);
      await updateTenant(client, change);
      pass(5_000);
      expect([await view(client), await view(there)]).toEqual([after, after]);
    });
  });

  it('inherit the newest ones of several replicas', async () => {
    await withReplica(service, async (replica) => {
      const there = clientThrough(replica, client);
      await updateTenant(client, { netTermDays: 45 });
      await updateTenant(there, { baseCurrency: 'EUR', expectedVersion: 2 });
      expect(await view(there)).toEqual({ ...after, version: 3 });
      pass(5_000);
      expect(await view(client)).toEqual({ ...after, version: 3 });
    });
  });
});
