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

export const exampleTabs = [
  { query: createAccount, variables: JSON.stringify({ input: exampleAccount }, null, 2) },
  { query: readAccount, variables: JSON.stringify({ alias: 'acme_primary' }, null, 2) },
];
