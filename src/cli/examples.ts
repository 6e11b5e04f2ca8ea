import { exampleAccount } from '../account/rest.ts';

const createAccount = `# Run this mutation, then open the next tab.
mutation CreateAccount($input: CreateAccountInput!) {
  createAccount(input: $input) {
    __typename
    ... on CreateAccountSuccess {
      account {
        id
        nodeId
        name
        customer { id name }
        aliases { value }
      }
    }
    ... on Error {
      code
      message
    }
    ... on InvalidInputError {
      issues { path code message }
    }
  }
}
`;

const readAccount = `# Reads the account by one of its aliases.
query Account($alias: String!) {
  accountByAlias(alias: $alias) {
    id
    name
    status
    invoiceCurrency
    netTermDays
    primaryEmail
    address {
      line1 line2 postalCode city state country
      phoneNumber
    }
    aliases { value effectiveFrom effectiveUntil }
    settings { namespace id name dataType value }
    customer { id name billingAddress }
  }
}
`;

const readPast = `# Shows what has changed since an instant, and the account as it was then.
query AccountHistory($id: ID!, $from: DateTime!) {
  account(id: $id) {
    version
    history(first: 5) {
      nodes { version kind at actor }
    }
    diff(from: $from) { field before after version at }
  }
  then: account(id: $id, asOf: $from) { version name status }
}
`;

export const exampleTabs = [
  { query: createAccount, variables: JSON.stringify({ input: exampleAccount }, null, 2) },
  { query: readAccount, variables: JSON.stringify({ alias: 'acme_primary' }, null, 2) },
  {
    query: readPast,
    variables: JSON.stringify({ id: exampleAccount.id, from: '2026-01-01T00:00:00Z' }, null, 2),
  },
];
