import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { changesOf, writesNothing } from '../support/database.ts';
import {
  accountInput,
  customerInput,
  setting,
  tenantWithEverything,
  useSharedTenant,
} from '../support/fixtures.ts';
import { mutationCases, refusalsOf } from '../support/mutation-cases.ts';
import {
  type MutationName,
  mutate,
  resultOf,
  sendMutation,
  tryCreateAccounts,
  tryMutation,
} from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

const future = '2900-01-01T00:00:00.000Z';
const span = (value: string, effectiveFrom: string | null = null, effectiveUntil: string | null = null) => ({
  value,
  effectiveFrom,
  effectiveUntil,
});
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** Sends a mutation and returns the response and the history entries that it adds. */
async function historyOf(client: Client, name: MutationName, input: object) {
  const before = (await changesOf(service, client)).length;
  const answer = await sendMutation(client, name, input);
  return { answer, changes: (await changesOf(service, client)).slice(before) };
}

type Recorded = [kind: string, accountId: string | null, customerId: string, before: Json, after: Json];

const now = (value: string, effectiveUntil: string | null = null) => ({
  ...span(value, null, effectiveUntil),
  effectiveFrom: instant,
});
const ended = (value: string) => ({ ...span(value), effectiveUntil: instant });

/** The history entries of each mutation. */
const recorded: [name: MutationName, input: object, ...changes: Recorded[]][] = [
  ['createCustomer', customerInput({ id: 'C9' }), ['CUSTOMER_CREATED', null, 'C9', null, expect.anything()]],
  [
    'createCustomer',
    customerInput({ id: 'C9', account: { id: 'A9', name: 'First' } }),
    ['CUSTOMER_CREATED', null, 'C9', null, expect.objectContaining({ name: 'Acme', settings: [] })],
    ['ACCOUNT_CREATED', 'A9', 'C9', null, expect.objectContaining({ name: 'First', aliases: [] })],
  ],
  [
    'createAccounts',
    accountInput({ id: 'A9' }),
    ['ACCOUNT_CREATED', 'A9', 'C1', null, expect.objectContaining({ name: 'Main account' })],
  ],
  [
    'updateCustomer',
    { id: 'C1', name: 'New name', primaryEmail: 'a@acme.com', address: { city: 'Ulm' } },
    [
      'CUSTOMER_UPDATED',
      null,
      'C1',
      { name: 'Acme', addressCountry: 'US', addressCity: null },
      { name: 'New name', addressCountry: null, addressCity: 'Ulm' },
    ],
  ],
  [
    'archiveCustomer',
    { id: 'C2' },
    ['CUSTOMER_ARCHIVED', null, 'C2', { status: 'ACTIVE' }, { status: 'ARCHIVED' }],
  ],
  [
    'restoreCustomer',
    { id: 'C3' },
    ['CUSTOMER_RESTORED', null, 'C3', { status: 'ARCHIVED' }, { status: 'ACTIVE' }],
  ],
  [
    'updateAccount',
    { id: 'A1', name: 'Main account', netTermDays: 7, tags: ['t'], billingInformation: {} },
    [
      'ACCOUNT_UPDATED',
      'A1',
      'C1',
      { netTermDays: null, tags: [], emailRecipients: null, additionalEmailRecipients: null },
      { netTermDays: 7, tags: ['t'], emailRecipients: [], additionalEmailRecipients: [] },
    ],
  ],
  [
    'archiveAccount',
    { id: 'A1' },
    [
      'ACCOUNT_ARCHIVED',
      'A1',
      'C1',
      { status: 'ACTIVE', aliases: [span('x'), span('y')] },
      { status: 'ARCHIVED', aliases: [ended('x'), ended('y')] },
    ],
  ],
  [
    'restoreAccount',
    { id: 'A3' },
    [
      'ACCOUNT_RESTORED',
      'A3',
      'C1',
      { status: 'ARCHIVED', aliases: [] },
      { status: 'ACTIVE', aliases: [now('old')] },
    ],
  ],
  [
    'addAliases',
    { accountId: 'A1', aliases: ['v', 'A1'], datedAliases: [span('w', null, future)] },
    ['ALIASES_ADDED', 'A1', 'C1', { aliases: [] }, { aliases: [span('v'), span('w', null, future)] }],
  ],
  [
    'removeAliases',
    { accountId: 'A1', aliases: ['x'], effectiveUntil: future },
    ['ALIASES_REMOVED', 'A1', 'C1', { aliases: [span('x')] }, { aliases: [span('x', null, future)] }],
  ],
  [
    'transferAlias',
    { alias: 'x', toAccountId: 'A2', effectiveFrom: future },
    ['ALIAS_TRANSFERRED', 'A1', 'C1', { aliases: [span('x')] }, { aliases: [span('x', null, future)] }],
    ['ALIAS_TRANSFERRED', 'A2', 'C1', { aliases: [] }, { aliases: [span('x', future)] }],
  ],
  [
    'putSettings',
    { accountId: 'A1', settings: [setting('s', { value: 'w' }), setting('u')] },
    [
      'SETTINGS_PUT',
      'A1',
      'C1',
      { settings: [setting('s')] },
      { settings: [setting('s', { value: 'w' }), setting('u')] },
    ],
  ],
  [
    'putSettings',
    { customerId: 'C1', settings: [setting('s')] },
    ['SETTINGS_PUT', null, 'C1', { settings: [] }, { settings: [setting('s')] }],
  ],
  [
    'removeSettings',
    { accountId: 'A1', settings: [{ namespace: 'n', id: 's' }] },
    ['SETTINGS_REMOVED', 'A1', 'C1', { settings: [setting('s')] }, { settings: [] }],
  ],
];

describe.concurrent('the history of a mutation', () => {
  it.each(recorded)('has one entry for each entity that %s %j changes', async (name, input, ...expected) => {
    const client = await tenantWithEverything(service);
    const { answer, changes } = await historyOf(client, name, input);
    const result = resultOf(answer, name);
    const { updatedAt } = result.account ?? result.customer;
    const rows = expected.map(([kind, account_id, customer_id, before, after]) => ({
      kind,
      account_id,
      customer_id,
      before,
      after,
      at: updatedAt,
      actor: expect.stringMatching(/^key_[0-9a-z]{26}$/),
      request_id: answer.headers.get('x-request-id'),
      version: expect.any(Number),
    }));
    expect(changes.map((row) => ({ ...row, at: new Date(row.at).toISOString() }))).toEqual(rows);
    const last = changes.find((row) =>
      result.account ? row.account_id === result.account.id : !row.account_id,
    );
    expect(last?.version).toBe((result.account ?? result.customer).version);
  });
});

describe.concurrent('the history of a rejected mutation', () => {
  const tenant = useSharedTenant(() => tenantWithEverything(service));

  it.each(mutationCases)('has no entry for $name', async (one) => {
    const { client } = tenant;
    for (const input of [...refusalsOf(one), { ...one.input, idempotencyKey: 'a b' }]) {
      const send = () => tryMutation(client, one.name, input);
      expect(await writesNothing(service, [client], send)).toMatchObject({ code: expect.any(String) });
    }
  });
});

it('records the request id that the caller sent', async () => {
  const client = await tenantWithEverything(service);
  await sendMutation(client, 'archiveAccount', { id: 'A1' }, { 'x-request-id': 'req-7' });
  expect((await changesOf(service, client)).at(-1)).toMatchObject({ request_id: 'req-7' });
});

it('records each created account of a batch with the same request id', async () => {
  const client = await tenantWithEverything(service);
  const before = (await changesOf(service, client)).length;
  await tryCreateAccounts(client, [
    accountInput({ id: 'B1' }),
    accountInput({ id: 'A1' }),
    accountInput({ id: 'B2' }),
  ]);
  const changes = (await changesOf(service, client)).slice(before);
  expect(changes.map((row) => row.account_id).toSorted()).toEqual(['B1', 'B2']);
  expect(new Set(changes.map((row) => row.request_id)).size).toBe(1);
});

it('records every version of an account without a gap', async () => {
  const client = await tenantWithEverything(service);
  const id = 'A1';
  const life: [MutationName, object][] = [
    ['updateAccount', { id, name: 'Second' }],
    ['addAliases', { accountId: id, aliases: ['v'] }],
    ['updateAccount', { id, name: 'Third', netTermDays: 3 }],
    ['putSettings', { accountId: id, settings: [setting('u')] }],
    ['archiveAccount', { id }],
    ['restoreAccount', { id }],
    ['transferAlias', { alias: 'v', toAccountId: 'A2' }],
    ['updateAccount', { id, name: 'Fourth' }],
  ];
  for (const [name, input] of life) await mutate(client, name, input);
  const rows = (await changesOf(service, client)).filter((row) => row.account_id === id);
  expect(rows.map((row) => row.version)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const fields: Record<string, Json> = { ...rows[0].after };
  for (const { before, after } of rows.slice(1)) {
    for (const field of ['name', 'status', 'netTermDays']) {
      if (field in before) expect(fields[field] ?? null).toEqual(before[field]);
    }
    Object.assign(fields, after);
  }
  expect(fields).toMatchObject({ name: 'Fourth', status: 'ACTIVE', netTermDays: 3 });
});

it.each([
  ['update', sql`update changes set kind = 'ACCOUNT_UPDATED'`],
  ['delete', sql`delete from changes`],
  ['truncate', sql`truncate changes cascade`],
])('rejects a %s of the history in the database', async (_, statement) => {
  const client = await tenantWithEverything(service);
  const attempt = async () => {
    await service.database.orm.execute(statement);
  };
  const cause = expect.objectContaining({ message: expect.stringContaining('changes is append-only') });
  await writesNothing(service, [client], () => expect(attempt()).rejects.toMatchObject({ cause }));
});
