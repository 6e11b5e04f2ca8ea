import { describe, expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { readAccount } from '../support/reads.ts';
import { type Json, useService } from '../support/service.ts';

const service = useService();
const smile = '😀'; // two UTF-16 units, one character

/** Creates an account with these fields and reads it in another request. */
async function roundTrip(fields: object): Promise<Json> {
  const client = await tenantWithCustomer(service);
  const created = await createAccount(client, fields);
  const read = await readAccount(client, created.id);
  expect(read).toEqual(created);
  return read;
}

describe('createAccount', () => {
  it.each([
    ['status', 'DRAFT'],
    ['status', 'ACTIVE'],
    ['invoiceCurrency', 'JPY'],
    ['netTermDays', 0],
    ['netTermDays', 365],
    ['primaryEmail', 'First.Last+tag@sub.example.co.uk'],
    ['name', 'Ünïcode 株式会社 العربية'],
    ['metadata', { crm: 'x-1', '': undefined, 'ключ 🔑': '', constructor: 'c', toString: 't' }],
    ['tags', ['vip', 'größe', '日本']],
  ])('stores %s %j', async (field, value) => {
    expect((await roundTrip({ [field]: value }))[field]).toEqual(JSON.parse(JSON.stringify(value)));
  });

  it('counts the characters of text as code points', async () => {
    const fields = {
      id: smile.repeat(50),
      name: smile.repeat(255),
      tags: [smile.repeat(50)],
      metadata: { [smile.repeat(40)]: smile.repeat(500) },
      address: { line1: smile.repeat(255), city: smile.repeat(100), postalCode: smile.repeat(20) },
    };
    expect(await roundTrip({ ...fields, aliases: [`x${smile.repeat(49)}`] })).toMatchObject(fields);
  });

  it('stores settings of every type and orders them by namespace and id', async () => {
    const setting = (namespace: string, id: string, dataType: string, value: string) => ({
      id,
      namespace,
      name: `${id} 😀`,
      dataType,
      value,
    });
    const settings = [
      setting('A', 'b', 'STRING', ''),
      setting('A', 'c', 'NUMERIC', '-12.50'),
      setting('B', 'a', 'JSON', '{"a": [1, null, "\\u0000"]}'),
      setting('B', 'd', 'JSON_LOGIC', '{"==": [{"var": "x"}, 1]}'),
      setting('b', 'a', 'STRING', ' spaces stay '),
    ];
    expect((await roundTrip({ settings: settings.toReversed() })).settings).toEqual(settings);
  });

  it('keeps the order and case of recipients', async () => {
    const billingInformation = {
      emailRecipients: ['Z@example.com', 'a@example.com'],
      additionalEmailRecipients: ['a@example.com'],
    };
    expect((await roundTrip({ billingInformation })).billingInformation).toEqual(billingInformation);
  });
});

describe('createAccount, normalizing fields,', () => {
  it('trims the name', async () => {
    expect((await roundTrip({ name: '\t Main account\u00a0\n' })).name).toBe('Main account');
  });

  it('stores tags in lower case without duplicates', async () => {
    expect((await roundTrip({ tags: ['VIP', 'Éclair', 'vip', 'éclair', 'a'] })).tags).toEqual([
      'vip',
      'éclair',
      'a',
    ]);
  });

  it('stores empty billing information as two empty lists and keeps null', async () => {
    const empty = { emailRecipients: [], additionalEmailRecipients: [] };
    expect((await roundTrip({ billingInformation: {} })).billingInformation).toEqual(empty);
    expect((await roundTrip({ billingInformation: empty })).billingInformation).toEqual(empty);
    expect((await roundTrip({ billingInformation: null })).billingInformation).toBeNull();
  });

  it('ignores the account’s own id among the aliases', async () => {
    const account = await roundTrip({
      aliases: ['A1', 'x'],
      datedAliases: [{ value: 'A2', effectiveUntil: '2020-01-01T00:00:00Z' }],
    });
    expect(account.aliases.map((alias: Json) => alias.value)).toEqual(['x']);
  });
});

it('stores the spans of dated aliases to the millisecond in UTC', async () => {
  const { aliases } = await roundTrip({
    datedAliases: [
      { value: 'ends', effectiveUntil: '9999-12-31T23:59:59.999Z' },
      { value: 'begins', effectiveFrom: '0001-01-01T00:00:00Z' },
      {
        value: 'both',
        effectiveFrom: '2020-02-29T12:00:00.123+05:30',
        effectiveUntil: '2999-01-01T00:00:00.001Z',
      },
    ],
  });
  expect(aliases.map(({ createdAt: _, ...alias }: Json) => alias)).toEqual([
    { value: 'ends', effectiveFrom: null, effectiveUntil: '9999-12-31T23:59:59.999Z' },
    { value: 'begins', effectiveFrom: '0001-01-01T00:00:00.000Z', effectiveUntil: null },
    {
      value: 'both',
      effectiveFrom: '2020-02-29T06:30:00.123Z',
      effectiveUntil: '2999-01-01T00:00:00.001Z',
    },
  ]);
});
