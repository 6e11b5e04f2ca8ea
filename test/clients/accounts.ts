import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';

interface Account {
  __typename: 'Account';
  nodeId: string;
  id: string;
  name: string;
  settings: { value: string }[];
}

interface Edge {
  __typename: 'AccountEdge';
  cursor: string;
  node: Account;
}

export interface Refusal {
  __typename: `${string}Error`;
  code: string;
  message: string;
}

export interface AccountsData {
  accounts: { edges: Edge[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } };
}

export interface AccountData {
  account: (Account & { primaryEmail?: string | null }) | null;
}

export interface CreateAccountData {
  createAccount: { __typename: 'CreateAccountSuccess'; account: Account } | Refusal;
}

export interface UpdateAccountData {
  updateAccount: { __typename: 'UpdateAccountSuccess'; account: { name: string } } | Refusal;
}

function documentOf<Data, Variables>(text: string): TypedDocumentNode<Data, Variables> {
  return parse(text);
}

/** Newest first, so that a new account is added at the beginning. */
export const accounts = documentOf<
  AccountsData,
  { filter?: { tag: string }; first?: number; after?: string | null }
>(`
  query Accounts($filter: AccountFilter, $first: Int, $after: String) {
    accounts(filter: $filter, orderBy: { field: CREATED_AT, direction: DESC }, first: $first, after: $after) {
      edges { cursor node { ... on Node { nodeId } id name settings { id value } } }
      pageInfo { hasNextPage endCursor }
    }
  }
`);

export const account = documentOf<AccountData, { id: string }>(`
  query Account($id: ID!) {
    account(id: $id) { nodeId id name }
  }
`);

/** `primaryEmail` is nullable, and no list selects it. */
export const details = documentOf<AccountData, { id: string }>(`
  query Details($id: ID!) {
    account(id: $id) { nodeId id name primaryEmail }
  }
`);

export const createAccount = documentOf<CreateAccountData, { input: object }>(`
  mutation CreateAccount($input: CreateAccountInput!) {
    createAccount(input: $input) {
      __typename
      ... on CreateAccountSuccess { account { nodeId id name settings { id value } } }
      ... on Error { code message }
    }
  }
`);

export const updateAccount = documentOf<UpdateAccountData, { input: object }>(`
  mutation UpdateAccount($input: UpdateAccountInput!) {
    updateAccount(input: $input) {
      __typename
      ... on UpdateAccountSuccess { account { nodeId name } }
      ... on Error { code message }
    }
  }
`);
