import { fillPlaceholders, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
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
  it('matches the id, name, primary email, phone number, tags and aliases in any case', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'ACC-One', name: 'First' });
    await createAccount(client, { id: 'b', name: 'Globex Billing', tags: ['Prepaid plan'] });
    await createAccount(client, { id: 'c', name: 'Third', primaryEmail: 'Jane.Doe@Initech.com' });
    await createAccount(client, { id: 'd', name: 'Fourth', aliases: ['Device-42'] });
    await createAccount(client, { id: 'e', name: 'Fifth', address: { phoneNumber: '+1 (555) 010-9999' } });
    expect(await search(client, 'acc-one')).toEqual(['ACC-One']);
    expect(await search(client, 'C-ONE')).toEqual(['ACC-One']);
    expect(await search(client, 'LOBEX b')).toEqual(['b']);
    expect(await search(client, 'PLAN')).toEqual(['b']);
    expect(await search(client, 'doe@init')).toEqual(['c']);
    expect(await search(client, 'device-42')).toEqual(['d']);
    expect(await search(client, ' VICE ')).toEqual(['d']);
    for (const phone of ['5550109999', '+15550109999', '+1 (555)', '010-99']) {
      expect(await search(client, phone)).toEqual(['e']);
    }
    expect(await search(client, 'nothing')).toEqual([]);
  });

  it('matches each word anywhere in an account, in any order', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, {
      id: 'left',
      name: 'right',
      primaryEmail: 'mail@x.co',
      aliases: ['beside'],
    });
    await createAccount(client, { id: 'other', name: 'right' });
    for (const text of ['left right', 'right left', 'SIDE eft igh', 'beside\u3000x.co']) {
      expect(await search(client, text)).toEqual(['left']);
    }
    for (const text of ['leftright', 'rightmail', 'left other', 'right nothing']) {
      expect(await search(client, text)).toEqual([]);
    }
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
    expect(await search(client, 'present-name future-name')).toEqual([]);
  });

  it('follows every change of an account and its aliases', async () => {
    const client = await tenantWithCustomer(service);
    await createAccount(client, { id: 'a', name: 'Before', aliases: ['one', 'two'] });
    await createAccount(client, { id: 'b', name: 'Other' });
    await mutate(client, 'addAliases', { accountId: 'a', aliases: ['three'] });
    expect(await search(client, 'one two three')).toEqual(['a']);
    await mutate(client, 'removeAliases', { accountId: 'a', aliases: ['one'] });
    expect(await search(client, 'one')).toEqual([]);
    await mutate(client, 'transferAlias', { alias: 'two', toAccountId: 'b' });
    expect(await search(client, 'two')).toEqual(['b']);
    await mutate(client, 'updateAccount', {
      id: 'a',
      name: 'After',
      tags: ['new'],
      primaryEmail: 'x@y.example',
    });
    expect(await search(client, 'before')).toEqual([]);
    expect(await search(client, 'after new three y.example')).toEqual(['a']);
    await mutate(client, 'archiveAccount', { id: 'a' });
    expect(await search(client, 'three')).toEqual([]);
    await mutate(client, 'restoreAccount', { id: 'a' });
    expect(await search(client, 'three after')).toEqual(['a']);
    await mutate(client, 'addAliases', { accountId: 'b', aliases: ['one'] });
    expect(await search(client, 'one two')).toEqual(['b']);
  });

  it('matches %, _ and \\ literally', async () => {
    const client = await tenantWithNames('100% sure', '1000 sure', 'a_b_c', 'axbxc', 'back\\slash', '%_\\');
    expect(await search(client, '100%')).toEqual(['n0']);
    expect(await search(client, 'a_b')).toEqual(['n2']);
    expect(await search(client, '%sure')).toEqual([]);
    expect(await search(client, 'back\\s')).toEqual(['n4']);
    for (const text of ['%', '%_', '%_\\']) expect(await search(client, text)).toEqual(['n5']);
  });

  it('matches fewer than three characters at the beginning of any word', async () => {
    const client = await tenantWithNames(
      'Acme',
      'Zebra',
      'Tacit',
      'The 3M Company',
      'Smith-Jones & Co',
      '🦊 fox',
      '--- x',
    );
    await createAccount(client, { id: 'x', name: 'Other', aliases: ['Ac-1'], primaryEmail: 'zz@a.io' });
    expect(await search(client, 'ac')).toEqual(['n0', 'x']);
    expect(await search(client, 'Z')).toEqual(['n1', 'x']);
    expect(await search(client, 'n1')).toEqual(['n1']);
    expect(await search(client, 'AC-')).toEqual(['x']);
    expect(await search(client, 'zz@A.')).toEqual(['x']);
    expect(await search(client, '3m')).toEqual(['n3']);
    expect(await search(client, 'jo co')).toEqual(['n4']);
    expect(await search(client, 'jones & smith')).toEqual(['n4']);
    expect(await search(client, '🦊')).toEqual(['n5']);
    expect(await search(client, '--')).toEqual(['n6']);
    for (const text of ['%%', 'eb', 'io x zebra', "'"]) expect(await search(client, text)).toEqual([]);
  });

  it('matches characters of scripts without spaces anywhere', async () => {
    const client = await tenantWithNames(
      '日本商事',
      '株式会社日本商事',
      'ソフトバンク',
      '삼성전자',
      'Acme日本Ltd',
    );
    expect(await search(client, '日')).toEqual(['n0', 'n1', 'n4']);
    expect(await search(client, '日本商')).toEqual(['n0', 'n1']);
    expect(await search(client, '社日')).toEqual(['n1']);
    expect(await search(client, '本日')).toEqual([]);
    expect(await search(client, 'ﾊﾞﾝｸ')).toEqual(['n2']);
    expect(await search(client, '전')).toEqual(['n3']);
    expect(await search(client, 'e日本l')).toEqual(['n4']);
  });

  it('matches three letters or digits in a row anywhere, in any script', async () => {
    const client = await tenantWithNames('ÅNGSTRÖM AB', 'Иванов и Ко', 'हिन्दी कंपनी', 'شركة النور');
    expect(await search(client, 'ström')).toEqual(['n0']);
    expect(await search(client, 'ÅNG')).toEqual(['n0']);
    expect(await search(client, 'ВАН')).toEqual(['n1']);
    expect(await search(client, 'कंप')).toEqual(['n2']);
    expect(await search(client, 'नूर النور')).toEqual([]);
    expect(await search(client, 'نور')).toEqual(['n3']);
  });

  it.each([
    ['composed and decomposed letters', 'Café', 'Cafe\u0301'],
    ['letters with and without accents', 'Müller', 'muller'],
    ['letters without and with accents', 'Muller', 'MÜLLER'],
    ['a final sigma', 'ΟΔΟΣ', 'οδοσ'],
    ['a sigma that is not final', 'οδός', 'ΟΔΟΣ'],
    ['a dotted capital I', 'İstanbul', 'istanbul'],
    ['a dotless i', 'KADIKÖY', 'kadıköy'],
    ['a sharp s', 'Straße', 'STRASSE'],
    ['a no-break space', 'Acme\u00a0Ltd', 'acme ltd'],
    ['a soft hyphen', 'Soft\u00adware', 'software'],
    ['full width', 'ＡＢＣ１２３', 'abc123'],
    ['a ligature', 'ﬁnance', 'finance'],
    ['a typographic apostrophe', 'O’Brien', "O'Brien"],
    ['an apostrophe that is left out', "L'Oréal", 'loreal'],
    ['a modifier apostrophe', 'Hawaiʻi', 'hawaii'],
    ['an acute accent as an apostrophe', 'D´Arcy', "d'arcy"],
    ['letters with a stroke', 'Łódź Sønder', 'lodz sonder'],
    ['half-width katakana', 'ﾃｽﾄ会社', 'テスト'],
  ])('ignores the difference of %s', async (_, stored, asked) => {
    const client = await tenantWithNames(stored, 'Unrelated');
    expect(await search(client, asked)).toEqual(['n0']);
    expect(await search(client, stored)).toEqual(['n0']);
  });
});

it('filters by a tag in any spelling', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'a', tags: ['Großkunde', 'VIP kunde'] });
  await createAccount(client, { id: 'b', tags: ['other'] });
  const document = 'query($tag: String!) { accounts(filter: { tag: $tag }) { totalCount nodes { id } } }';
  for (const tag of ['GROSSKUNDE', 'ｖｉｐ kunde', 'vip\u00a0kunde', 'großkunde']) {
    const { data } = await client.send(document, { tag });
    expect(data.accounts).toEqual({ totalCount: 1, nodes: [{ id: 'a' }] });
  }
  const { data } = await client.send(document, { tag: 'kunde' });
  expect(data.accounts).toEqual({ totalCount: 0, nodes: [] });
});

/** Runs a search, and returns the query plans of its statements. */
async function plansOf(client: Client, text: string): Promise<Json[]> {
  const { database, connection } = service;
  const run = vi.spyOn(database, 'run');
  await client.send(
    'query($text: String!) { accounts(filter: { search: $text }) { totalCount nodes { id } } }',
    { text },
  );
  const calls = run.mock.calls.filter(([{ name }]) => name.includes('search'));
  run.mockRestore();
  const options = { ...connection, max: 1, connection: { plan_cache_mode: 'force_generic_plan' } };
  const driver = postgres(options as never);
  // Makes the driver send values unchanged.
  drizzle(driver);
  // Those that use the index have the number of words in their names.
  const plans = calls
    .toSorted(([a], [b]) => Number(/_words_/.test(a.name)) - Number(/_words_/.test(b.name)))
    .map(async ([statement, values]) => {
      const query = statement.build(database.orm).prepare('').getQuery();
      const given = fillPlaceholders(query.params, { ...values, tenantId: client.tenantId });
      const [row] = await driver.unsafe(`explain (analyze, format json) ${query.sql}`, given as never[]);
      return row?.['QUERY PLAN'][0].Plan;
    });
  const answers = await Promise.all(plans);
  await driver.end();
  return answers;
}

/** Returns the scans of a plan that ran. */
function scansOf(plan: Json): Json[] {
  const below: Json[] = (plan.Plans ?? []).flatMap(scansOf);
  const isScan = plan['Node Type'].endsWith('Scan') && plan['Index Name'] !== undefined;
  return isScan && plan['Actual Loops'] > 0 ? [plan, ...below] : below;
}

const rowsOf = (scan: Json): number => scan['Actual Rows'] * scan['Actual Loops'];

describe('a search in many accounts', () => {
  const size = 25_000;
  let client: Client;
  beforeAll(async () => {
    client = await tenantWithCustomer(service);
    const { tenantId } = client;
    // The account to find is the oldest one. Half of the others have `even`, half `odd`, none both.
    await service.database.orm.execute(sql`
      insert into accounts (tenant_id, id, node_id, customer_id, name, status, primary_email, tags, metadata, version, created_at, updated_at, search_text)
      select ${tenantId}, 'A-' || n, gen_random_uuid(), 'C1', 'Account of 本社 ' || case n % 2 when 0 then 'even' else 'odd' end,
        'ACTIVE', 'pay@example.com', '{}', '{}', 1, now(), now() + n * interval '1 second', 'device-' || n
      from generate_series(1, ${size}::integer) n`);
    await createAccount(client, { id: 'old', name: '日本商事', aliases: ['🦊', 'zz-top'] });
    await service.database.orm.execute(sql`update accounts set updated_at = '2020-01-01' where id = 'old'`);
    await service.database.orm.execute(sql`vacuum analyze accounts`);
  }, 60_000);

  it.each(['日', '日本', '本商事', '🦊', 'OLD', 'zz', 'zz device', 'absent', 'q', '日 absent', 'even odd'])(
    'uses the index for the rare search %s',
    async (text) => {
      const plans = await plansOf(client, text);
      // The page and the count, each first along the order.
      expect(plans).toHaveLength(4);
      for (const plan of plans.slice(2)) {
        const scans = scansOf(plan).filter((scan) => scan['Index Name'] === 'accounts_search_idx');
        expect(scans).toHaveLength(1);
        expect(rowsOf(scans[0])).toBeLessThan(100);
      }
    },
  );

  it.each(['e', 'acc', 'ex', '本', '本社', 'acc 本社', 'device', '@ex'])(
    'does not use the index for the common search %s',
    async (text) => {
      const plans = await plansOf(client, text);
      expect(plans).toHaveLength(3);
      const names = plans.flatMap(scansOf).map((scan) => scan['Index Name']);
      expect(names).toContain('accounts_updated_at_idx');
      expect(names).not.toContain('accounts_search_idx');
    },
  );
});
