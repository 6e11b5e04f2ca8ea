import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { changesOfAccount, stored, writesNothing } from '../support/database.ts';
import {
  accountInput,
  createAccount,
  createCustomer,
  setting,
  tenantWithAccounts,
  useSharedTenant,
} from '../support/fixtures.ts';
import { accepted, atOnce, type MutationName, mutate, tryMutation } from '../support/mutations.ts';
import { accountIdByAlias, aliasValues, readAccount } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { justBefore } from '../support/spans.ts';

const service = useService();

const past = '2020-01-01T00:00:00.000Z';
const future = '2900-01-01T00:00:00.000Z';
const later = '2950-01-01T00:00:00.000Z';

const archive = (client: Client, id = 'A1') => mutate(client, 'archiveAccount', { id });
const restore = (client: Client, id = 'A1') => mutate(client, 'restoreAccount', { id });

const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

async function until(instant: string): Promise<void> {
  while (Date.now() <= Date.parse(instant)) await new Promise((resolve) => setTimeout(resolve, 5));
}

describe.concurrent('archiveAccount', () => {
  it('ends the aliases immediately and keeps their past readable', async () => {
    const client = await tenantWithAccounts(service);
    const dated = [{ value: 'future', effectiveFrom: future }];
    await mutate(client, 'addAliases', { accountId: 'A1', datedAliases: dated });
    const { status, aliases, updatedAt } = await archive(client);
    expect({ status, aliases }).toEqual({ status: 'ARCHIVED', aliases: [] });
    for (const on of [undefined, updatedAt]) {
      expect(await aliasValues(client, 'A1', on)).toEqual([]);
      expect(await accountIdByAlias(client, 'x', on)).toBeUndefined();
    }
    expect(await aliasValues(client, 'A1', justBefore(updatedAt))).toEqual(['x', 'y']);
    expect(await accountIdByAlias(client, 'x', justBefore(updatedAt))).toBe('A1');
    expect(await aliasValues(client, 'A1', later)).toEqual([]);
  });

  it('keeps the account readable by id and by alias and excludes it from lists', async () => {
    const client = await tenantWithAccounts(service);
    const { aliases, ...active } = await readAccount(client, 'A1');
    await archive(client);
    expect(aliases).toHaveLength(2);
    expect(await readAccount(client, 'A1')).toEqual({
      ...active,
      aliases: [],
      status: 'ARCHIVED',
      version: active.version + 1,
      updatedAt: expect.any(String),
    });
    expect(await accountIdByAlias(client, 'A1')).toBe('A1');
    const { data } = await client.send('{ accounts { nodes { id } } }');
    const listed = data.accounts.nodes.map(({ id }: Json) => id).toSorted();
    expect(listed).toEqual(['A2', 'A4']);
  });

  it('rejects an archived account', async () => {
    const client = await tenantWithAccounts(service);
    const again = () => tryMutation(client, 'archiveAccount', { id: 'A3' });
    expect(await writesNothing(service, [client], again)).toMatchObject({
      __typename: 'NotAllowedInStatusError',
      type: 'Account',
      id: 'A3',
      status: 'ARCHIVED',
      liveAccountIds: null,
    });
  });

  it('archives a draft account, which is restored as active', async () => {
    const client = await tenantWithAccounts(service);
    await createAccount(client, { id: 'A5', status: 'DRAFT' });
    expect(await archive(client, 'A5')).toMatchObject({ status: 'ARCHIVED' });
    expect(await restore(client, 'A5')).toMatchObject({ status: 'ACTIVE', version: 3 });
  });

  it('frees the aliases for other accounts, but not the id', async () => {
    const client = await tenantWithAccounts(service);
    const { updatedAt } = await archive(client);
    const free = [{ value: 'x', effectiveFrom: updatedAt }];
    await mutate(client, 'addAliases', { accountId: 'A2', datedAliases: free });
    expect(await accountIdByAlias(client, 'x')).toBe('A2');
    expect(await accountIdByAlias(client, 'x', justBefore(updatedAt))).toBe('A1');
    const claim = () => tryMutation(client, 'addAliases', { accountId: 'A2', aliases: ['A1', 'y'] });
    const clashes = [{ value: 'A1', accountId: 'A1' }];
    expect((await writesNothing(service, [client], claim)).clashes).toEqual(clashes);
  });
});

describe.concurrent('an archived account', () => {
  const tenant = useSharedTenant(() => tenantWithAccounts(service));
  const writes: [MutationName, object][] = [
    ['updateAccount', { id: 'A3', name: 'New name' }],
    ['updateAccount', { id: 'A3', status: 'ACTIVE' }],
    ['updateAccount', { id: 'A3' }],
    ['archiveAccount', { id: 'A3' }],
    ['addAliases', { accountId: 'A3', aliases: ['new'] }],
    ['addAliases', { accountId: 'A3', aliases: ['A3'] }],
    ['removeAliases', { accountId: 'A3', aliases: ['old'] }],
    ['transferAlias', { alias: 'x', toAccountId: 'A3' }],
    ['transferAlias', { alias: 'old', toAccountId: 'A1', effectiveFrom: past }],
    ['putSettings', { accountId: 'A3', settings: [setting('s')] }],
    ['removeSettings', { accountId: 'A3', settings: [{ namespace: 'n', id: 's' }] }],
  ];
  it.each(writes)('rejects %s %j', async (name, input) => {
    const { client } = tenant;
    const answer = await writesNothing(service, [client], () => tryMutation(client, name, input));
    expect(answer).toMatchObject({ code: 'NOT_ALLOWED_IN_STATUS', id: 'A3', status: 'ARCHIVED' });
  });
});

describe.concurrent('restoreAccount', () => {
  it('restores the aliases that the archive ended, from now until their own ends', async () => {
    const client = await tenantWithAccounts(service);
    const expiry = inMs(150);
    const datedAliases = [
      { value: 'gone', effectiveUntil: past },
      { value: 'expiring', effectiveUntil: expiry },
      { value: 'ending', effectiveFrom: past, effectiveUntil: future },
      { value: 'future', effectiveFrom: future, effectiveUntil: later },
    ];
    await mutate(client, 'addAliases', { accountId: 'A1', datedAliases });
    await mutate(client, 'removeAliases', { accountId: 'A1', aliases: ['y'] });
    const archived = await archive(client);
    await until(expiry);
    const restored = await restore(client);
    expect(restored).toMatchObject({ status: 'ACTIVE', version: archived.version + 1 });
    const from = { effectiveFrom: restored.updatedAt };
    expect(restored.aliases).toMatchObject([
      { value: 'ending', ...from, effectiveUntil: future },
      { value: 'x', ...from, effectiveUntil: null },
    ]);
    expect(await aliasValues(client, 'A1', justBefore(restored.updatedAt))).toEqual([]);
    expect(await aliasValues(client, 'A1', justBefore(future))).toEqual(['ending', 'x']);
    expect(await aliasValues(client, 'A1', future)).toEqual(['future', 'x']);
    expect(await aliasValues(client, 'A1', later)).toEqual(['x']);
    expect(await aliasValues(client, 'A1', justBefore(archived.updatedAt))).toContain('ending');
  });

  it('changes nothing and names every alias that another account has taken', async () => {
    const client = await tenantWithAccounts(service);
    const dated = [{ value: 'future', effectiveFrom: future }];
    await mutate(client, 'addAliases', { accountId: 'A1', aliases: ['w'], datedAliases: dated });
    const { updatedAt } = await archive(client);
    const taken = ['x', 'y'].map((value) => ({ value, effectiveFrom: updatedAt }));
    await mutate(client, 'addAliases', { accountId: 'A2', datedAliases: taken });
    const created = accountInput({ id: 'A5', datedAliases: [{ value: 'future', effectiveFrom: later }] });
    await mutate(client, 'createAccount', created);
    const attempt = () => tryMutation(client, 'restoreAccount', { id: 'A1', idempotencyKey: 'k' });
    expect(await writesNothing(service, [client], attempt)).toMatchObject({
      __typename: 'AliasTakenError',
      code: 'ALIAS_TAKEN',
      clashes: [
        { value: 'future', accountId: 'A5' },
        { value: 'x', accountId: 'A2' },
        { value: 'y', accountId: 'A2' },
      ],
    });
    await mutate(client, 'removeAliases', { accountId: 'A2', aliases: ['x', 'y'] });
    await mutate(client, 'removeAliases', { accountId: 'A5', aliases: ['future'] });
    expect(await attempt()).toMatchObject({ replayed: false });
    expect(await aliasValues(client, 'A1', later)).toEqual(['future', 'w', 'x', 'y']);
  });

  it('keeps the spans of another account that used an alias in between', async () => {
    const client = await tenantWithAccounts(service);
    const { updatedAt } = await archive(client);
    const free = [{ value: 'x', effectiveFrom: updatedAt }];
    await mutate(client, 'addAliases', { accountId: 'A2', datedAliases: free });
    await until(updatedAt);
    await mutate(client, 'archiveAccount', { id: 'A2' });
    const restored = await restore(client);
    expect(await accountIdByAlias(client, 'x', updatedAt)).toBe('A2');
    expect(await accountIdByAlias(client, 'x', restored.updatedAt)).toBe('A1');
    expect(await tryMutation(client, 'restoreAccount', { id: 'A2' })).toMatchObject({
      clashes: [{ value: 'x', accountId: 'A1' }],
    });
  });

  it('restores aliases from the instant of the archive if that instant is in the future', async () => {
    const client = await tenantWithAccounts(service);
    const { updatedAt } = await archive(client);
    const ahead = inMs(3_600_000);
    await service.database.orm.transaction(async (tx) => {
      const of = sql`where tenant_id = ${client.tenantId}`;
      await tx.execute(sql`set local session_replication_role = replica`);
      await tx.execute(sql`update changes set at = ${ahead} ${of} and kind = 'ACCOUNT_ARCHIVED'`);
      await tx.execute(sql`update accounts set updated_at = ${ahead} ${of} and id = 'A1'`);
      await tx.execute(
        sql`update aliases set effective_until = ${ahead} ${of} and effective_until = ${updatedAt}`,
      );
    });
    const restored = await restore(client);
    expect(restored.updatedAt).toBe(ahead);
    expect(restored.aliases).toMatchObject(['x', 'y'].map((value) => ({ value, effectiveFrom: ahead })));
    for (const on of [justBefore(ahead), ahead])
      expect(await aliasValues(client, 'A1', on)).toEqual(['x', 'y']);
  });

  it('restores the same aliases after repeated archives', async () => {
    const client = await tenantWithAccounts(service);
    for (const version of [2, 4, 6]) {
      expect(await archive(client)).toMatchObject({ status: 'ARCHIVED', version, aliases: [] });
      expect(await restore(client)).toMatchObject({ status: 'ACTIVE', version: version + 1 });
      expect(await aliasValues(client, 'A1')).toEqual(['x', 'y']);
    }
    const kinds = (await changesOfAccount(service, client, 'A1')).map((change) => change.kind);
    expect(kinds).toEqual(
      ['ACCOUNT_CREATED', ...Array(3).fill(['ACCOUNT_ARCHIVED', 'ACCOUNT_RESTORED'])].flat(),
    );
  });

  it.each([
    ['an account that is not archived', 'A1', 'Account', 'A1', 'ACTIVE'],
    ['an account whose customer is archived', 'A5', 'Customer', 'C2', 'ARCHIVED'],
  ])('rejects %s', async (_, id, type, named, status) => {
    const client = await tenantWithAccounts(service);
    await createCustomer(client, { id: 'C2' });
    await createAccount(client, { id: 'A5', customerId: 'C2' });
    await archive(client, 'A5');
    await mutate(client, 'archiveCustomer', { id: 'C2' });
    const answer = await writesNothing(service, [client], () =>
      tryMutation(client, 'restoreAccount', { id }),
    );
    expect(answer).toMatchObject({ code: 'NOT_ALLOWED_IN_STATUS', type, id: named, status });
  });
});

describe('concurrent archives and restores', () => {
  it('writes once for 20 requests of one account', async () => {
    const client = await tenantWithAccounts(service);
    for (const [name, version] of [
      ['archiveAccount', 2],
      ['restoreAccount', 3],
    ] as const) {
      const results = await atOnce(20, () => tryMutation(client, name, { id: 'A1' }));
      expect(accepted(results)).toHaveLength(1);
      expect(await readAccount(client, 'A1')).toMatchObject({ version });
    }
    expect(await aliasValues(client, 'A1')).toEqual(['x', 'y']);
  });

  it('leaves no alias in force on an archived account beside other writes', async () => {
    const client = await tenantWithAccounts(service);
    const writes = (runner: number): [MutationName, object] =>
      [
        ['archiveAccount', { id: 'A1' }] as const,
        ['addAliases', { accountId: 'A1', aliases: [`new-${runner}`] }] as const,
        ['transferAlias', { alias: 'z', toAccountId: 'A1' }] as const,
        ['restoreAccount', { id: 'A1' }] as const,
      ][runner % 4] as [MutationName, object];
    const results = await atOnce(20, (runner) => tryMutation(client, ...writes(runner)));
    for (const result of results) expect(result.code ?? 'NONE').not.toBe('INTERNAL_SERVER_ERROR');
    const left = await readAccount(client, 'A1');
    expect(left.version).toBe(1 + accepted(results).length);
    if (left.status === 'ACTIVE') await archive(client);
    const { aliases } = await stored(service, client);
    const live: Json[] = aliases.filter(
      (row) => row.account_id === 'A1' && row.value !== 'A1' && row.effective_until === 'infinity',
    );
    expect(live).toEqual([]);
  });
});
