import type { CreateAccountInput } from '../account/rules.ts';
import type { CreateCustomerInput } from '../customer/rules.ts';

export const exampleCustomer = {
  id: 'C1234qwd',
  name: 'Acme Enterprise',
  primaryEmail: 'admin@example.com',
  address: {
    line1: '2281 Broadway Street',
    postalCode: '29501',
    city: 'Florence',
    state: 'South Carolina',
    country: 'US',
  },
} satisfies CreateCustomerInput;

/** The account that GraphiQL's first tab and the start's curl line create. */
export const exampleAccount = {
  id: 'ACC00001',
  name: 'Primary Account',
  customerId: exampleCustomer.id,
  aliases: ['acme_primary', 'acme_1'],
  address: {
    phoneNumber: '+919876543210',
    line1: '2281 Broadway Street',
    line2: 'G-31',
    postalCode: '29501',
    city: 'Florence',
    state: 'South Carolina',
    country: 'US',
  },
  primaryEmail: 'admin@example.com',
  settings: [
    {
      id: 'accountSettingId',
      value: 'INR',
      namespace: 'USER',
      name: 'Settings Name',
      dataType: 'STRING' as const,
    },
  ],
  netTermDays: 45,
} satisfies CreateAccountInput;

const createAccount = `# Press the button, then open the next tab.
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
