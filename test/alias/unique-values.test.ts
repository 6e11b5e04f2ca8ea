import { describe, expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import { accountInput, createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { tryMutation } from '../support/mutations.ts';
import { accountIdByAlias } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const y2026 = '2026-01-01T00:00:00Z';
const y2027 = '2027-01-01T00:00:00Z';
const y2028 = '2028-01-01T00:00:00Z';

/** Fails unless the account is rejected with this error and nothing is written. */
async function expectRefused(client: Client, overrides: object, error: object): Promise<void> {
  const before = await rowCounts(service, client);
  expect(await tryMutation(client, 'createAccount', accountInput(overrides))).toMatchObject(error);
  expect(await rowCounts(service, client)).toEqual(before);
}

const taken = (...clashes: Json[]) => ({ __typename: 'AliasTakenError', code: 'ALIAS_TAKEN', clashes });
const idTaken = (id: string, accountId: string) => ({
  __typename: 'IdTakenError',
  code: 'ID_TAKEN',
  id,
  accountId,
});

it('rejects the id of another account', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client);
  await expectRefused(client, { name: 'Other' }, idTaken('A1', 'A1'));
});

it('rejects an id that is an alias of another account and names that account', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { aliases: ['A2'] });
  await expectRefused(client, { id: 'A2' }, idTaken('A2', 'A1'));
});

it('rejects an id that will be an alias of another account', async () => {
  const client = await tenantWithCustomer(service);
  const spans = [{ value: 'future', effectiveFrom: '2999-01-01T00:00:00Z' }];
  await createAccount(client, { datedAliases: spans });
  await expectRefused(client, { id: 'future' }, idTaken('future', 'A1'));
});

it('accepts an id that was an alias of another account from the end of the alias', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { datedAliases: [{ value: 'past', effectiveUntil: y2026 }] });
  await createAccount(client, { id: 'past' });
  expect(await accountIdByAlias(client, 'past', '2025-12-31T23:59:59.999Z')).toBe('A1');
  expect(await accountIdByAlias(client, 'past', y2026)).toBe('past');
});

it('rejects an alias of another account', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { aliases: ['x'] });
  await expectRefused(client, { id: 'A2', aliases: ['x'] }, taken({ value: 'x', accountId: 'A1' }));
});

it('rejects an alias that is the id of another account, for any span', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client);
  const clash = taken({ value: 'A1', accountId: 'A1' });
  await expectRefused(client, { id: 'A2', aliases: ['A1'] }, clash);
  const datedAliases = [{ value: 'A1', effectiveUntil: '2001-01-01T00:00:00Z' }];
  await expectRefused(client, { id: 'A2', datedAliases }, clash);
});

it('names every taken alias with its account', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1', aliases: ['x', 'y'] });
  await createAccount(client, { id: 'A2', aliases: ['z'] });
  const result = await tryMutation(
    client,
    'createAccount',
    accountInput({ id: 'A3', aliases: ['free', 'z', 'A2', 'x', 'A1'] }),
  );
  expect(new Set(result.clashes)).toEqual(
    new Set([
      { value: 'A1', accountId: 'A1' },
      { value: 'A2', accountId: 'A2' },
      { value: 'x', accountId: 'A1' },
      { value: 'z', accountId: 'A2' },
    ]),
  );
  for (const { value, accountId } of result.clashes) {
    expect(result.message).toContain(`"${value}" (account "${accountId}")`);
  }
});

it('names an account once if it has the value for two spans', async () => {
  const client = await tenantWithCustomer(service);
  const spans = [
    { value: 'x', effectiveUntil: y2026 },
    { value: 'x', effectiveFrom: y2027 },
  ];
  await createAccount(client, { datedAliases: spans });
  await expectRefused(client, { id: 'A2', aliases: ['x'] }, taken({ value: 'x', accountId: 'A1' }));
});

it('distinguishes values by case, spelling and inner white space', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { aliases: ['x y', 'straße'] });
  await createAccount(client, { id: 'a1', aliases: ['X Y', 'x  y', 'STRASSE', 'strasse'] });
  expect(await accountIdByAlias(client, 'X Y')).toBe('a1');
  expect(await accountIdByAlias(client, 'x y')).toBe('A1');
});

it('ignores the account’s own id as a plain or dated alias', async () => {
  const client = await tenantWithCustomer(service);
  const account = await createAccount(client, { aliases: ['A1'] });
  expect(account.aliases).toEqual([]);
  const datedAliases = [{ value: 'A2', effectiveUntil: '2001-01-01T00:00:00Z' }];
  expect((await createAccount(client, { id: 'A2', datedAliases })).aliases).toEqual([]);
  expect(await accountIdByAlias(client, 'A2')).toBe('A2');
  expect((await rowCounts(service, client)).aliases).toBe(2);
});

describe('one alias value on two accounts', () => {
  const holding = (effectiveFrom?: string, effectiveUntil?: string) => ({
    datedAliases: [{ value: 'x', effectiveFrom, effectiveUntil }],
  });

  it('is accepted if the spans touch, because the end is exclusive', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'A1', ...holding(y2026, y2027) });
    await createAccount(client, { id: 'A2', ...holding(y2027, y2028) });
    await createAccount(client, { id: 'A3', ...holding(undefined, y2026) });
    await createAccount(client, { id: 'A4', ...holding(y2028) });
    expect(await accountIdByAlias(client, 'x', '2026-12-31T23:59:59.999Z')).toBe('A1');
    expect(await accountIdByAlias(client, 'x', y2027)).toBe('A2');
    expect(await accountIdByAlias(client, 'x', '2025-12-31T23:59:59.999Z')).toBe('A3');
    expect(await accountIdByAlias(client, 'x', y2028)).toBe('A4');
  });

  it.each([
    ['a span that overlaps by a millisecond', '2026-12-31T23:59:59.999Z', y2028],
    ['a span inside', '2026-05-01T00:00:00Z', '2026-06-01T00:00:00Z'],
    ['a span around', undefined, undefined],
    ['a span that ends inside', undefined, '2026-01-01T00:00:00.001Z'],
    ['the same span', y2026, y2027],
  ])('is rejected for %s', async (_, effectiveFrom, effectiveUntil) => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, holding(y2026, y2027));
    const second = { id: 'A2', ...holding(effectiveFrom, effectiveUntil) };
    await expectRefused(client, second, taken({ value: 'x', accountId: 'A1' }));
  });

  it('is accepted on one account for spans that do not overlap', async () => {
    const client = await tenantWithCustomer(service);
    const datedAliases = [
      { value: 'x', effectiveUntil: y2026 },
      { value: 'x', effectiveFrom: y2026, effectiveUntil: y2027 },
    ];
    await createAccount(client, { datedAliases });
    expect(await accountIdByAlias(client, 'x', y2026)).toBe('A1');
    expect(await accountIdByAlias(client, 'x', y2027)).toBeUndefined();
  });
});
