import type { Client, OperationResult } from '@urql/core';
import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import {
  type AccountData,
  type AccountsData,
  account,
  accounts,
  createAccount,
  details,
  updateAccount,
} from './accounts.ts';
import { problemsOf, shown, useService } from './support.ts';
import { createClient } from './urql/client.ts';

const service = useService();
let warnings: MockInstance<typeof console.warn>;

beforeEach(() => {
  warnings = vi.spyOn(console, 'warn');
});

afterEach(() => {
  warnings.mockRestore();
});

const setting = (value: string) => ({
  namespace: 'USER',
  id: 'theme',
  name: 'Theme',
  dataType: 'STRING',
  value,
});
const inputOf = (id: string, tag: string) => ({
  id,
  name: `Account ${id}`,
  customerId: 'C1234qwd',
  primaryEmail: 'ap@acme.example',
  tags: [tag],
  settings: [setting(id)],
});

/** Returns what a component with the list of a tag renders. */
function viewOfList(client: Client, tag: string) {
  const view = {
    names: [] as string[],
    settings: [] as string[],
    pageInfo: { hasNextPage: true, endCursor: '' },
  };
  const show = ({ data }: OperationResult<AccountsData>) => {
    const nodes = data?.accounts.edges.map(({ node }) => node) ?? [];
    view.names = nodes.map(({ name }) => name);
    view.settings = nodes.flatMap(({ settings }) => settings.map(({ value }) => value));
    Object.assign(view.pageInfo, data?.accounts.pageInfo);
  };
  const variables = { filter: { tag }, first: 2 };
  client.query(accounts, variables).subscribe(show);
  const more = () => client.query(accounts, { ...variables, after: view.pageInfo.endCursor }).toPromise();
  return Object.assign(view, { more });
}

/** Creates a client that renders the first two of three accounts. */
async function clientWithList(tag: string) {
  const others = createClient(service);
  for (const number of [1, 2, 3])
    await others.mutation(createAccount, { input: inputOf(`${tag}${number}`, tag) });
  const client = createClient(service);
  const list = viewOfList(client, tag);
  await shown(() => expect(list.names).toEqual([`Account ${tag}3`, `Account ${tag}2`]));
  return { client, list, asked: () => service.asked().slice(4) };
}

describe('urql with graphcache', () => {
  it('compiles with the recipe', async () => {
    expect(await problemsOf('urql', 'tsconfig.json')).toEqual([]);
  });

  it('adds a created account to the list without another request', async () => {
    const { client, list, asked } = await clientWithList('UQa');
    await client.mutation(createAccount, { input: inputOf('UQa4', 'UQa') });
    await shown(() => expect(list.names).toEqual(['Account UQa4', 'Account UQa3', 'Account UQa2']));
    expect(asked()).toEqual(['CreateAccount']);
    expect(warnings).not.toHaveBeenCalled();
  });

  it('appends the next page to the list, also after an account is created', async () => {
    const { client, list, asked } = await clientWithList('UQb');
    await client.mutation(createAccount, { input: inputOf('UQb4', 'UQb') });
    await list.more();
    await shown(() => {
      expect(list.names).toEqual(['Account UQb4', 'Account UQb3', 'Account UQb2', 'Account UQb1']);
    });
    expect(list.pageInfo.hasNextPage).toBe(false);
    expect(asked()).toEqual(['CreateAccount', 'Accounts']);
  });

  it('updates a name in every view without another request', async () => {
    const { client, list, asked } = await clientWithList('UQc');
    let name = '';
    client.query(account, { id: 'UQc2' }).subscribe(({ data }: OperationResult<AccountData>) => {
      name = data?.account?.name ?? '';
    });
    await shown(() => expect(name).toBe('Account UQc2'));
    await client.mutation(updateAccount, { input: { id: 'UQc2', name: 'Renamed' } });
    await shown(() => expect(name).toBe('Renamed'));
    await shown(() => expect(list.names).toEqual(['Account UQc3', 'Renamed']));
    expect(asked()).toEqual(['Account', 'UpdateAccount']);
  });

  it('caches settings with the same id separately', async () => {
    const { list } = await clientWithList('UQd');
    expect(list.settings).toEqual(['UQd3', 'UQd2']);
  });

  it('renders cached fields of an account while it requests nullable ones', async () => {
    const { client } = await clientWithList('UQe');
    await client.query(account, { id: 'UQe2' });
    const results: unknown[] = [];
    client
      .query(details, { id: 'UQe2' })
      .subscribe(({ data, stale }) => results.push({ ...data?.account, stale }));
    await shown(() => expect(results).toHaveLength(2));
    expect(results).toMatchObject([
      { name: 'Account UQe2', primaryEmail: null, stale: true },
      { name: 'Account UQe2', primaryEmail: 'ap@acme.example', stale: false },
    ]);
  });

  it('reads the fields of every error', async () => {
    const client = createClient(service);
    const { data } = await client.mutation(createAccount, {
      input: { ...inputOf('UQf1', 'UQf'), name: '' },
    });
    expect(data).toMatchObject({ createAccount: { __typename: 'InvalidInputError', code: 'INVALID_INPUT' } });
    expect(warnings).not.toHaveBeenCalled();
  });
});
