import { describe, expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import {
  type Accepted,
  badAddresses,
  badEmails,
  badIdentifiers,
  badMetadata,
  badNames,
  badReferences,
  emailOf,
  goodAddresses,
  goodEmails,
  goodIdentifiers,
  goodMetadata,
  goodNames,
  listOf,
  type Refused,
  smiles,
  unstorable,
  x,
} from '../support/field-limits.ts';
import { accountInput, createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { tryMutation } from '../support/mutations.ts';
import { expectAlive, expectNoInternals, issuesOf } from '../support/refusal.ts';
import { type Json, useService } from '../support/service.ts';
import { badSettings, goodSettings } from '../support/setting-field-limits.ts';

const service = useService();
const onlyTheCustomer = {
  customers: 1,
  accounts: 0,
  aliases: 0,
  settings: 0,
  changes: 1,
  idempotency_records: 0,
};

const aliases = (count: number) => listOf(count, (index) => `alias-${index}`);
const emails = (count: number) => listOf(count, (index) => `e${index}@acme.com`);
const tags = (count: number) => listOf(count, (index) => `tag-${index}`);
const billing = (emailRecipients: string[], additionalEmailRecipients: string[] = []) => ({
  billingInformation: { emailRecipients, additionalEmailRecipients },
});

const accepted: Accepted[] = [
  ...goodIdentifiers('id', (id) => ({ id })),
  ...goodNames,
  ...goodEmails,
  ...goodAddresses,
  ...goodMetadata,
  ...goodSettings,
  ...['XCG', 'XAD', 'VED'].map(
    (invoiceCurrency): Accepted => [`currency ${invoiceCurrency}`, { invoiceCurrency }],
  ),
  ['netTermDays 0', { netTermDays: 0 }],
  ['netTermDays 365', { netTermDays: 365 }],
  ['10 recipients with the longest email', billing([...emails(9), emailOf(254)])],
  ['50 recipients of each kind', billing(emails(50), emails(50))],
  ['50 tags', { tags: tags(50) }],
  ['tag of 50 characters', { tags: [x(50)] }],
  ['tag of 50 emoji', { tags: [smiles(50)] }],
];

it.each(accepted)('creates an account with %s', async (_, fields) => {
  const client = await tenantWithCustomer(service);
  expect(await createAccount(client, fields)).toMatchObject(fields);
});

const acceptedAliases: [string, Json][] = [
  ['10 aliases', { aliases: aliases(10) }],
  ['10 dated aliases', { datedAliases: aliases(10).map((value) => ({ value })) }],
  ['plain and dated aliases', { aliases: ['a', 'b'], datedAliases: [{ value: 'c' }] }],
  ...goodIdentifiers('alias', (value) => ({ aliases: [value] }), 255),
];

it.each(acceptedAliases)('creates an account with %s', async (_, fields) => {
  const client = await tenantWithCustomer(service);
  const account = await createAccount(client, fields);
  const dated = (fields.datedAliases ?? []).map((alias: Json) => alias.value);
  expect(account.aliases.map((alias: Json) => alias.value)).toEqual([...(fields.aliases ?? []), ...dated]);
});

const refusedLists: Refused[] = [
  ['11 aliases', { aliases: aliases(11) }, ['aliases'], 'TOO_MANY'],
  ['an alias twice', { aliases: ['a', 'b', 'a'] }, ['aliases', '2'], 'DUPLICATE'],
  ...badIdentifiers('alias', (value) => ({ aliases: ['ok', value] }), ['aliases', '1'], 255),
  ['51 recipients', billing(emails(51)), ['billingInformation', 'emailRecipients'], 'TOO_MANY'],
  [
    '51 additional recipients',
    billing([], emails(51)),
    ['billingInformation', 'additionalEmailRecipients'],
    'TOO_MANY',
  ],
  [
    'a recipient twice in a different case',
    billing(['a@acme.com', 'b@acme.com', 'A@acme.com']),
    ['billingInformation', 'emailRecipients', '2'],
    'DUPLICATE',
  ],
  [
    'a recipient that is not an email address',
    billing([], ['a@acme.com', 'nobody']),
    ['billingInformation', 'additionalEmailRecipients', '1'],
    'INVALID_FORMAT',
  ],
  ['51 tags', { tags: tags(51) }, ['tags'], 'TOO_MANY'],
  ['an empty tag', { tags: ['a', ''] }, ['tags', '1'], 'TOO_SHORT'],
  ['tag of 51 characters', { tags: [x(51)] }, ['tags', '0'], 'TOO_LONG'],
  ['tag that lower case makes longer than 50', { tags: ['İ'.repeat(50)] }, ['tags', '0'], 'TOO_LONG'],
  ...unstorable('tag', (tag) => ({ tags: [tag] }), ['tags', '0']),
];

const from = '2026-01-01T00:00:00Z';
const until = '2027-01-01T00:00:00Z';
const value = 'dated';

const refusedSpans: Refused[] = [
  ...badIdentifiers(
    'dated alias',
    (bad) => ({ datedAliases: [{ value: bad }] }),
    ['datedAliases', '0', 'value'],
    255,
  ),
  [
    '11 dated aliases',
    { datedAliases: aliases(11).map((one) => ({ value: one })) },
    ['datedAliases'],
    'TOO_MANY',
  ],
  [
    '11 plain and dated aliases',
    { aliases: aliases(10), datedAliases: [{ value }] },
    ['datedAliases'],
    'TOO_MANY',
  ],
  [
    'a span that ends where it begins',
    { datedAliases: [{ value, effectiveFrom: from, effectiveUntil: from }] },
    ['datedAliases', '0', 'effectiveUntil'],
    'INVALID_VALUE',
  ],
  [
    'a span that ends before it begins',
    { datedAliases: [{ value, effectiveFrom: until, effectiveUntil: from }] },
    ['datedAliases', '0', 'effectiveUntil'],
    'INVALID_VALUE',
  ],
  [
    'two spans of one value that overlap',
    {
      datedAliases: [
        { value, effectiveUntil: until },
        { value, effectiveFrom: from },
      ],
    },
    ['datedAliases', '1', 'value'],
    'DUPLICATE',
  ],
  [
    'a dated alias that is also a plain alias',
    { aliases: [value], datedAliases: [{ value, effectiveFrom: from }] },
    ['datedAliases', '0', 'value'],
    'DUPLICATE',
  ],
];

const currencies = [
  'usd',
  'US',
  'USDD',
  'ABC',
  '',
  '$',
  'U\u0000D',
  '\ud800',
  'ANG',
  'BGN',
  'CUC',
  'XXX',
  'XTS',
  'XAU',
];

const refused: Refused[] = [
  ...badIdentifiers('id', (id) => ({ id }), ['id']),
  ...badReferences('customerId', (customerId) => ({ customerId }), ['customerId']),
  ...['.', '..'].map((id): Refused => [`the id ${id}`, { id }, ['id'], 'INVALID_FORMAT']),
  ...badNames,
  ...badEmails,
  ...badAddresses,
  ...badMetadata,
  ...badSettings,
  ...currencies.map(
    (invoiceCurrency): Refused => [
      `currency ${JSON.stringify(invoiceCurrency)}`,
      { invoiceCurrency },
      ['invoiceCurrency'],
      'INVALID_VALUE',
    ],
  ),
  ['netTermDays -1', { netTermDays: -1 }, ['netTermDays'], 'TOO_SMALL'],
  ['netTermDays 366', { netTermDays: 366 }, ['netTermDays'], 'TOO_LARGE'],
  ['a new account that is archived', { status: 'ARCHIVED' }, ['status'], 'INVALID_VALUE'],
  ...refusedLists,
  ...refusedSpans,
];

describe('createAccount', () => {
  it.each(refused)('writes nothing and returns the path and code for %s', async (_, fields, path, code) => {
    const client = await tenantWithCustomer(service);
    const result = await tryMutation(
      client,
      'createAccount',
      accountInput({ idempotencyKey: 'k', ...fields }),
    );
    expect(issuesOf(result)).toEqual([{ path, code }]);
    expectNoInternals({ data: result, errors: undefined });
    expect(await rowCounts(service, client)).toEqual(onlyTheCustomer);
    await expectAlive(client);
  });
});
