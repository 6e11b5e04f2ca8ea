import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const size = 4000;
let client: Client;

const span = `'-infinity', 'infinity', now()`;
const inserts = (tenant: number) => [
  `insert into customers (tenant_id, id, node_id, name, status, primary_email, metadata, version, created_at, updated_at)
    select ${tenant}, 'C-' || n, uuidv7(), 'Customer', 'ACTIVE', 'a@b.co', '{}', 1, now(), now() from generate_series(1, ${size}) n`,
  `insert into accounts (tenant_id, id, node_id, customer_id, name, status, tags, metadata, version, created_at, updated_at)
    select ${tenant}, 'A-' || n, uuidv7(), 'C-' || n, 'Account', 'ACTIVE', '{}', '{}', 1, now(), now() from generate_series(1, ${size}) n`,
  `insert into aliases select ${tenant}, 'A-' || n, 'A-' || n, ${span} from generate_series(1, ${size}) n`,
  `insert into aliases select ${tenant}, 'alias-' || n, 'A-' || n, ${span} from generate_series(1, ${size}) n`,
  `insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
    select ${tenant}, 'ACCOUNT', 'A-' || n, 'n', 's', 'Setting', 'STRING', 'v' from generate_series(1, ${size}) n`,
  ...['null', "'A-' || n"].map(
    (
      account,
    ) => `insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, after)
    select ${tenant}, uuidv7(), 'C-' || n, ${account}, 'ACCOUNT_CREATED', now(), 'key_x', 'r', 1,
      '{"name": "Name", "status": "ACTIVE", "primaryEmail": "a@b.co", "tags": [], "metadata": {}}' from generate_series(1, ${size}) n`,
  ),
  ...['ACCOUNT', 'CUSTOMER'].map(
    (
      type,
    ) => `insert into history_snapshots select ${tenant}, '${type}', ${type === 'ACCOUNT' ? "'A-'" : "'C-'"} || n, 100, '2500-01-01',
      '{"fields":[],"aliases":[],"settings":[]}' from generate_series(1, ${size}) n`,
  ),
  'vacuum analyze',
];

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  for (const insert of inserts(client.tenantId)) await service.database.orm.execute(sql.raw(insert));
});

/** Returns the generic query plans of the statements of a document. */
async function plansOf(document: string, variables: object, count: number): Promise<string> {
  const { database } = service;
  const run = vi.spyOn(database, 'run');
  expect((await client.send(document, variables)).errors).toBeUndefined();
  const built = run.mock.calls.map(([statement]) => statement.build(database.orm));
  run.mockRestore();
  const texts = built.map((query) => query.prepare('').getQuery().sql);
  const own = texts.filter((one) => !/api_keys|feed_state|webhook_endpoints/.test(one));
  expect(own, own.join('\n')).toHaveLength(count);
  const plans = await Promise.all(
    own.map((text) => database.orm.execute(sql.raw(`explain (generic_plan) ${text}`))),
  );
  return plans
    .flat()
    .map((row) => row['QUERY PLAN'])
    .join('\n');
}

const whole = 'id name customer { name } aliases { value } settings { value }';

describe('the query plan', () => {
  it.each([
    ['an account', `query($id: ID!) { account(id: $id) { ${whole} } }`, { id: 'A-7' }],
    [
      'an account by its alias',
      `query($a: String!) { accountByAlias(alias: $a) { ${whole} } }`,
      { a: 'alias-7' },
    ],
    [
      'a page of the feed',
      'query($filter: ChangeFilter) { changes(filter: $filter) { nodes { kind } } }',
      { filter: { accountId: 'A-7' } },
    ],
    ['the first page', `query($n: Int!) { accounts(first: $n) { nodes { ${whole} } } }`, { n: 50 }],
    ['the last page', `query($n: Int!) { accounts(last: $n) { nodes { ${whole} } } }`, { n: 50 }],
    [
      '100 entities',
      `query($all: [_Any!]!) { _entities(representations: $all) { ... on Account { ${whole} } } }`,
      { all: Array.from({ length: 100 }, (_, n) => ({ __typename: 'Account', id: `A-${n + 1}` })) },
    ],
    [
      'updateAccount',
      'mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename } }',
      { input: { id: 'A-7', name: 'Changed', idempotencyKey: 'update' } },
    ],
    [
      'createAccount',
      'mutation($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }',
      {
        input: {
          id: 'new',
          name: 'New',
          customerId: 'C-7',
          aliases: ['new-alias'],
          idempotencyKey: 'create',
        },
      },
    ],
    [
      'createCustomers',
      'mutation($inputs: [CreateCustomerInput!]!) { createCustomers(inputs: $inputs) { __typename } }',
      {
        inputs: [
          {
            id: 'new',
            name: 'New',
            primaryEmail: 'a@b.example',
            address: { country: 'US' },
            account: { id: 'first', name: 'First', aliases: ['first-alias'] },
            idempotencyKey: 'create-customers',
          },
        ],
      },
    ],
    [
      'an account and its customer as of an instant',
      `query($id: ID!, $asOf: DateTime) { account(id: $id, asOf: $asOf) { ${whole} } }`,
      { id: 'A-7', asOf: '2100-01-01T00:00:00Z' },
      2,
    ],
    [
      'the diffs of a customer',
      'query($id: ID!, $from: DateTime!) { customer(id: $id) { diff(from: $from) { field actor } } }',
      { id: 'C-7', from: '2000-01-01T00:00:00Z' },
      3,
    ],
    [
      'the diffs of an account',
      'query($id: ID!, $from: DateTime!) { account(id: $id) { diff(from: $from) { field actor } } }',
      { id: 'A-7', from: '2000-01-01T00:00:00Z' },
      3,
    ],
  ] as [string, string, object, number?][])(
    'has no sequential scan for %s',
    async (_, document, variables, count = 1) => {
      const plans = await plansOf(document, variables, count);
      expect(plans).not.toMatch(
        /Seq Scan on (accounts|customers|aliases|settings|changes|feed|history_snapshots)\b/,
      );
    },
  );

  it('finds the versions of an account by their index', async () => {
    const document = 'query($asOf: DateTime) { account(id: "A-7", asOf: $asOf) { name } }';
    const plan = await plansOf(document, { asOf: '2020-01-01T00:00:00Z' }, 1);
    const scans = plan.match(/(?<=Index Scan.* using )\w+ on \w+/g) ?? [];
    expect(scans.toSorted()).toEqual([
      'accounts_pkey on accounts',
      'changes_account_version_key on changes',
      'changes_account_version_key on changes',
      'history_snapshots_pkey on history_snapshots',
    ]);
  });
});
