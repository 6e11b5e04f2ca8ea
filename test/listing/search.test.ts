import { fillPlaceholders, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();

async function search(client: Client, text: string): Promise<string[]> {
  const document =
    'query($text: String!) { accounts(filter: { search: $text }, orderBy: { field: ID, direction: ASC }) { totalCount nodes { id } } }';
  const { data, errors } = await client.send(document, { text });
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  expect(data.accounts.totalCount).toBe(data.accounts.nodes.length);
  return data.accounts.nodes.map(({ id }: Json) => id);
}

/** Creates a tenant whose accounts have these names. */
async function tenantWithNames(...names: string[]): Promise<Client> {
  const client = await tenantWithCustomer(service);
  for (const [index, name] of names.entries()) await createAccount(client, { id: `n${index}`, name });
  return client;
}

describe('a search', () => {
  it('matches the id, name, primary email and aliases in any case', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'ACC-One', name: 'First' });
    await createAccount(client, { id: 'b', name: 'Globex Billing' });
    await createAccount(client, { id: 'c', name: 'Third', primaryEmail: 'Jane.Doe@Initech.com' });
    await createAccount(client, { id: 'd', name: 'Fourth', aliases: ['Device-42'] });
    expect(await search(client, 'acc-one')).toEqual(['ACC-One']);
    expect(await search(client, 'C-ONE')).toEqual(['ACC-One']);
    expect(await search(client, 'LOBEX b')).toEqual(['b']);
    expect(await search(client, 'doe@init')).toEqual(['c']);
    expect(await search(client, 'device-42')).toEqual(['d']);
    expect(await search(client, ' VICE ')).toEqual(['d']);
    expect(await search(client, 'nothing')).toEqual([]);
  });

  it('matches only aliases that are in force now', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, {
      id: 'a',
      datedAliases: [
        { value: 'past-name', effectiveUntil: '2020-01-01T00:00:00Z' },
        { value: 'future-name', effectiveFrom: '2990-01-01T00:00:00Z' },
        {
          value: 'present-name',
          effectiveFrom: '2020-01-01T00:00:00Z',
          effectiveUntil: '2990-01-01T00:00:00Z',
        },
      ],
    });
    expect(await search(client, 'past-name')).toEqual([]);
    expect(await search(client, 'future-name')).toEqual([]);
    expect(await search(client, 'present-name')).toEqual(['a']);
  });

  it('matches %, _ and \\ literally', async () => {
    const client = await tenantWithNames('100% sure', '1000 sure', 'a_b_c', 'axbxc', 'back\\slash', '%_\\');
    expect(await search(client, '100%')).toEqual(['n0']);
    expect(await search(client, 'a_b')).toEqual(['n2']);
    expect(await search(client, '%sure')).toEqual([]);
    expect(await search(client, 'back\\s')).toEqual(['n4']);
    for (const text of ['%', '%_', '%_\\']) expect(await search(client, text)).toEqual(['n5']);
  });

  it('matches fewer than three letters or digits in a row only at the beginning of a value', async () => {
    const client = await tenantWithNames(
      'Acme',
      'Zebra',
      'Tacit',
      '日本商事',
      '株式会社日本',
      '🦊 fox',
      '--- x',
    );
    await createAccount(client, { id: 'x', name: 'Other', aliases: ['Ac-1'], primaryEmail: 'zz@a.co' });
    expect(await search(client, 'ac')).toEqual(['n0', 'x']);
    expect(await search(client, 'Z')).toEqual(['n1', 'x']);
    expect(await search(client, 'n1')).toEqual(['n1']);
    expect(await search(client, 'AC-')).toEqual(['x']);
    expect(await search(client, 'zz@A.')).toEqual(['x']);
    expect(await search(client, '日本')).toEqual(['n3']);
    expect(await search(client, '株')).toEqual(['n4']);
    expect(await search(client, '🦊')).toEqual(['n5']);
    expect(await search(client, '--')).toEqual(['n6']);
    expect(await search(client, '%%')).toEqual([]);
  });

  it('matches three letters or digits in a row anywhere, in any script', async () => {
    const client = await tenantWithNames('株式会社日本', 'ÅNGSTRÖM AB', 'Иванов и Ко', 'हिन्दी कंपनी');
    expect(await search(client, '社日本')).toEqual(['n0']);
    expect(await search(client, 'ström')).toEqual(['n1']);
    expect(await search(client, 'ÅNG')).toEqual(['n1']);
    expect(await search(client, 'ВАН')).toEqual(['n2']);
    expect(await search(client, 'कंप')).toEqual(['n3']);
  });

  it('does not match across two values', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'left', name: 'right', primaryEmail: 'mail@x.co' });
    for (const text of ['leftright', 'rightmail', 'left right'])
      expect(await search(client, text)).toEqual([]);
  });
});

/** Returns the query plans of the page and the count of a search. */
async function plansOf(client: Client, text: string): Promise<Json[]> {
  const { database, connection } = service;
  const run = vi.spyOn(database, 'run');
  await search(client, text);
  const calls = run.mock.calls.filter(([{ name }]) => name.includes('search'));
  run.mockRestore();
  const options = { ...connection, max: 1, connection: { plan_cache_mode: 'force_generic_plan' } };
  const driver = postgres(options as never);
  // Makes the driver send values unchanged.
  drizzle(driver);
  const plans = calls.map(async ([statement, values]) => {
    const query = statement.build(database.orm).prepare('').getQuery();
    const given = fillPlaceholders(query.params, { ...values, tenantId: client.tenantId });
    const [row] = await driver.unsafe(`explain (analyze, format json) ${query.sql}`, given as never[]);
    return row?.['QUERY PLAN'][0].Plan;
  });
  const answers = await Promise.all(plans);
  await driver.end();
  return answers;
}

function nodesOf(plan: Json): Json[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

describe('a search in many accounts', () => {
  const size = 3000;
  let client: Client;
  beforeAll(async () => {
    client = await tenantWithCustomer(service);
    const { tenantId } = client;
    // Every row has words that begin with e, c and 本, but no value does. The account to find is old.
    await service.database.orm.execute(sql`
      insert into accounts (tenant_id, id, node_id, customer_id, name, status, primary_email, tags, metadata, version, created_at, updated_at)
      select ${tenantId}, 'A-' || n, gen_random_uuid(), 'C1', 'Account of 本社 ' || n, 'ACTIVE', 'pay@example.com', '{}', '{}', 1, now(),
        now() + n * interval '1 second' from generate_series(1, ${size}::integer) n`);
    await service.database.orm.execute(sql`
      insert into aliases select ${tenantId}, 'device-' || n, 'A-' || n, '-infinity', 'infinity', now()
      from generate_series(1, ${size}::integer) n`);
    await createAccount(client, { id: 'old', name: '日本商事', aliases: ['🦊', '%%x'] });
    await service.database.orm.execute(sql`update accounts set updated_at = '2020-01-01' where id = 'old'`);
    await service.database.orm.execute(sql`vacuum analyze accounts, aliases`);
  });

  it.each([
    ...[
      ['日', 1],
      ['日本', 1],
      ['本商事', 1],
      ['🦊', 1],
      ['%%', 1],
      ['OL', 1],
    ],
    ...[
      ['e', 0],
      ['c', 0],
      ['ex', 0],
      ['本', 0],
      ['本社', 0],
      ['--', 0],
      ['é', 0],
      ['@', 0],
      ['e-', 0],
    ],
  ] as const)('uses an index and reads few rows for %s', async (text, found) => {
    expect(await search(client, text)).toHaveLength(found);
    const plans = await plansOf(client, text);
    expect(plans).toHaveLength(2);
    for (const plan of plans) {
      const scans = nodesOf(plan).filter(
        (node) => /_(filter|search)_idx/.test(node['Index Name']) && node['Actual Loops'] > 0,
      );
      expect(scans.length).toBeGreaterThan(0);
      for (const scan of scans) expect(scan['Actual Rows']).toBeLessThan(10);
    }
  });
});
