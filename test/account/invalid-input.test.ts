import { describe, expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import { accountInput, tenantWithCustomer } from '../support/fixtures.ts';
import { sendMutation, tryMutation } from '../support/mutations.ts';
import { expectAlive, expectRequestError, issuesOf } from '../support/refusal.ts';
import { useService } from '../support/service.ts';

const service = useService();

const huge = 2 ** 31;

/** Inputs that the schema rejects before the mutation runs. */
const malformed: [string, unknown][] = [
  ['an input that is null', null],
  ['an input that is a string', 'A1'],
  ['an empty input', {}],
  ['an input without an id', accountInput({ id: undefined })],
  ['an input without a name', accountInput({ name: undefined })],
  ['an input without a customer', accountInput({ customerId: undefined })],
  ['an id that is null', accountInput({ id: null })],
  ['a name that is null', accountInput({ name: null })],
  ['an unknown field', accountInput({ nickname: 'x' })],
  ['a field name in a different case', accountInput({ Name: 'x' })],
  [
    'an unknown field called __proto__',
    JSON.parse('{"id":"A1","name":"abc","customerId":"C1","__proto__":{}}'),
  ],
  ['an id that is an object', accountInput({ id: {} })],
  ['an id that is a boolean', accountInput({ id: true })],
  ['an id that is a fraction', accountInput({ id: 1.5 })],
  ['a name that is a number', accountInput({ name: 5 })],
  ['a name that is a list', accountInput({ name: ['abc'] })],
  ['net terms that are a string', accountInput({ netTermDays: '30' })],
  ['net terms that are a fraction', accountInput({ netTermDays: 1.5 })],
  ['net terms beyond 32 bits', accountInput({ netTermDays: huge })],
  ['a status that does not exist', accountInput({ status: 'OPEN' })],
  ['a status in lower case', accountInput({ status: 'active' })],
  ['an address that is a string', accountInput({ address: 'Berlin' })],
  ['an unknown field of the address', accountInput({ address: { zip: '1' } })],
  ['a country that is a number', accountInput({ address: { country: 49 } })],
  ['aliases with null among them', accountInput({ aliases: ['a', null] })],
  ['aliases with an object among them', accountInput({ aliases: [{ value: 'a' }] })],
  ['a dated alias without a value', accountInput({ datedAliases: [{}] })],
  ['an instant that is a number', accountInput({ datedAliases: [{ value: 'a', effectiveFrom: 1.5 }] })],
  [
    'an instant at hour 24',
    accountInput({ datedAliases: [{ value: 'a', effectiveFrom: '2026-01-01T24:00:00Z' }] }),
  ],
  ['30 February', accountInput({ datedAliases: [{ value: 'a', effectiveFrom: '2026-02-30T00:00:00Z' }] })],
  [
    'a setting without its type',
    accountInput({ settings: [{ id: 'a', namespace: 'n', name: 'n', value: '' }] }),
  ],
  ['tags that are a map', accountInput({ tags: { a: 1 } })],
  ['metadata that is a string', accountInput({ metadata: 'x' })],
  ['metadata that is a list', accountInput({ metadata: ['x'] })],
  ['recipients that are null inside', accountInput({ billingInformation: { emailRecipients: [null] } })],
  ['an idempotency key that is a number', accountInput({ idempotencyKey: 1 })],
];

it.each(malformed)('returns BAD_REQUEST and writes nothing for %s', async (_, input) => {
  const client = await tenantWithCustomer(service);
  const before = await rowCounts(service, client);
  expectRequestError(await sendMutation(client, 'createAccount', input), 400, 'BAD_REQUEST');
  expect(await rowCounts(service, client)).toEqual(before);
  await expectAlive(client);
});

const manyProblems = {
  id: ' A1',
  name: '',
  customerId: '',
  invoiceCurrency: 'usd',
  netTermDays: 400,
  primaryEmail: 'nobody',
  status: 'ARCHIVED',
  address: { country: 'XX', phoneNumber: 'call me' },
  billingInformation: { emailRecipients: ['a@acme.com', 'A@acme.com'] },
  aliases: ['ok', 'bad\u0000'],
  datedAliases: [{ value: '' }, { value: 'ok' }],
  settings: [{ id: 's', namespace: 'n', name: 'n', dataType: 'NUMERIC', value: 'x' }],
  tags: ['ok', ''],
  metadata: { '': 'v' },
  idempotencyKey: 'with space',
};

const issuePaths = [
  ['id'],
  ['name'],
  ['customerId'],
  ['invoiceCurrency'],
  ['netTermDays'],
  ['primaryEmail'],
  ['status'],
  ['address', 'country'],
  ['address', 'phoneNumber'],
  ['billingInformation', 'emailRecipients', '1'],
  ['aliases', '1'],
  ['datedAliases', '0', 'value'],
  ['datedAliases', '1', 'value'],
  ['settings', '0', 'value'],
  ['tags', '1'],
  ['metadata', ''],
  ['idempotencyKey'],
];

describe('createAccount with several invalid fields', () => {
  it('returns all issues at once', async () => {
    const client = await tenantWithCustomer(service);
    const found = issuesOf(await tryMutation(client, 'createAccount', accountInput(manyProblems))).map(
      (issue) => issue.path,
    );
    expect(found.toSorted()).toEqual(issuePaths.toSorted());
  });

  it('runs no statement', async () => {
    const client = await tenantWithCustomer(service);
    const texts = await service.statements(() =>
      tryMutation(client, 'createAccount', accountInput(manyProblems)),
    );
    expect(texts.filter((text) => !text.includes('api_keys'))).toEqual([]);
  });

  it('returns several issues of one value', async () => {
    const client = await tenantWithCustomer(service);
    const problems = issuesOf(
      await tryMutation(client, 'createAccount', accountInput({ id: ` \u0007${'x'.repeat(50)}` })),
    );
    expect(problems).toEqual([
      { path: ['id'], code: 'TOO_LONG' },
      { path: ['id'], code: 'INVALID_FORMAT' },
      { path: ['id'], code: 'INVALID_FORMAT' },
    ]);
  });
});

describe('the message of an issue', () => {
  it.each([
    [{ name: ' ' }, 'name must have 1 to 255 characters, has 0'],
    [{ netTermDays: 366 }, 'netTermDays must be at most 365'],
    [{ address: { country: 'us' } }, 'address.country must be an ISO 3166-1 alpha-2 country code'],
    [{ aliases: ['a', 'a'] }, 'aliases.1 repeats the value of element 0'],
    [{ aliases: Array(11).fill('a') }, 'aliases must have at most 10 elements'],
    [{ metadata: { k: 1 } }, 'metadata.k must be a value of type string'],
  ])('describes the expected value of %j', async (fields, sentence) => {
    const client = await tenantWithCustomer(service);
    expect((await tryMutation(client, 'createAccount', accountInput(fields))).message).toContain(sentence);
  });
});

it.each(['0000-12-31T23:59:59Z', '0000-01-01T00:00:00Z'])(
  'rejects the instant %s, which is before the year 1',
  async (effectiveFrom) => {
    const client = await tenantWithCustomer(service);
    const result = await tryMutation(
      client,
      'createAccount',
      accountInput({ datedAliases: [{ value: 'a', effectiveFrom }] }),
    );
    expect(issuesOf(result)).toEqual([
      { path: ['datedAliases', '0', 'effectiveFrom'], code: 'INVALID_VALUE' },
    ]);
  },
);
