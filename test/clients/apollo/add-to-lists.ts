import type { ApolloCache } from '@apollo/client';
import type { CreateAccountData } from '../accounts.ts';

interface List {
  edges: readonly object[];
}

/** Adds a new account at the beginning of the cached lists. */
export function addToLists(cache: ApolloCache, { createAccount: answer }: CreateAccountData): void {
  if (!('account' in answer)) return;
  const node = cache.identify({ ...answer.account });
  const edge = { __typename: 'AccountEdge', cursor: '', node: { __ref: node } };
  const accounts = (list: List) => ({ ...list, edges: [edge, ...list.edges] });
  cache.modify<{ accounts: List }>({ fields: { accounts: (list) => accounts(list as List) } });
}
