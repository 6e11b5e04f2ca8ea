import type { ApolloCache, ApolloClient } from '@apollo/client';
import { type CreateAccountData, createAccount } from '../accounts.ts';

/** Puts a new account at the beginning of the lists in the cache. */
function addToLists(cache: ApolloCache, { createAccount: answer }: CreateAccountData): void {
  if (answer.__typename !== 'CreateAccountSuccess') return;
  const { account } = answer as Extract<typeof answer, { account: object }>;
  cache.modify<{ accounts: { edges: readonly object[] } }>({
    fields: {
      accounts: (list, { toReference }) => ({
        ...list,
        edges: [
          { __typename: 'AccountEdge', cursor: '', node: toReference({ ...account }) },
          ...(list as { edges: readonly object[] }).edges,
        ],
      }),
    },
  });
}

export async function create(client: ApolloClient, input: object): Promise<CreateAccountData | undefined> {
  const { data } = await client.mutate({
    mutation: createAccount,
    variables: { input },
    update: (cache, { data: answer }) => {
      if (answer) addToLists(cache, answer);
    },
  });
  return data;
}
