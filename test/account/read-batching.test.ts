import { pino } from 'pino';
import { expect, it } from 'vitest';
import { accountByKey } from '../../src/account/read.ts';
import { aliasesOfAccount } from '../../src/alias/read.ts';
import { createContext } from '../../src/context.ts';
import { byId } from '../../src/lib/entity-key.ts';
import { createRequestBatcher } from '../../src/lib/request-batching.ts';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, useService } from '../support/service.ts';
import { tenantRow } from '../support/tenants.ts';

const service = useService();
const count = 30;
const indexes = Array.from({ length: count }, (_, index) => index);
/** Enough requests for more than one batch. */
const asked = [...indexes, ...indexes, ...indexes, ...indexes];
const whole = 'id name customer { id } aliases { value } settings { value }';

/** Creates a tenant with accounts whose names contain the tenant id. */
async function newTenant(): Promise<Client> {
  const client = await tenantWithCustomer(service);
  for (const index of indexes)
    await createAccount(client, {
      id: `A${index}`,
      name: `${client.tenantId} ${index}`,
      aliases: [`alias ${index}`],
    });
  return client;
}

const viewerOf = ({ tenantId }: Client) => ({
  tenant: tenantRow(tenantId),
  keyName: 'test',
  scopes: [],
  expiresAt: null,
  actor: 'test',
});

const expected = (client: Client, index: number) => ({
  id: `A${index}`,
  name: `${client.tenantId} ${index}`,
  customer: { id: 'C1' },
  aliases: [{ value: `alias ${index}` }],
  settings: [],
});

it.each([
  ['by id', `query($name: ID!) { found: account(id: $name) { ${whole} } }`, 'A'],
  ['by alias', `query($name: String!) { found: accountByAlias(alias: $name) { ${whole} } }`, 'alias '],
])(
  'reads the accounts of concurrent requests of two tenants %s in few statements',
  async (_, document, prefix) => {
    const clients = [await newTenant(), await newTenant()];
    await clients[0]?.send(document, { name: 'nobody' });
    const statements = await service.statements(async () => {
      await service.gather(clients.length * asked.length);
      const answers = clients.flatMap((client) =>
        asked.map(async (index) => {
          const { data } = await client.send(document, { name: `${prefix}${index}` });
          expect(data.found).toEqual(expected(client, index));
        }),
      );
      await Promise.all(answers);
    });
    expect(statements.length).toBeLessThan((clients.length * asked.length) / 2);
  },
);

it('returns every write that was acknowledged before the request', async () => {
  const client = await newTenant();
  const document = 'query($id: ID!) { account(id: $id) { name aliases { value } } }';
  await Promise.all(
    indexes.map(async (index) => {
      const id = `A${index}`;
      for (const round of [1, 2, 3]) {
        const name = `round ${round} of ${index}`;
        await client.send(
          'mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename } }',
          { input: { id, name } },
        );
        expect((await client.send(document, { id })).data.account.name).toBe(name);
      }
    }),
  );
});

it('returns the aliases at the instant of each request in one shared statement', async () => {
  const client = await tenantWithCustomer(service);
  const days = (count: number) => new Date(Date.now() + count * 86_400_000);
  const datedAliases = [-2, 0, 2].map((day) => ({
    value: `from day ${day}`,
    effectiveFrom: days(day).toISOString(),
    effectiveUntil: days(day + 3).toISOString(),
  }));
  await createAccount(client, { id: 'A1', datedAliases });
  const parts = {
    database: service.database,
    batcher: createRequestBatcher(),
    log: pino({ level: 'silent' }),
  };
  async function aliasesAt(now: Date, isBrief: boolean): Promise<string[]> {
    const caller = { viewer: viewerOf(client), requestId: 'test', now, cancel: new AbortController() };
    const selects = { field: () => true, only: () => isBrief };
    const ctx = createContext(parts, caller, selects);
    await ctx.load(accountByKey, byId('A1'));
    return (await ctx.load(aliasesOfAccount, { accountId: 'A1', on: now }))
      .map(({ value }) => value)
      .toSorted();
  }
  for (const isBrief of [false, true]) {
    const instants = [-3, -1, -1, 0.5, 1.5, 2.5, 4, 6].map(days);
    const statements = await service.statements(async () => {
      expect(await Promise.all(instants.map((now) => aliasesAt(now, isBrief)))).toEqual([
        [],
        ['from day -2'],
        ['from day -2'],
        ['from day -2', 'from day 0'],
        ['from day 0'],
        ['from day 0', 'from day 2'],
        ['from day 2'],
        [],
      ]);
    });
    expect(statements).toHaveLength(1);
  }
});
