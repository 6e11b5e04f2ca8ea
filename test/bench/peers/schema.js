import * as db from './sql.js';

/** The part of this service's schema that the benchmark uses. */
export const schema = `
  scalar DateTime
  scalar _Any
  union _Entity = Account
  type Customer { id: ID! name: String! }
  type Address { line1: String city: String postalCode: String country: String }
  type Alias { value: String! }
  type Setting { id: ID! namespace: String! name: String! dataType: String! value: String! }
  type Account {
    id: ID! name: String! status: String! invoiceCurrency: String! netTermDays: Int! primaryEmail: String
    tags: [String!]! version: Int! updatedAt: DateTime! customer: Customer! address: Address
    aliases: [Alias!]! settings: [Setting!]!
  }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type AccountConnection { nodes: [Account!]! pageInfo: PageInfo! }
  type Query {
    account(id: ID!): Account
    accountByAlias(alias: String!): Account
    accounts(first: Int = 20, filter: AccountFilter, orderBy: AccountOrder): AccountConnection!
    _entities(representations: [_Any!]!): [_Entity]!
  }
  input AccountFilter { search: String tag: String }
  input AccountOrder { field: String! direction: String! }
  input AddressInput { line1: String city: String postalCode: String country: String }
  input SettingInput { id: ID! namespace: String! name: String! dataType: String! value: String! }
  input CreateAccountInput {
    id: ID! name: String! customerId: ID! invoiceCurrency: String netTermDays: Int address: AddressInput aliases: [String!] settings: [SettingInput!]
  }
  input UpdateAccountInput { id: ID! name: String! expectedVersion: Int }
  type Mutation {
    createAccount(input: CreateAccountInput!): Account
    createAccountPlain(input: CreateAccountInput!): Account
    updateAccount(input: UpdateAccountInput!): Account
    updateAccountPlain(input: UpdateAccountInput!): Account
  }
`;

export const resolvers = {
  Query: {
    account: async (_, { id }) => (await db.accountsByIds([id]))[0],
    accountByAlias: async (_, { alias }) => (await db.accountByAlias(alias))[0],
    accounts: async (_, { first, filter, orderBy }) => {
      const rows = await (filter ? db.searchPage({ ...filter, orderBy }, first) : db.accountPage(first));
      const nodes = rows.slice(0, first);
      return {
        nodes,
        pageInfo: {
          hasNextPage: rows.length > first,
          endCursor: nodes.length > 0 ? db.cursorOf(nodes.at(-1)) : null,
        },
      };
    },
    _entities: async (_, { representations }) => {
      const ids = representations.map(({ id }) => id);
      return db.inOrder(ids, await db.accountsByIds(ids));
    },
  },
  Mutation: {
    createAccount: async (_, { input }) => (await db.createAccount(input))[0],
    createAccountPlain: async (_, { input }) => (await db.createAccountPlain(input))[0],
    updateAccount: async (_, { input }) => (await db.updateAccount(input))[0],
    updateAccountPlain: async (_, { input }) => (await db.updateAccountPlain(input))[0],
  },
  Account: { address: (account) => account },
};
