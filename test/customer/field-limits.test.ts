import { describe, expect, it } from 'vitest';
import { rowCounts } from '../support/database.ts';
import {
  type Accepted,
  badAddresses,
  badEmails,
  badIdentifiers,
  badMetadata,
  badNames,
  goodAddresses,
  goodEmails,
  goodIdentifiers,
  goodMetadata,
  goodNames,
  type Refused,
  x,
} from '../support/field-limits.ts';
import { createCustomer, customerInput } from '../support/fixtures.ts';
import { sendMutation, tryMutation } from '../support/mutations.ts';
import { expectAlive, expectNoInternals, expectRequestError, issuesOf } from '../support/refusal.ts';
import { useService } from '../support/service.ts';
import { badSettings, goodSettings } from '../support/setting-field-limits.ts';

const service = useService();
const nothing = { customers: 0, accounts: 0, aliases: 0, settings: 0, changes: 0, idempotency_records: 0 };

const accepted: Accepted[] = [
  ...goodIdentifiers('id', (id) => ({ id })),
  ...goodNames,
  ...goodEmails,
  ...goodAddresses,
  ...goodMetadata,
  ...goodSettings,
];

it.each(accepted)('creates a customer with %s', async (_, fields) => {
  const client = await service.newTenant();
  expect(await createCustomer(client, fields)).toMatchObject(fields);
});

/** Returns the same case for the first account of a customer. */
const inAccount = ([what, fields, path, code]: Refused): Refused => [
  `a first account with ${what}`,
  { account: { id: 'A1', name: 'First', ...fields } },
  ['account', ...path],
  code,
];

const refused: Refused[] = [
  ...badIdentifiers('id', (id) => ({ id }), ['id']),
  ...badNames,
  ...badEmails,
  ...badAddresses,
  ...badMetadata,
  ...badSettings,
  ['an empty address', { address: {} }, ['address'], 'REQUIRED'],
  ['an address of empty parts', { address: { city: '', country: null } }, ['address'], 'REQUIRED'],
  ['a key of 256 characters', { idempotencyKey: x(256) }, ['idempotencyKey'], 'INVALID_FORMAT'],
  ...badIdentifiers('id', (id) => ({ id }), ['id']).map(inAccount),
  ...badNames.map(inAccount),
  inAccount(['an alias twice', { aliases: ['a', 'a'] }, ['aliases', '1'], 'DUPLICATE']),
  inAccount(['a currency in lower case', { invoiceCurrency: 'usd' }, ['invoiceCurrency'], 'INVALID_VALUE']),
  inAccount(['the status ARCHIVED', { status: 'ARCHIVED' }, ['status'], 'INVALID_VALUE']),
];

describe('createCustomer', () => {
  it.each(refused)('writes nothing and returns the path and code for %s', async (_, fields, path, code) => {
    const client = await service.newTenant();
    const result = await tryMutation(
      client,
      'createCustomer',
      customerInput({ idempotencyKey: 'k', ...fields }),
    );
    expect(issuesOf(result)).toEqual([{ path, code }]);
    expectNoInternals({ data: result, errors: undefined });
    expect(await rowCounts(service, client)).toEqual(nothing);
    await expectAlive(client);
  });
});

it.each([
  ['null as the customer', null],
  ['a customer without an id', customerInput({ id: undefined })],
  ['a customer without a name', customerInput({ name: undefined })],
  ['a customer without an email', customerInput({ primaryEmail: undefined })],
  ['a customer without an address', customerInput({ address: undefined })],
  ['a customer whose address is null', customerInput({ address: null })],
  ['an unknown field of a customer', customerInput({ status: 'ACTIVE' })],
  ['a first account that is a string', customerInput({ account: 'A1' })],
  ['a first account without a name', customerInput({ account: { id: 'A1' } })],
])('returns BAD_REQUEST and writes nothing for %s', async (_, input) => {
  const client = await service.newTenant();
  expectRequestError(await sendMutation(client, 'createCustomer', input), 400, 'BAD_REQUEST');
  expect(await rowCounts(service, client)).toEqual(nothing);
});

it('returns all issues of a customer and its first account at once', async () => {
  const client = await service.newTenant();
  const result = await tryMutation(
    client,
    'createCustomer',
    customerInput({
      id: '',
      name: ' ',
      primaryEmail: 'x',
      address: {},
      account: { id: ' ', name: '', aliases: ['a', 'a'], datedAliases: [{ value: 'a' }] },
    }),
  );
  const paths = issuesOf(result).map(({ path }) => path.join('.'));
  expect(paths.toSorted()).toEqual([
    'account.aliases.1',
    'account.datedAliases.0.value',
    'account.id',
    'account.name',
    'address',
    'id',
    'name',
    'primaryEmail',
  ]);
});
