import { describe, expect, it, vi } from 'vitest';
import { changesOf, stored, writesNothing } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { accountInput, createAccount, createCustomer, customerInput } from '../support/fixtures.ts';
import {
  accepted,
  atOnce,
  type MutationName,
  mutate,
  refused,
  tryCreateAccounts,
  tryMutation,
} from '../support/mutations.ts';
import { accountIdByAlias, aliasValues } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const future = '2900-01-01T00:00:00.000Z';
const year = (count: number) => `${3000 + count}-01-01T00:00:00Z`;

/** Creates a tenant with the accounts B-0, B-1 and so on. */
async function tenantWith(count: number, fields: object = {}): Promise<Client> {
  const client = await service.newTenant();
  await createCustomer(client);
  const inputs = listOf(count, (index) => accountInput({ id: `B-${index}`, ...fields }));
  for (const result of await tryCreateAccounts(client, inputs)) expect(result.replayed).toBe(false);
  return client;
}

const add = (client: Client, accountId: string, fields: object) =>
  tryMutation(client, 'addAliases', { accountId, ...fields });

const codes = (results: Json[]) => [...new Set(refused(results).map(({ code }) => code))];

/** Fails unless the history and the versions count exactly the accepted writes. */
async function expectTraces(client: Client, before: number, writes: number) {
  const { accounts } = await stored(service, client);
  expect(await changesOf(service, client)).toHaveLength(before + writes);
  const versions = accounts.reduce((sum, { version }) => sum + version, 0);
  expect(versions).toBe((await changesOf(service, client)).filter(({ account_id }) => account_id).length);
}

describe('the race of 20 claims of one alias', () => {
  it.each([
    ['addAliases', ['addAliases']],
    ['transferAlias', ['transferAlias']],
    ['addAliases, createAccount and createAccounts', ['addAliases', 'createAccount', 'createAccounts']],
    ['addAliases and a new account id', ['addAliases', 'id']],
    ['addAliases and restoreAccount', ['addAliases', 'restoreAccount']],
  ])('has one winner and writes nothing for the others: %s', async (_, ways) => {
    const client = await tenantWith(20);
    const transfers = ways.includes('transferAlias');
    if (transfers) {
      await createAccount(client, { id: 'H', aliases: ['prize'] });
    }
    if (ways.includes('restoreAccount')) {
      await mutate(client, 'addAliases', { accountId: 'B-1', aliases: ['prize'] });
      const { updatedAt } = await mutate(client, 'archiveAccount', { id: 'B-1' });
      expect(updatedAt < new Date(Date.now() + 1).toISOString()).toBe(true);
    }
    const claim = [{ value: 'prize', effectiveFrom: future }];
    const sends: Record<string, (runner: number) => [MutationName, object]> = {
      addAliases: (runner) => [
        'addAliases',
        { accountId: `B-${runner}`, aliases: [`own-${runner}`], datedAliases: claim },
      ],
      transferAlias: (runner) => ['transferAlias', { alias: 'prize', toAccountId: `B-${runner}` }],
      createAccount: (runner) => ['createAccount', accountInput({ id: `N-${runner}`, datedAliases: claim })],
      createAccounts: (runner) => [
        'createAccounts',
        accountInput({ id: `N-${runner}`, datedAliases: claim }),
      ],
      id: () => ['createAccount', accountInput({ id: 'prize' })],
      restoreAccount: () => ['restoreAccount', { id: 'B-1' }],
    };
    const before = (await changesOf(service, client)).length;
    const results = await atOnce(20, (runner) => {
      const send = sends[ways[runner % ways.length] ?? ''];
      if (send === undefined) throw new Error('no such way');
      return tryMutation(client, ...send(runner));
    });
    // A transfer reads the current holder after it has the lock, so all transfers may succeed in turn.
    expect(accepted(results)).toHaveLength(transfers ? 20 : 1);
    for (const code of codes(results)) {
      expect(['ALIAS_TAKEN', 'ID_TAKEN', 'NOT_ALLOWED_IN_STATUS']).toContain(code);
    }
    const spans = (await stored(service, client)).aliases.filter(({ value }) => value === 'prize');
    if (!transfers)
      expect(spans.filter(({ effective_until }) => effective_until === 'infinity')).toHaveLength(1);
    const holder = await accountIdByAlias(client, 'prize', future);
    expect(accepted(results).map(({ account }) => account.id)).toContain(holder);
    await expectTraces(client, before, accepted(results).length * (transfers ? 2 : 1));
  });
});

describe('a claim whose rival is removed before the error is built', () => {
  const dated = { datedAliases: [{ value: 'prize', effectiveFrom: future }] };

  it.each<[MutationName, object]>([
    ['addAliases', { accountId: 'B-0', ...dated }],
    ['restoreAccount', { id: 'B-2' }],
    ['createAccount', accountInput({ id: 'N', ...dated })],
    ['createCustomer', customerInput({ id: 'N', account: { id: 'N', name: 'First', ...dated } })],
  ])('succeeds: %s', async (name, input) => {
    const client = await tenantWith(3);
    await mutate(client, 'addAliases', { accountId: 'B-2', ...dated });
    await mutate(client, 'archiveAccount', { id: 'B-2' });
    await mutate(client, 'addAliases', { accountId: 'B-1', ...dated });
    const { database } = service;
    const run = database.run.bind(database);
    const leave = () => mutate(client, 'removeAliases', { accountId: 'B-1', aliases: ['prize'] });
    let looks = 0;
    vi.spyOn(database, 'run').mockImplementation(async (statement, values) => {
      if (statement.name === 'standing_claims' && ++looks === 1) await leave();
      return run(statement, values);
    });
    try {
      expect(await tryMutation(client, name, input)).toMatchObject({ replayed: false });
      expect(looks).toBe(1);
    } finally {
      vi.restoreAllMocks();
    }
  });
});

describe('a race of writes of the same aliases in opposite orders', () => {
  const values = listOf(10, (index) => `v${index}`);

  it('ends without a deadlock, each write accepted or rejected', async () => {
    const client = await tenantWith(12);
    const writes = (runner: number): [MutationName, object] => {
      const aliases = runner % 2 ? values : values.toReversed();
      const accountId = `B-${runner % 12}`;
      const value = aliases[runner % 10] ?? '';
      return (
        [
          ['addAliases', { accountId, aliases }],
          ['createAccount', accountInput({ id: `N-${runner}`, aliases })],
          ['removeAliases', { accountId: `B-${(runner + 6) % 12}`, aliases: aliases.slice(0, 3) }],
          ['transferAlias', { alias: value, toAccountId: accountId }],
          ['archiveAccount', { id: accountId }],
          ['restoreAccount', { id: accountId }],
        ] as [MutationName, object][]
      )[Math.floor(runner / 2) % 6] as [MutationName, object];
    };
    const before = (await changesOf(service, client)).length;
    const results = await atOnce(60, (runner) => tryMutation(client, ...writes(runner)));
    for (const code of codes(results)) {
      expect(code).toMatch(/^(ALIAS_TAKEN|NOT_FOUND|NOT_ALLOWED_IN_STATUS|INVALID_INPUT)$/);
    }
    const transfers = accepted(results.filter((_, runner) => Math.floor(runner / 2) % 6 === 3)).length;
    await expectTraces(client, before, accepted(results).length + transfers);
  });

  it('ends without a deadlock if two accounts exchange aliases', async () => {
    const client = await tenantWith(2);
    await mutate(client, 'addAliases', { accountId: 'B-0', aliases: values.slice(0, 5) });
    await mutate(client, 'addAliases', { accountId: 'B-1', aliases: values.slice(5) });
    const results = await atOnce(10, (runner) =>
      tryMutation(client, 'transferAlias', { alias: `v${runner}`, toAccountId: runner < 5 ? 'B-1' : 'B-0' }),
    );
    expect(accepted(results)).toHaveLength(10);
    expect(await aliasValues(client, 'B-0')).toEqual(values.slice(5));
    expect(await aliasValues(client, 'B-1')).toEqual(values.slice(0, 5));
  });
});

describe('the limit of 100 aliases in force at any instant', () => {
  const hundred = listOf(10, (ten) => listOf(10, (one) => `v${ten}-${one}`));

  async function fullAccount(count = 10): Promise<Client> {
    const client = await tenantWith(1);
    for (const aliases of hundred.slice(0, count)) await add(client, 'B-0', { aliases });
    return client;
  }

  const limited = { __typename: 'LimitExceededError', code: 'LIMIT_EXCEEDED', limit: 100 };

  it('rejects alias 101 in addAliases and transferAlias', async () => {
    const client = await fullAccount();
    expect(await aliasValues(client, 'B-0')).toHaveLength(100);
    const other = accountInput({ id: 'H', aliases: ['more'], datedAliases: [] });
    await mutate(client, 'createAccount', other);
    const more = [
      { aliases: ['one-more'] },
      { datedAliases: [{ value: 'later', effectiveFrom: year(1), effectiveUntil: year(2) }] },
      { datedAliases: [{ value: 'earlier', effectiveUntil: '1900-01-01T00:00:00Z' }] },
    ];
    for (const fields of more) {
      expect(await writesNothing(service, [client], () => add(client, 'B-0', fields))).toMatchObject(limited);
    }
    const transfer = () => tryMutation(client, 'transferAlias', { alias: 'more', toAccountId: 'B-0' });
    expect(await writesNothing(service, [client], transfer)).toMatchObject(limited);
    await mutate(client, 'removeAliases', { accountId: 'B-0', aliases: ['v0-0'] });
    expect(await transfer()).toMatchObject({ replayed: false });
  });

  it('accepts 110 spans that do not overlap beside 99 open ones', async () => {
    const client = await fullAccount(9);
    await add(client, 'B-0', { aliases: (hundred[9] ?? []).slice(1) });
    for (const ten of listOf(11, (index) => index)) {
      const datedAliases = listOf(10, (one) => ({
        value: 'again',
        effectiveFrom: year(10 * ten + one),
        effectiveUntil: year(10 * ten + one + 1),
      }));
      expect(await add(client, 'B-0', { datedAliases })).toMatchObject({ replayed: false });
    }
    expect(await aliasValues(client, 'B-0', year(5))).toHaveLength(100);
    const between = [{ value: 'between', effectiveFrom: year(5), effectiveUntil: year(6) }];
    expect(await add(client, 'B-0', { datedAliases: between })).toMatchObject(limited);
  });

  it('holds for concurrent addAliases', async () => {
    const client = await fullAccount(9);
    const results = await atOnce(20, (runner) => add(client, 'B-0', { aliases: [`n-${runner}`] }));
    expect(accepted(results)).toHaveLength(10);
    for (const result of refused(results)) expect(result).toMatchObject(limited);
    expect(await aliasValues(client, 'B-0')).toHaveLength(100);
  });
});
