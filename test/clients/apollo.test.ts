import type { ApolloClient } from '@apollo/client';
import { describe, expect, it } from 'vitest';
import { account, accounts, type CreateAccountData, createAccount, updateAccount } from './accounts.ts';
import { addToLists } from './apollo/add-to-lists.ts';
import { createClient } from './apollo/client.ts';

import { problemsOf, shown, useService } from './support.ts';

const service = useService();

function create(client: ApolloClient, input: object) {
  return client.mutate({
    mutation: createAccount,
    variables: { input },
    update: (cache, { data }) => data && addToLists(cache, data),
  });
}

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
  tags: [tag],
  settings: [setting(id)],
});

/** Returns what a component with the list of a tag renders. */
function viewOfList(client: ApolloClient, tag: string) {
  const query = client.watchQuery({ query: accounts, variables: { filter: { tag }, first: 2 } });
  const view = { query, names: [] as string[], settings: [] as string[], hasNextPage: false };
  query.subscribe(({ data, dataState }) => {
    if (dataState !== 'complete') return;
    const nodes = data.accounts.edges.map(({ node }) => node);
    view.names = nodes.map(({ name }) => name);
    view.settings = nodes.flatMap(({ settings }) => settings.map(({ value }) => value));
    view.hasNextPage = data.accounts.pageInfo.hasNextPage;
  });
  return view;
}

/** Returns what a component with one account renders. */
function viewOfAccount(client: ApolloClient, id: string) {
  const view = { name: '' };
  client.watchQuery({ query: account, variables: { id } }).subscribe(({ data, dataState }) => {
    if (dataState === 'complete') view.name = data.account?.name ?? '';
  });
  return view;
}

/** Creates a client that renders the first two of three accounts. */
async function clientWithList(tag: string) {
  const others = createClient(service);
  for (const number of [1, 2, 3]) await create(others, inputOf(`${tag}${number}`, tag));
  const client = createClient(service);
  const list = viewOfList(client, tag);
  await shown(() => expect(list.names).toEqual([`Account ${tag}3`, `Account ${tag}2`]));
  return { client, list, asked: () => service.asked().slice(4) };
}

describe('Apollo Client', () => {
  it('compiles with the recipe', async () => {
    expect(await problemsOf('apollo', 'tsconfig.json')).toEqual([]);
  });

  it('adds a created account to the list without another request', async () => {
    const { client, list, asked } = await clientWithList('ACa');
    await create(client, inputOf('ACa4', 'ACa'));
    await shown(() => expect(list.names).toEqual(['Account ACa4', 'Account ACa3', 'Account ACa2']));
    expect(asked()).toEqual(['CreateAccount']);
  });

  it('appends the next page to the list, also after an account is created', async () => {
    const { client, list, asked } = await clientWithList('ACb');
    await create(client, inputOf('ACb4', 'ACb'));
    expect(list.hasNextPage).toBe(true);
    const { endCursor } = list.query.getCurrentResult().data?.accounts?.pageInfo ?? {};
    await list.query.fetchMore({ variables: { after: endCursor } });
    await shown(() => {
      expect(list.names).toEqual(['Account ACb4', 'Account ACb3', 'Account ACb2', 'Account ACb1']);
    });
    expect(list.hasNextPage).toBe(false);
    expect(asked()).toEqual(['CreateAccount', 'Accounts']);
  });

  it('updates a name in every view without another request', async () => {
    const { client, list, asked } = await clientWithList('ACc');
    const one = viewOfAccount(client, 'ACc2');
    await shown(() => expect(one.name).toBe('Account ACc2'));
    await client.mutate({ mutation: updateAccount, variables: { input: { id: 'ACc2', name: 'Renamed' } } });
    await shown(() => expect(one.name).toBe('Renamed'));
    await shown(() => expect(list.names).toEqual(['Account ACc3', 'Renamed']));
    expect(asked()).toEqual(['Account', 'UpdateAccount']);
  });

  it('caches settings with the same id separately', async () => {
    const { list } = await clientWithList('ACd');
    expect(list.settings).toEqual(['ACd3', 'ACd2']);
  });

  it('reads the fields of every error from its cache', async () => {
    const client = createClient(service);
    const answers: (CreateAccountData | null | undefined)[] = [];
    await client.mutate({
      mutation: createAccount,
      variables: { input: { ...inputOf('ACe1', 'ACe'), name: '' } },
      update: (_, { data }) => void answers.push(data),
    });
    expect(answers).toMatchObject([
      { createAccount: { __typename: 'InvalidInputError', code: 'INVALID_INPUT' } },
    ]);
  });
});
