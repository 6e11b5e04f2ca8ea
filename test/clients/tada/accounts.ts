import { graphql } from './graphql.ts';

const accountFields = graphql(`
  fragment AccountFields on Account @_unmask { id name version createdAt metadata status }
`);

export const createAccount = graphql(
  `
  mutation CreateAccount($input: CreateAccountInput!) {
    createAccount(input: $input) {
      __typename
      ... on CreateAccountSuccess { account { ...AccountFields } }
      ... on IdTakenError { accountId }
      ... on InvalidInputError { issues { path code } }
      ... on Error { code message }
    }
  }
`,
  [accountFields],
);

export const updateAccount = graphql(
  `
  mutation UpdateAccount($input: UpdateAccountInput!) {
    updateAccount(input: $input) {
      __typename
      ... on UpdateAccountSuccess { account { ...AccountFields } }
      ... on VersionConflictError { currentVersion }
      ... on Error { code message }
    }
  }
`,
  [accountFields],
);

export const accounts = graphql(`
  query Accounts($filter: AccountFilter, $first: Int, $after: String) {
    accounts(filter: $filter, orderBy: { field: ID, direction: ASC }, first: $first, after: $after) {
      nodes { id name }
      pageInfo { hasNextPage endCursor }
    }
  }
`);
