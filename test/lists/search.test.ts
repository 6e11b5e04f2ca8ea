import { describe, expect, it } from 'vitest';
import { searchFor } from '../../src/entity/search.ts';
import { createdAccount, tenantWithCustomer } from '../support/account.ts';
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

/** A tenant whose accounts have these names. */
async function tenantWithNames(...names: string[]): Promise<Client> {
  const client = await tenantWithCustomer(service);
  for (const [index, name] of names.entries()) await createdAccount(client, { id: `n${index}`, name });
  return client;
}

describe('a search', () => {
  it('looks at the id, the name, the primary email and the aliases, in any case', async () => {
    const client = await tenantWithCustomer(service);
    await createdAccount(client, { id: 'ACC-One', name: 'First' });
    await createdAccount(client, { id: 'b', name: 'Globex Billing' });
    await createdAccount(client, { id: 'c', name: 'Third', primaryEmail: 'Jane.Doe@Initech.com' });
    await createdAccount(client, { id: 'd', name: 'Fourth', aliases: ['Device-42'] });
    expect(await search(client, 'acc-one')).toEqual(['ACC-One']);
    expect(await search(client, 'C-ON')).toEqual(['ACC-One']);
    expect(await search(client, 'LOBEX b')).toEqual(['b']);
    expect(await search(client, 'doe@init')).toEqual(['c']);
    expect(await search(client, 'device-42')).toEqual(['d']);
    expect(await search(client, ' VICE ')).toEqual(['d']);
    expect(await search(client, 'nothing')).toEqual([]);
  });

  it('finds the aliases that are in force now and no others', async () => {
    const client = await tenantWithCustomer(service);
    await createdAccount(client, {
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

  it('takes %, _ and \\ for themselves', async () => {
    const client = await tenantWithNames('100% sure', '1000 sure', 'a_b_c', 'axbxc', 'back\\slash');
    expect(await search(client, '100%')).toEqual(['n0']);
    expect(await search(client, '0%')).toEqual(['n0']);
    expect(await search(client, '%')).toEqual(['n0']);
    expect(await search(client, 'a_b')).toEqual(['n2']);
    expect(await search(client, '_')).toEqual(['n2']);
    expect(await search(client, '%sure')).toEqual([]);
    expect(await search(client, 'k\\s')).toEqual(['n4']);
    expect(await search(client, '\\')).toEqual(['n4']);
  });

  it('finds one or two letters or digits at the beginning of a value', async () => {
    const client = await tenantWithNames('Acme', 'Zebra', 'Tacit');
    await createdAccount(client, { id: 'x', name: 'Other', aliases: ['Ac-1'], primaryEmail: 'zz@a.co' });
    expect(await search(client, 'ac')).toEqual(['n0', 'x']);
    expect(await search(client, 'Z')).toEqual(['n1', 'x']);
    expect(await search(client, 'n1')).toEqual(['n1']);
  });

  it('finds other scripts anywhere, however short the search', async () => {
    const client = await tenantWithNames('株式会社日本', 'ÅNGSTRÖM AB', 'Иванов и Ко', '🦊 fox');
    expect(await search(client, '日本')).toEqual(['n0']);
    expect(await search(client, '社')).toEqual(['n0']);
    expect(await search(client, 'ström')).toEqual(['n1']);
    expect(await search(client, 'ÅNG')).toEqual(['n1']);
    expect(await search(client, 'ИВАН')).toEqual(['n2']);
    expect(await search(client, '🦊')).toEqual(['n3']);
  });

  it('never matches across two values', async () => {
    const client = await tenantWithCustomer(service);
    await createdAccount(client, { id: 'left', name: 'right', primaryEmail: 'mail@x.co' });
    for (const text of ['leftright', 'rightmail', 'left right'])
      expect(await search(client, text)).toEqual([]);
  });
});

it.each([
  ['abc', 'ALWAYS'],
  ['ab', 'ALWAYS'],
  ['a', 'ALWAYS'],
  ['a b', 'ALWAYS'],
  ['-a', 'ALWAYS'],
  ['ab-', 'ALWAYS'],
  ['a-', 'NEVER'],
  ['--', 'NEVER'],
  ['é', 'NEVER'],
  ['日本語', 'WITH_UNICODE'],
  ['éab', 'WITH_UNICODE'],
  ['é a', 'ALWAYS'],
] as const)('knows whether an index finds %j: %s', (text, indexable) => {
  expect(searchFor(text).indexable).toBe(indexable);
});
