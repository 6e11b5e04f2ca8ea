import { describe, expect, it } from 'vitest';
import { writesNothing } from '../support/database.ts';
import { emailOf, listOf, type Refused, x } from '../support/field-limits.ts';
import { createAccount, createCustomer, useSharedTenant } from '../support/fixtures.ts';
import { mutate, tryMutation } from '../support/mutations.ts';
import { readAccount, readCustomer } from '../support/reads.ts';
import { issuesOf } from '../support/refusal.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const noAddress = {
  phoneNumber: null,
  line1: null,
  line2: null,
  postalCode: null,
  city: null,
  state: null,
  country: null,
};
const address = {
  phoneNumber: '+1 555',
  line1: 'One',
  line2: 'Two',
  postalCode: '1',
  city: 'Bonn',
  state: 'NW',
  country: 'DE',
};
const billingInformation = {
  emailRecipients: ['a@acme.com'],
  additionalEmailRecipients: ['b@acme.com'],
};
const metadata = { a: '1', b: '2' };

const fullAccount = {
  status: 'DRAFT',
  invoiceCurrency: 'EUR',
  netTermDays: 7,
  primaryEmail: 'main@acme.com',
  address,
  billingInformation,
  tags: ['one', 'two'],
  metadata,
};
const fullCustomer = { address, metadata };

/** The fields that an update sends, and the fields that are read afterwards. */
type Change = [what: string, sent: object, read: object];

const entities = {
  Account: {
    update: 'updateAccount',
    read: (client: Client) => readAccount(client, 'A1'),
    id: 'A1',
    clearing: [
      ['invoiceCurrency', { invoiceCurrency: null }, { invoiceCurrency: 'GBP' }],
      ['netTermDays', { netTermDays: null }, { netTermDays: 45 }],
      ['primaryEmail', { primaryEmail: null }, { primaryEmail: null }],
      ['address', { address: null }, { address: null }],
      ['billingInformation', { billingInformation: null }, { billingInformation: null }],
      ['tags', { tags: null }, { tags: [] }],
      ['metadata', { metadata: null }, { metadata: {} }],
    ] as Change[],
    required: ['name', 'status'],
    setting: [
      ['name', { name: '  New name ' }, { name: 'New name' }],
      ['status', { status: 'ACTIVE' }, { status: 'ACTIVE' }],
      ['status as it is', { status: 'DRAFT' }, { status: 'DRAFT' }],
      ['invoiceCurrency', { invoiceCurrency: 'JPY' }, { invoiceCurrency: 'JPY' }],
      ['netTermDays', { netTermDays: 0 }, { netTermDays: 0 }],
      ['primaryEmail', { primaryEmail: 'new@acme.com' }, { primaryEmail: 'new@acme.com' }],
      ['no primaryEmail if it is blank', { primaryEmail: ' ' }, {}],
      ['one part of an address', { address: { city: 'Ulm' } }, { address: { ...noAddress, city: 'Ulm' } }],
      ['an empty address', { address: {} }, { address: null }],
      ['an address of empty strings', { address: { city: '', country: '' } }, { address: null }],
      [
        'an empty string beside a part',
        { address: { city: 'Ulm', line1: '' } },
        { address: { ...noAddress, city: 'Ulm' } },
      ],
      [
        'one list of recipients',
        { billingInformation: { emailRecipients: ['c@acme.com'] } },
        { billingInformation: { emailRecipients: ['c@acme.com'], additionalEmailRecipients: [] } },
      ],
      [
        'empty billing information',
        { billingInformation: {} },
        { billingInformation: { emailRecipients: [], additionalEmailRecipients: [] } },
      ],
      ['tags', { tags: ['THREE', 'three', 'Four'] }, { tags: ['three', 'four'] }],
      ['no tags', { tags: [] }, { tags: [] }],
      ['metadata', { metadata: { c: '3' } }, { metadata: { c: '3' } }],
      ['no metadata', { metadata: {} }, { metadata: {} }],
    ] as Change[],
  },
  Customer: {
    update: 'updateCustomer',
    read: (client: Client) => readCustomer(client, 'C1'),
    id: 'C1',
    clearing: [['metadata', { metadata: null }, { metadata: {} }]] as Change[],
    required: ['name', 'primaryEmail', 'address'],
    setting: [
      ['name', { name: ' New name  ' }, { name: 'New name' }],
      ['primaryEmail', { primaryEmail: 'new@acme.com' }, { primaryEmail: 'new@acme.com' }],
      [
        'one part of an address',
        { address: { city: 'Ulm', state: '' } },
        { address: { ...noAddress, city: 'Ulm' }, billingAddress: 'Ulm' },
      ],
      ['metadata', { metadata: { c: '3' } }, { metadata: { c: '3' } }],
    ] as Change[],
  },
} as const;

/** Creates a tenant whose customer C1 and account A1 have a value in every field. */
async function fullTenant(): Promise<Client> {
  const client = await service.newTenant({ baseCurrency: 'GBP', netTermDays: 45 });
  await createCustomer(client, fullCustomer);
  await createAccount(client, fullAccount);
  return client;
}

describe.concurrent.each([entities.Account, entities.Customer])('$update', (entity) => {
  const update = (client: Client, fields: object) =>
    tryMutation(client, entity.update, { id: entity.id, ...fields });

  /** Fails unless the update changes only these fields and returns the entity as it is read afterwards. */
  async function expectChange(sent: object, read: object): Promise<void> {
    const client = await fullTenant();
    const before = await entity.read(client);
    const answer = await update(client, sent);
    const after = await entity.read(client);
    const isChanged = JSON.stringify({ ...before, ...read }) !== JSON.stringify(before);
    expect(after).toEqual({
      ...before,
      ...read,
      version: before.version + (isChanged ? 1 : 0),
      updatedAt: expect.any(String),
    });
    expect(after.updatedAt >= before.updatedAt).toBe(true);
    expect(after).toMatchObject(answer.account ?? answer.customer);
  }

  it('keeps every absent field', () => expectChange({}, {}));
  it.each(entity.clearing)('clears %s if it is null', (_, sent, read) => expectChange(sent, read));
  it.each(entity.setting)('sets %s and keeps the other fields', (_, sent, read) => expectChange(sent, read));

  const tenant = useSharedTenant(fullTenant);
  it.each(entity.required)('rejects null for %s', async (field) => {
    const { client } = tenant;
    const answer = await writesNothing(service, [client], () => update(client, { [field]: null }));
    expect(issuesOf(answer)).toEqual([{ path: [field], code: 'REQUIRED' }]);
  });
});

const shared: Refused[] = [
  ['a blank name', { name: ' \u200b ' }, ['name'], 'TOO_SHORT'],
  ['a long email', { primaryEmail: emailOf(255) }, ['primaryEmail'], 'TOO_LONG'],
  ['an unknown country', { address: { country: 'us' } }, ['address', 'country'], 'INVALID_VALUE'],
  ['a long line', { address: { line1: x(256) } }, ['address', 'line1'], 'TOO_LONG'],
  ['51 keys', { metadata: Object.fromEntries(listOf(51, (i) => [`k${i}`, ''])) }, ['metadata'], 'TOO_MANY'],
  ['a metadata value that is not a string', { metadata: { k: 1 } }, ['metadata', 'k'], 'INVALID_TYPE'],
  ['version 0', { expectedVersion: 0 }, ['expectedVersion'], 'TOO_SMALL'],
];
const ofAccounts: Refused[] = [
  ['the status ARCHIVED', { status: 'ARCHIVED' }, ['status'], 'INVALID_VALUE'],
  ['an unknown currency', { invoiceCurrency: 'usd' }, ['invoiceCurrency'], 'INVALID_VALUE'],
  ['366 days', { netTermDays: 366 }, ['netTermDays'], 'TOO_LARGE'],
  ['days below 0', { netTermDays: -1 }, ['netTermDays'], 'TOO_SMALL'],
  ['51 tags', { tags: listOf(51, (index) => `t${index}`) }, ['tags'], 'TOO_MANY'],
  [
    'a recipient twice',
    { billingInformation: { emailRecipients: ['a@b.co', 'A@B.co'] } },
    ['billingInformation', 'emailRecipients', '1'],
    'DUPLICATE',
  ],
];
const ofCustomers: Refused[] = [
  ['an address of empty parts', { address: { city: '' } }, ['address'], 'REQUIRED'],
];

describe.concurrent('updateAccount and updateCustomer with invalid input', () => {
  const cases = [
    ...[...shared, ...ofAccounts].map((refused) => ['updateAccount', ...refused] as const),
    ...[...shared, ...ofCustomers].map((refused) => ['updateCustomer', ...refused] as const),
  ];
  const tenant = useSharedTenant(fullTenant);
  it.each(cases)('rejects %s with %s and changes nothing', async (name, _, fields, path, code) => {
    const { client } = tenant;
    const id = name === 'updateAccount' ? 'A1' : 'C1';
    const answer = await writesNothing(service, [client], () =>
      tryMutation(client, name, { id, name: 'Good name', ...fields }),
    );
    expect(issuesOf(answer)).toEqual([{ path, code }]);
  });

  it('returns all issues at once', async () => {
    const { client } = tenant;
    const input = { id: 'A1', name: null, status: 'ARCHIVED', netTermDays: 366, address: { country: 'x' } };
    const paths = issuesOf(await tryMutation(client, 'updateAccount', input)).map((issue) =>
      issue.path.join('.'),
    );
    expect(paths.toSorted()).toEqual(['address.country', 'name', 'netTermDays', 'status']);
  });

  it('rejects the status DRAFT for an active account, but accepts ACTIVE', async () => {
    const client = await fullTenant();
    await mutate(client, 'updateAccount', { id: 'A1', status: 'ACTIVE' });
    const back = { id: 'A1', status: 'DRAFT', name: 'New name' };
    const refused = await writesNothing(service, [client], () => tryMutation(client, 'updateAccount', back));
    expect(refused).toMatchObject({
      __typename: 'NotAllowedInStatusError',
      type: 'Account',
      id: 'A1',
      status: 'ACTIVE',
    });
    expect(await mutate(client, 'updateAccount', { id: 'A1', status: 'ACTIVE' })).toMatchObject({
      version: 2,
    });
  });
});

it('uses the currency and net terms of the tenant after updateAccount clears those of the account', async () => {
  const clients = [
    await service.newTenant({ baseCurrency: 'GBP', netTermDays: 45 }),
    await service.newTenant(),
  ];
  const cleared: Json[] = [];
  for (const client of clients) {
    await createCustomer(client);
    await createAccount(client, fullAccount);
    const input = { id: 'A1', netTermDays: null, invoiceCurrency: null };
    cleared.push(await mutate(client, 'updateAccount', input));
  }
  const effective = cleared.map(({ invoiceCurrency, netTermDays }) => [invoiceCurrency, netTermDays]);
  expect(effective).toEqual([
    ['GBP', 45],
    ['USD', 30],
  ]);
});
