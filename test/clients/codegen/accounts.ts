import { graphql } from './__generated__/index.ts';

export const createAccount = graphql(`
  mutation CreateAccount($input: CreateAccountInput!) {
    createAccount(input: $input) {
      __typename
      ... on CreateAccountSuccess { account { id name version createdAt metadata status } }
      ... on IdTakenError { accountId }
      ... on InvalidInputError { issues { path code } }
      ... on Error { code message }
    }
  }
`);

export const updateAccount = graphql(`
  mutation UpdateAccount($input: UpdateAccountInput!) {
    updateAccount(input: $input) {
      __typename
      ... on UpdateAccountSuccess { account { id name version } }
      ... on VersionConflictError { currentVersion }
      ... on Error { code message }
    }
  }
`);

export const accounts = graphql(`
  query Accounts($filter: AccountFilter, $first: Int, $after: String) {
    accounts(filter: $filter, orderBy: { field: ID, direction: ASC }, first: $first, after: $after) {
      nodes { id name }
      pageInfo { hasNextPage endCursor }
    }
  }
`);
