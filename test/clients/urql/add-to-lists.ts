import type { UpdateResolver } from '@urql/exchange-graphcache';
import { accounts, type CreateAccountData } from '../accounts.ts';

/** Adds a new account at the beginning of the cached lists. */
export const addToLists: UpdateResolver = (data, _, cache) => {
  const { createAccount: answer } = data as unknown as CreateAccountData;
  if (!('account' in answer)) return;
  const edge = { __typename: 'AccountEdge' as const, cursor: '', node: answer.account };
  for (const { fieldName, arguments: variables } of cache.inspectFields('Query')) {
    if (fieldName !== 'accounts' || variables?.after) continue;
    cache.updateQuery({ query: accounts, variables: variables ?? {} }, (data) =>
      data === null ? null : { accounts: { ...data.accounts, edges: [edge, ...data.accounts.edges] } },
    );
  }
};
