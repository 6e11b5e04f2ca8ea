import { describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { accountIdByAlias } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const begin = '2026-01-01T00:00:00.000Z';
const end = '2026-02-01T00:00:00.000Z';

const valuesAt = (client: Client, on?: string) =>
  client
    .send('query($on: DateTime) { account(id: "A1") { aliases(effectiveOn: $on) { value } } }', { on })
    .then(({ data }) => data.account.aliases.map((alias: Json) => alias.value));

describe('accountByAlias with an instant', () => {
  it('finds the account from the beginning until right before the end of the span', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, {
      datedAliases: [{ value: 'x', effectiveFrom: begin, effectiveUntil: end }],
    });
    const at = (instant: string) => accountIdByAlias(client, 'x', instant);
    expect(await at('2025-12-31T23:59:59.999Z')).toBeUndefined();
    expect(await at(begin)).toBe('A1');
    expect(await at('2026-01-31T23:59:59.999Z')).toBe('A1');
    expect(await at(end)).toBeUndefined();
  });

  it('finds the account at any instant if the span is open', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { aliases: ['x'] });
    for (const instant of ['0001-01-01T00:00:00Z', undefined, '9999-12-31T23:59:59.999Z']) {
      expect(await accountIdByAlias(client, 'x', instant)).toBe('A1');
    }
  });

  it('uses the current time by default', async () => {
    const client = await tenantWithCustomer(service);
    const past = new Date(Date.now() - 60_000).toISOString();
    const future = new Date(Date.now() + 60_000).toISOString();
    const datedAliases = [
      { value: 'present', effectiveFrom: past, effectiveUntil: future },
      { value: 'past', effectiveUntil: past },
      { value: 'future', effectiveFrom: future },
    ];
    await createAccount(client, { datedAliases });
    expect(await accountIdByAlias(client, 'present')).toBe('A1');
    expect(await accountIdByAlias(client, 'past')).toBeUndefined();
    expect(await accountIdByAlias(client, 'future')).toBeUndefined();
    expect(await valuesAt(client)).toEqual(['present']);
    expect(await valuesAt(client, future)).toEqual(['future']);
  });

  it('finds the account by the exact value only', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { aliases: ['Straße', 'x%', 'a_b'] });
    for (const other of ['straße', 'STRASSE', 'Straße ', 'x', 'xy', 'a-b', 'Stra\u00dfe\u0301', '']) {
      expect(await accountIdByAlias(client, other)).toBeUndefined();
    }
    expect(await accountIdByAlias(client, 'Straße')).toBe('A1');
  });
});

describe('accountByAlias', () => {
  it('finds an account by its own id at any time', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client);
    for (const instant of ['0001-01-01T00:00:00Z', undefined, '9999-12-31T23:59:59.999Z']) {
      expect(await accountIdByAlias(client, 'A1', instant)).toBe('A1');
    }
  });

  it.each(['\u0000', 'a\u0000', '\ud800', '\udfff', 'x'.repeat(10_000), "' or 1=1 --"])(
    'returns null for %j, which cannot be an alias',
    async (alias) => {
      const client = await tenantWithCustomer(service);
      await createAccount(client, { aliases: ['\ufffd'] });
      expect(await accountIdByAlias(client, alias)).toBeUndefined();
    },
  );

  it('resolves each alias and instant of one document separately', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { datedAliases: [{ value: 'x', effectiveUntil: begin }] });
    await createAccount(client, { id: 'A2', datedAliases: [{ value: 'x', effectiveFrom: begin }] });
    const { data } = await client.send(`{
      before: accountByAlias(alias: "x", effectiveOn: "2025-12-31T23:59:59.999Z") { id aliases(effectiveOn: "${begin}") { value } }
      after: accountByAlias(alias: "x", effectiveOn: "${begin}") { id aliases(effectiveOn: "${begin}") { value } }
      again: accountByAlias(alias: "x", effectiveOn: "${begin}") { id }
      nobody: accountByAlias(alias: "y") { id }
    }`);
    expect(data).toEqual({
      before: { id: 'A1', aliases: [] },
      after: { id: 'A2', aliases: [{ value: 'x' }] },
      again: { id: 'A2' },
      nobody: null,
    });
  });
});

describe('effectiveOn', () => {
  it.each([
    'accountByAlias(alias: "x", effectiveOn: $on) { id }',
    'account(id: "A1") { aliases(effectiveOn: $on) { value } }',
  ])('rejects an instant before the year 1 in %s', async (field) => {
    const client = await tenantWithCustomer(service);
    await createAccount(client);
    const { errors } = await client.send(`query($on: DateTime) { ${field} }`, { on: '0000-06-01T00:00:00Z' });
    const issues = [{ path: ['effectiveOn'], code: 'INVALID_VALUE', message: expect.any(String) }];
    expect(errors[0].extensions).toMatchObject({ code: 'BAD_REQUEST', issues });
  });

  it.each(['2026-13-01T00:00:00Z', '2026-01', 'now', '', 5])('rejects %j', async (on) => {
    const client = await tenantWithCustomer(service);
    const { status, errors } = await client.send(
      'query($on: DateTime) { accountByAlias(alias: "x", effectiveOn: $on) { id } }',
      { on },
    );
    expect([status, errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
  });
});

it('resolves the account of an alias', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { aliases: ['x'] });
  const { data } = await client.send('{ account(id: "A1") { aliases { account { id customer { id } } } } }');
  expect(data.account.aliases).toEqual([{ account: { id: 'A1', customer: { id: 'C1' } } }]);
});
