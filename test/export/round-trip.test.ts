import { describe, expect, it } from 'vitest';
import { importRecords, linesOf, useExports } from '../support/exports.ts';
import { createAccount, createCustomer, setting } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const exports = useExports(service);

const range = (count: number) => Array.from({ length: count }, (_, n) => n);
const future = '2900-01-01T00:00:00.001Z';

/** Moves aliases and ids between accounts, so that the order of an import matters. */
async function moveNames(client: Client): Promise<void> {
  await createAccount(client, { id: 'first', aliases: ['later-an-id', 'moved', 'removed', 'transferred'] });
  await createAccount(client, { id: 'gone', aliases: ['of-gone', 'id-of-gone'] });
  const names = { accountId: 'first', aliases: ['later-an-id', 'moved', 'removed'] };
  await mutate(client, 'removeAliases', names);
  await createAccount(client, { id: 'later-an-id', aliases: ['moved', 'later-an-id'] });
  await mutate(client, 'transferAlias', { alias: 'transferred', toAccountId: 'later-an-id' });
  await mutate(client, 'archiveAccount', { id: 'gone' });
  await createAccount(client, { id: 'id-of-gone', aliases: ['of-gone'] });
  await createAccount(client, { id: 'back', aliases: ['returns'] });
  await mutate(client, 'archiveAccount', { id: 'back' });
  await mutate(client, 'restoreAccount', { id: 'back' });
}

async function addLongLists(client: Client): Promise<void> {
  await createAccount(client, { id: 'long' });
  const [plain, dated] = [range(25), range(25)].map((list) => list.map((n) => (n * 7) % 25));
  for (let from = 0; from < 25; from += 5) {
    const datedAliases = (dated ?? []).slice(from, from + 5).map((n) => ({
      value: `dated-${n}`,
      ...(n % 2 === 0 && { effectiveFrom: `0001-01-01T00:00:00.${String(n).padStart(3, '0')}Z` }),
      ...(n % 3 !== 1 && { effectiveUntil: n % 3 === 0 ? future : '2020-02-29T23:59:59.999Z' }),
    }));
    const aliases = (plain ?? []).slice(from, from + 5).map((n) => `plain-${n}`);
    await mutate(client, 'addAliases', { accountId: 'long', aliases });
    await mutate(client, 'addAliases', { accountId: 'long', datedAliases });
  }
  for (const owner of [{ accountId: 'long' }, { customerId: 'C1' }]) {
    const settings = range(100).map((n) => setting(`${(n * 37) % 100}`, { namespace: `n${n % 3}` }));
    await mutate(client, 'putSettings', { ...owner, settings });
  }
}

async function tenantWithHistory(): Promise<Client> {
  const client = await service.newTenant({ baseCurrency: 'USD', netTermDays: 30 });
  await createCustomer(client, {
    metadata: { b: '1', 10: '2', aa: '3', é: '' },
    address: { phoneNumber: '12' },
  });
  await createCustomer(client, { id: 'C2', account: { id: 'of-C2', name: 'First' } });
  await mutate(client, 'archiveAccount', { id: 'of-C2' });
  await mutate(client, 'archiveCustomer', { id: 'C2' });
  await moveNames(client);
  await addLongLists(client);
  await createAccount(client, { id: 'draft', status: 'DRAFT', netTermDays: 30, invoiceCurrency: 'USD' });
  await createAccount(client, {
    id: 'no-recipients',
    billingInformation: {},
    address: { line2: ' ' },
    tags: [],
  });
  await createAccount(client, {
    id: 'some',
    billingInformation: { additionalEmailRecipients: ['B@x.co', 'a@x.co'] },
    tags: ['Z', 'a', 'ΑΣ'],
    metadata: { 2: '', 1: '\u{1f600}\n"' },
  });
  await mutate(client, 'updateAccount', { id: 'first', address: { state: 'CA' }, primaryEmail: 'x@y.co' });
  return client;
}

describe('a portable export', () => {
  it('has the same bytes after an import into an empty tenant with other defaults', async () => {
    const client = await tenantWithHistory();
    const empty = await service.newTenant({ baseCurrency: 'EUR', netTermDays: 7 });
    const exported = await exports.records(client, { portable: true });
    expect(exported).toMatchObject({ customers: 1, accounts: 8 });
    await importRecords(empty, linesOf(exported));
    expect((await exports.records(empty, { portable: true })).text).toBe(exported.text);
    for (const type of ['customer', 'account'] as const) {
      const csv = { format: 'csv', type, portable: true } as const;
      expect((await exports.records(empty, csv)).text).toBe((await exports.records(client, csv)).text);
    }
  });

  it('keeps the spans of aliases that ended or moved', async () => {
    const lines = linesOf(await exports.records(await tenantWithHistory(), { portable: true }));
    const datedOf = (id: string) => lines.find((line) => line.id === id)?.datedAliases;
    const instant = expect.any(String);
    expect(datedOf('first')).toEqual(
      ['later-an-id', 'moved', 'removed', 'transferred'].map((value) => ({ value, effectiveUntil: instant })),
    );
    expect(datedOf('later-an-id')).toEqual([
      { value: 'moved', effectiveFrom: datedOf('first')[1].effectiveUntil },
      { value: 'transferred', effectiveFrom: datedOf('first')[3].effectiveUntil },
    ]);
    expect(datedOf('id-of-gone')).toEqual([{ value: 'of-gone', effectiveFrom: instant }]);
    expect(datedOf('back')).toEqual([
      { value: 'returns', effectiveUntil: instant },
      { value: 'returns', effectiveFrom: instant },
    ]);
  });
});
