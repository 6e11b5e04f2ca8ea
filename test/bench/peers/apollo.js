import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import DataLoader from 'dataloader';
import { resolvers, schema } from './schema.js';
import { aliasesByAccounts, customersByIds, groupByAccount, inOrder, settingsByAccounts } from './sql.js';

const server = new ApolloServer({
  typeDefs: schema,
  resolvers: {
    ...resolvers,
    _Entity: { __resolveType: () => 'Account' },
    Account: {
      ...resolvers.Account,
      customer: ({ customerId, customerName }, _, { customers }) =>
        customerName === undefined ? customers.load(customerId) : { id: customerId, name: customerName },
      aliases: ({ id }, _, { aliases }) => aliases.load(id),
      settings: ({ id }, _, { settings }) => settings.load(id),
    },
  },
});

await startStandaloneServer(server, {
  listen: { host: '127.0.0.1', port: Number(process.env.PORT) },
  context: async () => ({
    customers: new DataLoader(async (ids) => inOrder(ids, await customersByIds(ids))),
    aliases: new DataLoader(async (ids) => groupByAccount(ids, await aliasesByAccounts(ids))),
    settings: new DataLoader(async (ids) => groupByAccount(ids, await settingsByAccounts(ids))),
  }),
});
