import { stringify } from 'csv-stringify/sync';
import { describe, expect, it } from 'vitest';
import { createAccountInput } from '../../src/account/rules.ts';
import { createCustomerInput } from '../../src/customer/rules.ts';
import { issuesOf } from '../../src/lib/wording.ts';
import { lagoCustomer, stripeCustomer, togaiAccount, togaiCustomer, togaiPage } from './fixtures.ts';
import { problemOf, recordsOf, rowsOf } from './reading.ts';

const stripe = { format: 'stripe' } as const;
const lago = { format: 'lago' } as const;
const togai = { format: 'togai' } as const;
const ofCustomer = async (customer: object, options: Parameters<typeof recordsOf>[1]) =>
  recordsOf(JSON.stringify(customer), options);

describe('togai', () => {
  it('has accounts with the fields of this product', async () => {
    const [record] = await ofCustomer(togaiPage(togaiAccount), togai);
    const { togaiAccountId: _, togaiCustomerId: __, aliases: ___, ...fields } = togaiAccount;
    const input = { ...fields, aliases: ['account2@acme.com', '+1234567890'] };
    expect(record).toEqual({ type: 'account', input });
    expect(createAccountInput.safeParse(record?.input).error).toBeUndefined();
  });

  it('has customers with the fields of this product', async () => {
    const [record] = await ofCustomer(togaiPage(togaiCustomer), togai);
    const { id, name, primaryEmail, address } = togaiCustomer;
    expect(record).toEqual({ type: 'customer', input: { id, name, primaryEmail, address } });
    expect(createCustomerInput.safeParse(record?.input).error).toBeUndefined();
  });

  it('has dated aliases without placeholders', async () => {
    const accountAliases = [
      {
        value: '1970-01-01T00:00:00Z',
        effectiveFrom: '1970-01-01T00:00:00Z',
        effectiveUntil: '2027-01-01T00:00:00Z',
      },
      { value: 'b', effectiveFrom: '2026-01-01T00:00:00+0000', effectiveUntil: '9999-01-01T00:00:00Z' },
    ];
    const [record] = await ofCustomer({ customerId: 'C', accountAliases }, togai);
    expect(record?.input.datedAliases).toEqual([
      { value: '1970-01-01T00:00:00Z', effectiveUntil: new Date('2027-01-01T00:00:00Z') },
      { value: 'b', effectiveFrom: new Date('2026-01-01T00:00:00Z') },
    ]);
  });

  it('has no archived customers and no unknown fields', async () => {
    const archived = JSON.stringify({ ...togaiCustomer, status: 'ARCHIVED' });
    expect(await problemOf(archived, togai)).toMatchObject({ path: ['status'], code: 'INVALID_VALUE' });
    const unknown = JSON.stringify({ ...togaiAccount, pricePlan: {} });
    expect(await problemOf(unknown, togai)).toMatchObject({ path: ['pricePlan'], code: 'UNKNOWN_FIELD' });
  });
});

describe('stripe', () => {
  it('has a customer and an account for each customer, with or without a currency', async () => {
    const [customer, account] = await ofCustomer({ ...stripeCustomer, currency: null }, stripe);
    expect([customer?.type, account?.type]).toEqual(['customer', 'account']);
    expect(account?.input).toMatchObject({ id: stripeCustomer.id, customerId: stripeCustomer.id });
    expect(Object.keys(account?.input ?? {})).not.toContain('invoiceCurrency');
  });

  it('has the customer alone or the account alone if only one type is wanted', async () => {
    const types = async (type: 'customer' | 'account') =>
      (await ofCustomer(stripeCustomer, { ...stripe, type })).map((record) => record.type);
    expect([await types('customer'), await types('account')]).toEqual([['customer'], ['account']]);
  });

  it.each([
    [{ name: null, business_name: 'Rosen GmbH' }, 'Rosen GmbH'],
    [{ name: '' }, stripeCustomer.description],
  ])('has another name if there is none: %j', async (changes, name) => {
    const records = await ofCustomer({ ...stripeCustomer, ...changes }, stripe);
    expect(records.map(({ input }) => input.name)).toEqual([name, name]);
  });

  it('invents no email and no address, so the rules refuse the customer', async () => {
    const [customer] = await ofCustomer(
      { id: 'cus_1', object: 'customer', name: 'A', address: null },
      stripe,
    );
    expect(customer?.input).toEqual({ id: 'cus_1', name: 'A' });
    const { error } = createCustomerInput.safeParse(customer?.input);
    expect(error && issuesOf(error)).toMatchObject([
      { path: ['primaryEmail'], message: 'is required' },
      { path: ['address'], message: 'is required' },
    ]);
  });

  it('has no deleted customers and nothing else than customers', async () => {
    const deleted = JSON.stringify({ id: 'cus_1', object: 'customer', deleted: true });
    expect(await problemOf(deleted, stripe)).toMatchObject({ path: ['deleted'], code: 'INVALID_VALUE' });
    const other = await problemOf('{"id":"in_1","object":"invoice"}', stripe);
    expect(other).toMatchObject({ path: ['object'], message: 'must be "customer", is "invoice"' });
  });

  it('leaves out what the metadata cannot hold', async () => {
    const full = Object.fromEntries(Array.from({ length: 49 }, (_, index) => [`key${index}`, 'x']));
    const [customer] = await ofCustomer(
      { ...stripeCustomer, metadata: full, description: 'd'.repeat(501), invoice_prefix: 'P' },
      stripe,
    );
    expect(customer?.input.metadata).toEqual({ ...full, stripe_invoice_prefix: 'P' });
  });

  it('has the rows of the CSV that the Dashboard exports', async () => {
    const header =
      'id,Description,Email,Name,Created (UTC),Delinquent,Card ID,Card Last4,Card Name,Card Address Line1,Card Address Line2,Card Address City,Card Address State,Card Address Country,Card Address Zip,Plan,Status,Account Balance,Currency,Total Spend,Payment Count,Refunded Volume,Dispute Losses,Business Vat ID,crm_id (metadata),tag (metadata)';
    const row = [
      ...[
        'cus_1',
        'Pilot',
        'a@acme.example',
        'Acme',
        '2023-04-08 00:33',
        'false',
        'card_1',
        '4242',
        'A. Acme',
      ],
      ...['1 Main Street', '', 'Florence', 'SC', 'US', '29501', 'pro', 'Active', '0.00', 'usd'],
      ...['12.00', '3', '0.00', '0.00', 'DE123456789', '4711', ''],
    ];
    const records = await recordsOf(stringify([header.split(','), row]), stripe);
    const address = {
      line1: '1 Main Street',
      postalCode: '29501',
      city: 'Florence',
      state: 'SC',
      country: 'US',
    };
    const shared = { id: 'cus_1', name: 'Acme', primaryEmail: 'a@acme.example', address };
    const metadata = { crm_id: '4711', stripe_description: 'Pilot', stripe_vat_id: 'DE123456789' };
    expect(records).toEqual([
      { type: 'customer', input: { ...shared, metadata } },
      { type: 'account', input: { ...shared, customerId: 'cus_1', invoiceCurrency: 'USD' } },
    ]);
  });

  it('needs the column id in CSV', async () => {
    await expect(rowsOf('Customer ID,Email\ncus_1,a@b.example\n', stripe)).rejects.toThrow(
      'has no column "id".',
    );
  });
});

describe('lago', () => {
  it.each([
    [{ name: null }, lagoCustomer.legal_name],
    [{ name: null, legal_name: '', firstname: 'Gavin', lastname: 'Belson' }, 'Gavin Belson'],
  ])('has another name if there is none: %j', async (changes, name) => {
    const records = await ofCustomer({ ...lagoCustomer, ...changes }, lago);
    expect(records.map(({ input }) => input.name)).toEqual([name, name]);
  });

  it('keeps net terms of 0 days', async () => {
    const [, account] = await ofCustomer({ ...lagoCustomer, net_payment_term: 0 }, lago);
    expect(account?.input.netTermDays).toBe(0);
  });

  it('cannot change prototypes', async () => {
    const metadata = [{ key: '__proto__', value: 'x' }, 'y', null];
    const [customer] = await ofCustomer({ external_id: 'x', metadata }, lago);
    expect(Object.entries(customer?.input.metadata ?? {})).toEqual([['__proto__', 'x']]);
  });
});
