import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { changesOfAccount, writesNothing } from '../support/database.ts';
import { createAccount, setting, tenantWithCustomer } from '../support/fixtures.ts';
import { accepted, atOnce, type MutationName, mutate, refused, tryMutation } from '../support/mutations.ts';
import { aliasValues, readAccount } from '../support/reads.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const future = '2900-01-01T00:00:00.000Z';
const later = '2901-01-01T00:00:00.000Z';
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT/);

const first = {
  name: 'First',
  invoiceCurrency: 'EUR',
  netTermDays: 7,
  primaryEmail: 'first@acme.com',
  address: { line1: 'Main St 1', country: 'US' },
  billingInformation: { emailRecipients: ['bill@acme.com'] },
  tags: ['a', 'b'],
  metadata: { plan: 'gold' },
  aliases: ['x', 'y'],
  datedAliases: [{ value: 'f', effectiveFrom: future, effectiveUntil: later }],
  settings: [setting('s'), setting('t')],
};

/** Creates account A1 with all fields, and changes each of them. The account then has version 6. */
async function tenantWithLife(): Promise<Client> {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { ...first, id: 'A1' });
  const cleared = { invoiceCurrency: null, netTermDays: null, primaryEmail: null, address: { city: 'Ulm' } };
  const life: [MutationName, object][] = [
    [
      'updateAccount',
      { id: 'A1', name: 'Second', ...cleared, billingInformation: null, tags: null, metadata: null },
    ],
    ['removeAliases', { accountId: 'A1', aliases: ['x', 'f'] }],
    ['addAliases', { accountId: 'A1', aliases: ['z'] }],
    ['putSettings', { accountId: 'A1', settings: [setting('t', { value: 'w' }), setting('u')] }],
    ['removeSettings', { accountId: 'A1', settings: [{ namespace: 'n', id: 's' }] }],
  ];
  for (const [name, input] of life) await mutate(client, name, input);
  return client;
}

/** Returns what a revert brings back. */
function valuesOf({ nodeId, customer, createdAt, updatedAt, version, aliases, ...account }: Json): Json {
  return { ...account, aliases: aliases.map(({ value }: Json) => value).toSorted() };
}

const revert = (client: Client, toVersion: number, more: object = {}) =>
  tryMutation(client, 'revertAccount', { id: 'A1', toVersion, ...more });

describe.concurrent('revertAccount', () => {
  it('writes fields, settings and aliases of a version as one new version', async () => {
    const client = await tenantWithLife();
    const { account } = await revert(client, 1, { expectedVersion: 6 });
    expect(account).toEqual(await readAccount(client, 'A1'));
    expect(account.version).toBe(7);
    const { aliases, datedAliases, settings, ...fields } = first;
    const billingInformation = { ...fields.billingInformation, additionalEmailRecipients: [] };
    expect(valuesOf(account)).toMatchObject({ ...fields, billingInformation, settings, aliases: ['x', 'y'] });
    expect(await aliasValues(client, 'A1', '2900-06-01T00:00:00Z')).toEqual(['f', 'x', 'y']);
  });

  it('records one change with all fields before and after it', async () => {
    const client = await tenantWithLife();
    await revert(client, 1);
    const change = (await changesOfAccount(service, client, 'A1')).at(-1);
    const span = (value: string, effectiveFrom: Json = null, effectiveUntil: Json = null) => ({
      value,
      effectiveFrom,
      effectiveUntil,
    });
    expect(change).toMatchObject({ kind: 'ACCOUNT_REVERTED', version: 7 });
    expect(change?.before).toEqual({
      name: 'Second',
      invoiceCurrency: null,
      netTermDays: null,
      primaryEmail: null,
      addressLine1: null,
      addressCity: 'Ulm',
      addressCountry: null,
      emailRecipients: null,
      additionalEmailRecipients: null,
      tags: [],
      metadata: {},
      aliases: [span('z')],
      settings: [setting('t', { value: 'w' }), setting('u')],
    });
    expect(change?.after).toMatchObject({
      name: 'First',
      addressLine1: 'Main St 1',
      addressCity: null,
      emailRecipients: ['bill@acme.com'],
      tags: ['a', 'b'],
      aliases: [span('z', null, instant), span('x', instant), span('f', future, later)],
      settings: [setting('s'), setting('t')],
    });
  });

  it('does not change what aliases meant before', async () => {
    const client = await tenantWithLife();
    const before = await readAccount(client, 'A1');
    await revert(client, 1);
    expect(await aliasValues(client, 'A1', before.updatedAt)).toEqual(['y', 'z']);
    expect(await aliasValues(client, 'A1', before.createdAt)).toEqual(expect.arrayContaining(['x', 'y']));
  });

  it('goes forward again to a version that it reverted', async () => {
    const client = await tenantWithLife();
    const sixth = valuesOf(await readAccount(client, 'A1'));
    await revert(client, 1);
    const { account } = await revert(client, 6);
    expect([valuesOf(account), account.version]).toEqual([sixth, 8]);
  });

  it('brings an alias back until its recorded end only', async () => {
    const client = await tenantWithLife();
    await mutate(client, 'addAliases', {
      accountId: 'A1',
      datedAliases: [
        { value: 'past', effectiveUntil: '2001-01-01T00:00:00Z' },
        { value: 'until', effectiveUntil: future },
      ],
    });
    await mutate(client, 'removeAliases', { accountId: 'A1', aliases: ['until'] });
    const { account } = await revert(client, 7);
    const until = account.aliases.find(({ value }: Json) => value === 'until');
    expect(until).toMatchObject({ effectiveFrom: account.updatedAt, effectiveUntil: future });
    expect(await aliasValues(client, 'A1')).toEqual(['until', 'y', 'z']);
  });

  it('changes nothing at the current version or with equal values', async () => {
    const client = await tenantWithLife();
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Third' });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Second' });
    for (const toVersion of [8, 6]) {
      const { account } = await writesNothing(service, [client], () => revert(client, toVersion));
      expect([account.version, account.name]).toEqual([8, 'Second']);
      expect(account).toEqual(await readAccount(client, 'A1'));
    }
  });

  it('keeps the status', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'A1', status: 'DRAFT', aliases: ['x'] });
    await mutate(client, 'updateAccount', { id: 'A1', status: 'ACTIVE', name: 'Second' });
    await mutate(client, 'archiveAccount', { id: 'A1' });
    const isArchived = { code: 'NOT_ALLOWED_IN_STATUS', status: 'ARCHIVED' };
    expect(await writesNothing(service, [client], () => revert(client, 1))).toMatchObject(isArchived);
    await mutate(client, 'restoreAccount', { id: 'A1' });
    const { account } = await revert(client, 1);
    expect(account).toMatchObject({ status: 'ACTIVE', name: 'Main account', aliases: [{ value: 'x' }] });
    // At version 3 it was archived, so no alias was in force.
    const archived = await revert(client, 3);
    expect(archived.account).toMatchObject({ status: 'ACTIVE', name: 'Second', aliases: [] });
  });

  it.each([
    [
      7,
      { code: 'NOT_FOUND', type: 'Account', id: 'A1', message: 'There is no account "A1" with version 7.' },
    ],
    [0, { code: 'INVALID_INPUT', issues: [{ path: ['toVersion'] }] }],
  ])('refuses the version %s', async (toVersion, expected) => {
    const client = await tenantWithLife();
    expect(await writesNothing(service, [client], () => revert(client, toVersion))).toMatchObject(expected);
  });
});

/** Writes version 7 of account A1 with values that an earlier version of the service accepted. */
async function writeOldVersion({ tenantId }: Client, after: object): Promise<void> {
  const ofAccount = sql`tenant_id = ${tenantId} and id = 'A1'`;
  await service.database.orm.execute(
    sql`insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, before, after)
      values (${tenantId}, gen_random_uuid(), 'C1', 'A1', 'ACCOUNT_UPDATED', now(), 'test', 'test', 7, '{}', ${JSON.stringify(after)}::jsonb)`,
  );
  await service.database.orm.execute(sql`update accounts set version = 7 where ${ofAccount}`);
  await service.database.orm.execute(
    sql`update accounts set name = ${'name' in after ? String(after.name) : 'Second'} where ${ofAccount}`,
  );
}

describe.concurrent('a revert that is refused', () => {
  it('lists all values and aliases that cannot come back, and writes nothing', async () => {
    const client = await tenantWithLife();
    await createAccount(client, { id: 'x' });
    await createAccount(client, {
      id: 'A2',
      datedAliases: [{ value: 'f', effectiveFrom: '2900-02-01T00:00:00Z' }],
    });
    await writeOldVersion(client, {
      name: 'Line one\nline two',
      invoiceCurrency: 'BGN',
      tags: ['Upper'],
      addressCountry: 'UK',
      aliases: [
        { value: 'x', effectiveFrom: '-infinity', effectiveUntil: 'infinity' },
        { value: 'f', effectiveFrom: future, effectiveUntil: later },
        { value: 'in\u200bvisible', effectiveFrom: null, effectiveUntil: null },
      ],
      settings: [setting('old', { dataType: 'NUMERIC', value: 'one' })],
    });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Now' });
    const result = await writesNothing(service, [client], () => revert(client, 7));
    const { message, issues, clashes, code } = result;
    expect(code).toBe('REVERT_REFUSED');
    expect(clashes).toEqual([
      { value: 'f', accountId: 'A2' },
      { value: 'x', accountId: 'x' },
    ]);
    expect(issues.map(({ path }: Json) => path)).toEqual([
      ['name'],
      ['invoiceCurrency'],
      ['tags'],
      ['address', 'country'],
      ['aliases', 'in\u200bvisible'],
      ['settings', 'n', 'old', 'value'],
    ]);
    expect(message).toMatch(/^Version 7 of the account "A1" cannot be written again\. name must /);
    expect(message).toContain('"f" (account "A2"), "x" (account "x")');
  });

  it('does not read values that it would not change', async () => {
    const client = await tenantWithLife();
    await writeOldVersion(client, { name: 'Line one\nline two' });
    await mutate(client, 'updateAccount', { id: 'A1', netTermDays: 3 });
    const { account } = await revert(client, 7);
    expect(account).toMatchObject({ name: 'Line one\nline two', netTermDays: 30, version: 9 });
  });
});

describe.concurrent('concurrent reverts', () => {
  it('make one version each, without gaps', async () => {
    const client = await tenantWithLife();
    const results = await atOnce(12, (runner) => revert(client, 1 + (runner % 6)));
    expect(accepted(results)).toHaveLength(12);
    const changes = await changesOfAccount(service, client, 'A1');
    const { version } = await readAccount(client, 'A1');
    expect(changes.map((change) => change.version)).toEqual(
      Array.from({ length: version }, (_, index) => index + 1),
    );
  });

  it('get an alias back, or another account gets it', async () => {
    const client = await tenantWithLife();
    await createAccount(client, { id: 'A2' });
    const add = { accountId: 'A2', aliases: ['x'] };
    const results = await atOnce(10, (runner) =>
      runner % 2 === 0 ? revert(client, 1) : tryMutation(client, 'addAliases', add),
    );
    for (const { code } of refused(results)) expect(['REVERT_REFUSED', 'ALIAS_TAKEN']).toContain(code);
    const holders = await Promise.all(['A1', 'A2'].map((id) => aliasValues(client, id)));
    expect(holders.flat().filter((value) => value === 'x')).toHaveLength(1);
  });
});
