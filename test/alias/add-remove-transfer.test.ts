import { describe, expect, it } from 'vitest';
import { changesOfAccount, writesNothing } from '../support/database.ts';
import { listOf, x } from '../support/field-limits.ts';
import { accountInput, tenantWithAccounts, useSharedTenant } from '../support/fixtures.ts';
import { type MutationName, mutate, tryMutation } from '../support/mutations.ts';
import { accountIdByAlias, aliasValues, readAccount } from '../support/reads.ts';
import { issuesOf } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { justBefore, span } from '../support/spans.ts';

const service = useService();

const y2001 = '2001-01-01T00:00:00.000Z';
const y2010 = '2010-01-01T00:00:00.000Z';
const y2900 = '2900-01-01T00:00:00.000Z';
const y2950 = '2950-01-01T00:00:00.000Z';

const add = (client: Client, input: object) => mutate(client, 'addAliases', { accountId: 'A1', ...input });
const remove = (client: Client, aliases: string[], effectiveUntil?: string) =>
  mutate(client, 'removeAliases', { accountId: 'A1', aliases, effectiveUntil });
const versions = async (client: Client) => {
  const [one, two] = await Promise.all(['A1', 'A2'].map((id) => readAccount(client, id)));
  return [one.version, two.version];
};

type Refusal = [what: string, name: MutationName, input: object, error: object];

const invalid = (path: string[], code: string) => ({
  __typename: 'InvalidInputError',
  issues: [expect.objectContaining({ path, code })],
});
const taken = (...clashes: Json[]) => ({ __typename: 'AliasTakenError', code: 'ALIAS_TAKEN', clashes });
const unknown = (type: string, id: string) => ({ __typename: 'NotFoundError', type, id });

async function expectRefused(client: Client, name: MutationName, input: object, error: object) {
  expect(await writesNothing(service, [client], () => tryMutation(client, name, input))).toMatchObject(error);
}

describe.concurrent('addAliases', () => {
  it('adds up to 10 plain and dated aliases in one write', async () => {
    const client = await tenantWithAccounts(service);
    const dated = [span('past', undefined, y2010), span('future', y2900), span('both', y2001, y2900)];
    const account = await add(client, { aliases: listOf(7, (i) => `p${i}`), datedAliases: dated });
    expect(account.version).toBe(2);
    expect(await aliasValues(client, 'A1')).toEqual(['both', ...listOf(7, (i) => `p${i}`), 'x', 'y']);
    expect(await accountIdByAlias(client, 'past')).toBeUndefined();
    expect(await accountIdByAlias(client, 'past', justBefore(y2010))).toBe('A1');
    expect(await accountIdByAlias(client, 'future', y2900)).toBe('A1');
    expect(await accountIdByAlias(client, 'p0', y2001)).toBe('A1');
  });

  it('adds a value again for a span in which no account has it', async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('v', y2001, y2010), span('v', y2900)] });
    await mutate(client, 'addAliases', { accountId: 'A2', datedAliases: [span('v', y2010, y2900)] });
    const holders = [y2001, undefined, y2950].map((on) => accountIdByAlias(client, 'v', on));
    expect(await Promise.all(holders)).toEqual(['A1', 'A2', 'A1']);
  });

  it('ignores the account’s own id', async () => {
    const client = await tenantWithAccounts(service);
    const own = () => add(client, { aliases: ['A1'], datedAliases: [span('A1', y2001, y2010)] });
    await expect(writesNothing(service, [client], own)).rejects.toThrow('INVALID_INPUT');
    const alone = () => add(client, { datedAliases: [span('A1', y2001, y2010)] });
    expect(await writesNothing(service, [client], alone)).toMatchObject({ version: 1 });
    expect(await add(client, { aliases: ['A1', 'v'] })).toMatchObject({ version: 2 });
    expect(await aliasValues(client, 'A1')).toEqual(['v', 'x', 'y']);
  });

  const tenant = useSharedTenant(() => tenantWithAccounts(service));
  const refusals: Refusal[] = [
    ['no value at all', 'addAliases', {}, invalid(['aliases'], 'REQUIRED')],
    ['empty lists', 'addAliases', { aliases: [], datedAliases: [] }, invalid(['aliases'], 'REQUIRED')],
    ['11 values', 'addAliases', { aliases: listOf(11, String) }, invalid(['aliases'], 'TOO_MANY')],
    [
      '11 values in both lists',
      'addAliases',
      { aliases: listOf(10, String), datedAliases: [span('v')] },
      invalid(['datedAliases'], 'TOO_MANY'),
    ],
    ['a value twice', 'addAliases', { aliases: ['v', 'v'] }, invalid(['aliases', '1'], 'DUPLICATE')],
    ['a long value', 'addAliases', { aliases: [x(256)] }, invalid(['aliases', '0'], 'TOO_LONG')],
    [
      'an end that is no later than the beginning',
      'addAliases',
      { datedAliases: [span('v', y2010, y2010)] },
      invalid(['datedAliases', '0', 'effectiveUntil'], 'INVALID_VALUE'),
    ],
    [
      'an unknown account',
      'addAliases',
      { accountId: 'nobody', aliases: ['v'] },
      unknown('Account', 'nobody'),
    ],
    [
      'aliases of other accounts, naming each account',
      'addAliases',
      { aliases: ['v', 'z', 'A2', 'A3'] },
      taken(
        { value: 'A2', accountId: 'A2' },
        { value: 'A3', accountId: 'A3' },
        { value: 'z', accountId: 'A2' },
      ),
    ],
    [
      'a past alias of another account, for a span that overlaps',
      'addAliases',
      { datedAliases: [span('old', y2001)] },
      taken({ value: 'old', accountId: 'A3' }),
    ],
    [
      'the id of another account, for any span',
      'addAliases',
      { datedAliases: [span('A2', y2001, y2010)] },
      taken({ value: 'A2', accountId: 'A2' }),
    ],
    [
      'an alias that the account has already',
      'addAliases',
      { aliases: ['x'] },
      taken({ value: 'x', accountId: 'A1' }),
    ],
  ];
  it.each(refusals)('adds nothing and rejects %s', async (_, name, input, error) => {
    const { client } = tenant;
    await expectRefused(client, name, { accountId: 'A1', ...input }, error);
  });

  it('prevents a value from becoming the id of an account', async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { aliases: ['A7'], datedAliases: [span('A8', y2900)] });
    for (const id of ['A7', 'A8']) {
      const error = { __typename: 'IdTakenError', id, accountId: 'A1' };
      await expectRefused(client, 'createAccount', accountInput({ id }), error);
    }
  });
});

describe.concurrent('removeAliases', () => {
  it('ends aliases now and keeps their past readable', async () => {
    const client = await tenantWithAccounts(service);
    const { updatedAt, version, aliases } = await remove(client, ['x']);
    expect([version, aliases.map(({ value }: Json) => value)]).toEqual([2, ['y']]);
    expect(await accountIdByAlias(client, 'x', justBefore(updatedAt))).toBe('A1');
    expect(await accountIdByAlias(client, 'x', updatedAt)).toBeUndefined();
    expect(await aliasValues(client, 'A1', justBefore(updatedAt))).toEqual(['x', 'y']);
  });

  it('ends aliases at a future instant, or moves their end', async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('v', y2001, y2950)] });
    await remove(client, ['x', 'v'], y2900);
    for (const value of ['x', 'v']) {
      expect(await accountIdByAlias(client, value, justBefore(y2900))).toBe('A1');
      expect(await accountIdByAlias(client, value, y2900)).toBeUndefined();
    }
    await remove(client, ['x']);
    expect(await accountIdByAlias(client, 'x', justBefore(y2900))).toBeUndefined();
  });

  it('deletes aliases that begin after the instant and frees their values', async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('v', y2950), span('w', y2950)] });
    await remove(client, ['v']);
    await remove(client, ['w'], y2900);
    const free = { accountId: 'A2', aliases: ['v', 'w'] };
    expect(await mutate(client, 'addAliases', free)).toMatchObject({ version: 2 });
  });

  const tenant = useSharedTenant(async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('ended', y2001, y2010), span('begun', y2010)] });
    return client;
  });
  const refusals: Refusal[] = [
    ['no value', 'removeAliases', { aliases: [] }, invalid(['aliases'], 'TOO_FEW')],
    ['11 values', 'removeAliases', { aliases: listOf(11, String) }, invalid(['aliases'], 'TOO_MANY')],
    ['a value twice', 'removeAliases', { aliases: ['x', 'x'] }, invalid(['aliases', '1'], 'DUPLICATE')],
    [
      'the id of the account',
      'removeAliases',
      { aliases: ['x', 'A1'] },
      invalid(['aliases', '1'], 'INVALID_VALUE'),
    ],
    ['an alias that the account never had', 'removeAliases', { aliases: ['x', 'v'] }, unknown('Alias', 'v')],
    ['an alias of another account', 'removeAliases', { aliases: ['x', 'z'] }, unknown('Alias', 'z')],
    ['an alias that has ended', 'removeAliases', { aliases: ['ended'] }, unknown('Alias', 'ended')],
    [
      'an alias that began after the instant and was in force',
      'removeAliases',
      { aliases: ['x', 'begun'], effectiveUntil: y2001 },
      invalid(['aliases', '1'], 'INVALID_VALUE'),
    ],
    [
      'an unknown account',
      'removeAliases',
      { accountId: 'nobody', aliases: ['x'] },
      unknown('Account', 'nobody'),
    ],
  ];
  it.each(refusals)('ends nothing and rejects %s', async (_, name, input, error) => {
    const { client } = tenant;
    await expectRefused(client, name, { accountId: 'A1', ...input }, error);
  });
});

describe.concurrent('transferAlias', () => {
  const transfer = (client: Client, input: object) =>
    mutate(client, 'transferAlias', { alias: 'x', toAccountId: 'A2', ...input });

  it.each([
    ['now', undefined],
    ['at a future instant', y2900],
  ])('moves the alias from one account to another %s', async (_, effectiveFrom) => {
    const client = await tenantWithAccounts(service);
    const account = await transfer(client, { effectiveFrom });
    const instant = effectiveFrom ?? account.updatedAt;
    expect(account.id).toBe('A2');
    expect(await accountIdByAlias(client, 'x', justBefore(instant))).toBe('A1');
    expect(await accountIdByAlias(client, 'x', instant)).toBe('A2');
    expect(await aliasValues(client, 'A1', instant)).toEqual(['y']);
    expect(await aliasValues(client, 'A2', instant)).toEqual(['x', 'z']);
    expect(await versions(client)).toEqual([2, 2]);
    for (const id of ['A1', 'A2']) {
      const last = (await changesOfAccount(service, client, id)).at(-1);
      expect(last).toMatchObject({ kind: 'ALIAS_TRANSFERRED', version: 2 });
    }
  });

  it('keeps the end of the span and leaves later spans where they are', async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('v', y2001, y2900), span('v', y2950)] });
    await transfer(client, { alias: 'v' });
    const at = [y2001, undefined, y2900, y2950].map((on) => accountIdByAlias(client, 'v', on));
    expect(await Promise.all(at)).toEqual(['A1', 'A2', undefined, 'A1']);
  });

  it('moves a whole span at its beginning, and back again', async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('v', y2900)] });
    await transfer(client, { alias: 'v', effectiveFrom: y2900 });
    expect(await accountIdByAlias(client, 'v', y2950)).toBe('A2');
    await transfer(client, { alias: 'v', toAccountId: 'A1', effectiveFrom: y2900 });
    expect(await accountIdByAlias(client, 'v', y2950)).toBe('A1');
    expect(await versions(client)).toEqual([4, 3]);
  });

  const tenant = useSharedTenant(async () => {
    const client = await tenantWithAccounts(service);
    await add(client, { datedAliases: [span('w', y2900)] });
    return client;
  });
  const refusals: Refusal[] = [
    [
      'the account that has the alias',
      'transferAlias',
      { toAccountId: 'A1' },
      invalid(['toAccountId'], 'INVALID_VALUE'),
    ],
    ['the id of an account', 'transferAlias', { alias: 'A1' }, invalid(['alias'], 'INVALID_VALUE')],
    ['an unknown alias', 'transferAlias', { alias: 'v' }, unknown('Alias', 'v')],
    ['an alias that has not begun', 'transferAlias', { alias: 'w' }, unknown('Alias', 'w')],
    [
      'an alias that is not in force at the instant',
      'transferAlias',
      { alias: 'w', effectiveFrom: y2001 },
      unknown('Alias', 'w'),
    ],
    [
      'an unknown account as target',
      'transferAlias',
      { toAccountId: 'nobody' },
      unknown('Account', 'nobody'),
    ],
    [
      'an archived account as target',
      'transferAlias',
      { toAccountId: 'A3' },
      { code: 'NOT_ALLOWED_IN_STATUS', id: 'A3' },
    ],
  ];
  it.each(refusals)('moves nothing and rejects %s', async (_, name, input, error) => {
    const { client } = tenant;
    await expectRefused(client, name, { alias: 'x', toAccountId: 'A2', ...input }, error);
  });

  it('returns the issues of its fields', async () => {
    const client = await tenantWithAccounts(service);
    const input = { alias: ' x', toAccountId: '', effectiveFrom: y2001 };
    const issues = issuesOf(await tryMutation(client, 'transferAlias', input));
    expect(issues.map(({ path }) => path.join())).toEqual(['alias', 'toAccountId']);
  });
});
