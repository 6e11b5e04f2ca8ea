import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { idsOf, linesOf, useExports } from '../support/exports.ts';
import { createAccount, createCustomer, setting, tenantWithEverything } from '../support/fixtures.ts';
import { mutate, tryCreateAccounts } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const exports = useExports(service);

const start = '2020-01-01T00:00:00.000Z';
const end = '2021-01-01T00:00:00.123Z';
const unusual = '“Zoë”, 名前 "é" \u{1f469}\u200d\u{1f52c} ; עברית =1+1';

/** Creates a customer and an account with all fields, and one of each with only the required ones. */
async function tenantWithAllFields(): Promise<Client> {
  const client = await service.newTenant();
  await createCustomer(client, {
    id: 'C1',
    name: unusual,
    address: { phoneNumber: '+1 555 0100', country: 'US', city: unusual },
    settings: [setting('b', { value: 'line 1\r\nline "2",\t;\n' }), setting('a', { value: '' })],
    metadata: { 'a;b': '[]', 9: 'nine', empty: '' },
  });
  await createCustomer(client, { id: 'C2' });
  await createAccount(client, { id: 'A1' });
  await createAccount(client, {
    id: '[A];2',
    name: unusual,
    status: 'DRAFT',
    invoiceCurrency: 'EUR',
    netTermDays: 0,
    primaryEmail: 'jörg@exämple.com',
    address: {
      line1: '1 Main Street',
      line2: 'Floor 2',
      postalCode: '01',
      city: 'X',
      state: 'CA',
      country: 'US',
    },
    billingInformation: { emailRecipients: ['z@x.co', 'a@x.co'] },
    aliases: ['z', '[A];2', unusual],
    datedAliases: [
      { value: 'm', effectiveFrom: end },
      { value: 'm', effectiveFrom: start, effectiveUntil: end },
      { value: 'l', effectiveUntil: end },
    ],
    settings: [setting('s', { dataType: 'JSON', value: '{ "a": [1, 2] }' })],
    tags: ['b', 'A'],
    metadata: { key: unusual },
  });
  return client;
}

describe('a record', () => {
  it('is the input that creates its entity, without absent fields, in a fixed order', async () => {
    const client = await tenantWithAllFields();
    const exported = await exports.records(client, { portable: true });
    const customer = { name: 'Acme', primaryEmail: 'a@acme.com' };
    const expected = [
      {
        ...{ type: 'customer', id: 'C1', ...customer, name: unusual },
        address: { city: unusual, country: 'US', phoneNumber: '+1 555 0100' },
        settings: [
          { namespace: 'n', id: 'a', name: 'Setting', dataType: 'STRING', value: '' },
          { namespace: 'n', id: 'b', name: 'Setting', dataType: 'STRING', value: 'line 1\r\nline "2",\t;\n' },
        ],
        metadata: { 9: 'nine', 'a;b': '[]', empty: '' },
      },
      { type: 'customer', id: 'C2', ...customer, address: { country: 'US' } },
      { type: 'account', id: 'A1', customerId: 'C1', name: 'Main account', status: 'ACTIVE' },
      {
        ...{ type: 'account', id: '[A];2', customerId: 'C1', name: unusual, status: 'DRAFT' },
        ...{ invoiceCurrency: 'EUR', netTermDays: 0, primaryEmail: 'jörg@exämple.com' },
        address: {
          line1: '1 Main Street',
          line2: 'Floor 2',
          postalCode: '01',
          city: 'X',
          state: 'CA',
          country: 'US',
        },
        billingInformation: { emailRecipients: ['z@x.co', 'a@x.co'] },
        aliases: ['z', unusual],
        datedAliases: [
          { value: 'l', effectiveUntil: end },
          { value: 'm', effectiveFrom: start, effectiveUntil: end },
          { value: 'm', effectiveFrom: end },
        ],
        settings: [{ namespace: 'n', id: 's', name: 'Setting', dataType: 'JSON', value: '{ "a": [1, 2] }' }],
        tags: ['b', 'a'],
        metadata: { key: unusual },
      },
    ];
    expect(exported.text).toBe(expected.map((record) => `${JSON.stringify(record)}\n`).join(''));
    expect(exported).toMatchObject({ customers: 2, accounts: 2 });
  });

  it('has the fields of the system at its end, unless the export is portable', async () => {
    const client = await tenantWithAllFields();
    const [whole, portable] = [
      await exports.records(client),
      await exports.records(client, { portable: true }),
    ];
    const document = `{ customer(id: "C1") { status nodeId version createdAt updatedAt }
      account(id: "[A];2") { nodeId version createdAt updatedAt } }`;
    const { customer, account } = (await client.send(document)).data;
    const lines = portable.text.split('\n').map((line) => line.slice(0, -1));
    const withFields = [
      `${lines[0]},${JSON.stringify(customer).slice(1)}`,
      `${lines[3]},${JSON.stringify(account).slice(1)}`,
    ];
    expect(whole.text.split('\n').filter((_, index) => index === 0 || index === 3)).toEqual(withFields);
  });
});

describe('exportRecords', () => {
  it('includes archived entities, unless the export is portable', async () => {
    const client = await tenantWithEverything(service);
    const exported = await exports.records(client);
    const archived = linesOf(exported).filter(({ status }) => status === 'ARCHIVED');
    expect(archived.map(({ id }) => id)).toEqual(['C3', 'C4', 'A3', 'A4']);
    expect(archived[2].datedAliases).toEqual([{ value: 'old', effectiveUntil: expect.any(String) }]);
    expect(idsOf(await exports.records(client, { portable: true }))).toEqual(['C1', 'C2', 'C5', 'A1', 'A2']);
  });

  it('writes customers first, and both in the order of their creation, over several pages', async () => {
    const client = await service.newTenant();
    await createCustomer(client);
    const ids = Array.from({ length: 600 }, (_, n) => `A${(n * 7919) % 100_003}`);
    for (let from = 0; from < ids.length; from += 100) {
      const inputs = ids.slice(from, from + 100).map((id) => ({ id, name: 'Account', customerId: 'C1' }));
      const results = await tryCreateAccounts(client, inputs);
      expect(results.filter(({ replayed }) => replayed === undefined)).toEqual([]);
    }
    await createCustomer(client, { id: 'C0' });
    const exported = await exports.records(client);
    expect(idsOf(exported)).toEqual(['C1', 'C0', ...ids]);
    expect(exported).toMatchObject({ customers: 2, accounts: 600 });
    expect(idsOf(await exports.records(client, { type: 'account' }))).toEqual(ids);
    expect(idsOf(await exports.records(client, { type: 'customer' }))).toEqual(['C1', 'C0']);
  });

  it('reads no row of another tenant with the same ids', async () => {
    const [client, other] = [await tenantWithAllFields(), await tenantWithEverything(service)];
    const before = await exports.records(client);
    await mutate(other, 'addAliases', { accountId: 'A1', aliases: ['secret'] });
    await mutate(other, 'putSettings', { accountId: 'A1', settings: [setting('secret')] });
    await mutate(other, 'putSettings', { customerId: 'C1', settings: [setting('secret')] });
    expect((await exports.records(client)).text).toBe(before.text);
  });
});

/** Returns the records of CSV. A dot in the name of a column is a path. */
function recordsIn(csv: string, type: string): Json[] {
  const json = [
    'aliases',
    'datedAliases',
    'settings',
    'tags',
    'metadata',
    'emailRecipients',
    'additionalEmailRecipients',
  ];
  const rows: Record<string, string>[] = parse(csv, { columns: true });
  return rows.map((row) => {
    const record: Json = { type };
    for (const [column, cell] of Object.entries(row).filter(([, text]) => text !== '')) {
      const [field = '', group] = column.split('.').toReversed();
      const isNumber = ['netTermDays', 'version'].includes(field);
      const value = json.includes(field) ? JSON.parse(cell) : isNumber ? Number(cell) : cell;
      if (group === undefined) record[field] = value;
      else record[group] = { ...record[group], [field]: value };
    }
    return record;
  });
}

describe('CSV', () => {
  it.each(['customer', 'account'] as const)('has the same %s records as NDJSON', async (type) => {
    const client = await tenantWithAllFields();
    for (const portable of [true, false]) {
      const csv = await exports.records(client, { format: 'csv', type, portable });
      const lines = linesOf(await exports.records(client, { type, portable }));
      expect(lines).toHaveLength(2);
      expect(recordsIn(csv.text, type)).toEqual(lines);
    }
  });

  it('has a header also without rows, and ends its lines with CRLF', async () => {
    const client = await service.newTenant();
    const address =
      'address.line1,address.line2,address.postalCode,address.city,address.state,address.country,address.phoneNumber';
    const billing = 'billingInformation.emailRecipients,billingInformation.additionalEmailRecipients';
    const [customer, account] = [
      `id,name,primaryEmail,${address},settings,metadata`,
      `id,customerId,name,status,invoiceCurrency,netTermDays,primaryEmail,${address},${billing},aliases,datedAliases,settings,tags,metadata`,
    ];
    const system = 'nodeId,version,createdAt,updatedAt';
    const text = async (type: 'customer' | 'account', portable: boolean) =>
      (await exports.records(client, { format: 'csv', type, portable })).text;
    expect(await text('customer', true)).toBe(`${customer}\r\n`);
    expect(await text('customer', false)).toBe(`${customer},status,${system}\r\n`);
    expect(await text('account', true)).toBe(`${account}\r\n`);
    expect(await text('account', false)).toBe(`${account},${system}\r\n`);
    await createCustomer(client);
    expect(await text('customer', true)).toBe(`${customer}\r\nC1,Acme,a@acme.com,,,,,,US,,,\r\n`);
    expect((await exports.records(await service.newTenant())).text).toBe('');
  });
});
