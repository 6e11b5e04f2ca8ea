import fc from 'fast-check';
import { vi } from 'vitest';
import { accountInput, customerInput } from './fixtures.ts';
import { type MutationName, sendMutation } from './mutations.ts';
import type { Client, Json } from './service.ts';

/** Random lives of accounts and customers, and what the API returns of each of their versions. */

export const accountIds = ['A1', 'A2', 'A3'];
export const customerIds = ['C1', 'C2', 'C3'];

/** The instant at which a life begins. */
export const beginning = Date.UTC(2030, 0, 1);
/** Instants before, within and after a life, at which aliases start and end. */
const grid = [-10_000, 0, 1, 4_000, 9_000, 20_000, 9_000_000].map((ms) =>
  new Date(beginning + ms).toISOString(),
);

/** A mutation, how much later than the one before it is sent, and by how much the clock of its replica is wrong. */
export interface Act {
  name: MutationName;
  input: Json;
  afterMs: number;
  skewMs: number;
}

const account = fc.constantFrom(...accountIds);
const customer = fc.constantFrom(...customerIds);
const value = fc.constantFrom('v1', 'v2', '__proto__', 'a.b@c.example');
const edge = fc.option(fc.constantFrom(...grid), { nil: undefined });
/** Mostly now. */
const rarely = fc.option(fc.constantFrom(...grid), { nil: undefined, freq: 1 });
const orNull = <T>(...values: T[]) => fc.constantFrom(null, ...values);
const address = { city: 'Ulm', country: 'DE' };
const metadata = orNull<Json>({}, { a: '1' }, { a: '2', constructor: 'c' });

/** Draws some of the fields, each present or absent. */
function some(fields: Record<string, fc.Arbitrary<Json>>, always: Record<string, fc.Arbitrary<Json>>) {
  return fc.record({ ...fields, ...always }, { requiredKeys: Object.keys(always) });
}

const accountFields = {
  name: fc.constantFrom('One', 'Two'),
  invoiceCurrency: orNull('EUR', 'USD'),
  netTermDays: orNull(0, 7),
  primaryEmail: orNull('a@b.co', 'c@d.co'),
  address: orNull<Json>(address, { city: 'Bonn' }),
  billingInformation: orNull<Json>({}, { emailRecipients: ['x@y.co'] }),
  tags: orNull([], ['t'], ['t', 'u']),
  metadata,
};
const customerFields = {
  name: fc.constantFrom('One', 'Two'),
  primaryEmail: fc.constantFrom('a@b.co', 'c@d.co'),
  address: fc.constantFrom<Json>(address, { line1: 'Main Street' }),
  metadata,
};
const settingKey = fc.constantFrom({ namespace: 'n', id: 's' }, { namespace: 'n.s', id: '__proto__' });
const setting = fc
  .tuple(settingKey, fc.constantFrom('1', '2'), fc.constantFrom('STRING', 'NUMERIC'))
  .map(([key, text, dataType]) => ({ ...key, name: 'Setting', dataType, value: text }));
const owner = fc.oneof(
  account.map((accountId) => ({ accountId })),
  customer.map((customerId) => ({ customerId })),
);
const settings = fc.uniqueArray(setting, { minLength: 1, maxLength: 2, selector: ({ id }) => id });
const datedAliases = fc
  .record({ value, effectiveFrom: edge, effectiveUntil: edge })
  .filter(({ effectiveFrom: from, effectiveUntil: until }) => !from || !until || from < until)
  .map((alias) => [alias]);
const plainAliases = fc.uniqueArray(value, { minLength: 1, maxLength: 3 });

/** Returns a mutation for `fc.oneof`. */
function mutation(weight: number, name: MutationName, input: fc.Arbitrary<Json>) {
  return { weight, arbitrary: input.map((one): [MutationName, Json] => [name, one]) };
}

const drawn = fc.oneof(
  mutation(6, 'updateAccount', some(accountFields, { id: account })),
  mutation(4, 'updateCustomer', some(customerFields, { id: customer })),
  mutation(
    4,
    'putSettings',
    fc.tuple(owner, settings).map(([of, all]) => ({ ...of, settings: all })),
  ),
  mutation(
    3,
    'removeSettings',
    fc.tuple(owner, settingKey).map(([of, key]) => ({ ...of, settings: [key] })),
  ),
  mutation(5, 'addAliases', fc.record({ accountId: account, datedAliases })),
  mutation(3, 'addAliases', fc.record({ accountId: account, aliases: plainAliases })),
  mutation(
    6,
    'removeAliases',
    fc.record({ accountId: account, aliases: value.map((one) => [one]), effectiveUntil: rarely }),
  ),
  mutation(6, 'transferAlias', fc.record({ toAccountId: account, alias: value, effectiveFrom: rarely })),
  mutation(1, 'archiveAccount', fc.record({ id: account })),
  mutation(5, 'restoreAccount', fc.record({ id: account })),
  mutation(5, 'revertAccount', fc.record({ id: account, toVersion: fc.integer({ min: 1, max: 8 }) })),
  mutation(1, 'archiveCustomer', fc.record({ id: customer })),
  mutation(3, 'restoreCustomer', fc.record({ id: customer })),
);

const act: fc.Arbitrary<Act> = fc
  .tuple(drawn, fc.constantFrom(0, 1, 800, 3_000), fc.constantFrom(0, 0, -2_000, 2_500))
  .map(([[name, input], afterMs, skewMs]) => ({ name, input, afterMs, skewMs }));

export const lives = fc.array(act, { minLength: 20, maxLength: 50, size: 'max' });

export const ownFields = {
  Account: `id nodeId name status customerId invoiceCurrency netTermDays primaryEmail tags metadata version createdAt
    updatedAt address { phoneNumber line1 line2 postalCode city state country }
    billingInformation { emailRecipients additionalEmailRecipients } settings { namespace id name dataType value }
    ${grid.map((on, n) => `on${n}: aliases(effectiveOn: "${on}") { value effectiveFrom effectiveUntil createdAt }`).join(' ')}`,
  Customer: `id nodeId name status primaryEmail billingAddress metadata version createdAt updatedAt
    address { phoneNumber line1 line2 postalCode city state country } settings { namespace id name dataType value }`,
};

const readDocument = `{
  ${accountIds.map((id) => `${id}: account(id: "${id}") { ...A aliasTimeline(first: 100) { nodes { value effectiveFrom effectiveUntil createdAt } } }`).join(' ')}
  ${customerIds.map((id) => `${id}: customer(id: "${id}") { ...C }`).join(' ')}
} fragment A on Account { ${ownFields.Account} } fragment C on Customer { ${ownFields.Customer} }`;

/** What the API returned of a version directly after its change. */
export interface Version {
  shown: Json;
  /** All spans of its aliases. */
  spans: Json[];
  /** The instant and the id of the request that wrote it. */
  at: number;
  requestId: string;
}

/** The versions of each entity, oldest first. */
export type Life = Map<string, Version[]>;

const beginningActs: Act[] = [
  ['createCustomer', customerInput({ id: 'C1' })] as const,
  ['createAccount', accountInput({ id: 'A1', aliases: ['v1'] })] as const,
  ['createCustomer', customerInput({ id: 'C2', account: { id: 'A2', name: 'First' } })] as const,
  ['createAccount', accountInput({ id: 'A3', aliases: ['v2', 'a.b@c.example', 'A3'] })] as const,
  ['createCustomer', customerInput({ id: 'C3' })] as const,
].map(([name, input]) => ({ name, input, afterMs: 1, skewMs: name === 'createCustomer' ? 1_500 : 0 }));

/** Sends the mutations of a life, and returns what the API returns after each. Sets the clock of the process. */
export async function live(client: Client, acts: readonly Act[]): Promise<Life> {
  const life: Life = new Map([...accountIds, ...customerIds].map((id) => [id, []]));
  let time = beginning;
  for (const [index, { name, input, afterMs, skewMs }] of [...beginningActs, ...acts].entries()) {
    time += afterMs;
    vi.setSystemTime(time + skewMs);
    const requestId = `act-${index}`;
    const { errors } = await sendMutation(client, name, input, { 'x-request-id': requestId });
    if (errors !== undefined) throw new Error(JSON.stringify([name, input, errors]));
    const { data } = await client.send(readDocument);
    for (const [id, versions] of life) {
      const { aliasTimeline, ...shown } = data[id] ?? {};
      if (shown.version === undefined || shown.version === versions.length) continue;
      if (shown.version !== versions.length + 1) throw new Error(`${id} skips a version.`);
      versions.push({ shown, spans: aliasTimeline?.nodes ?? [], at: time + skewMs, requestId });
    }
  }
  return life;
}
