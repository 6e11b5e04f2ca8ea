import Fastify from 'fastify';
import mercurius from 'mercurius';
import { resolvers, schema } from './schema.js';
import { aliasesByAccounts, customersByIds, groupByAccount, inOrder, settingsByAccounts } from './sql.js';

const app = Fastify();

const children = (load) => async (queries) => {
  const ids = queries.map(({ obj }) => obj.id);
  return groupByAccount(ids, await load(ids));
};

await app.register(mercurius, {
  schema,
  resolvers: { ...resolvers, _Entity: { resolveType: () => 'Account' } },
  loaders: {
    Account: {
      customer: async (queries) => {
        const ids = queries.map(({ obj }) => obj.customerId);
        return inOrder(ids, await customersByIds([...new Set(ids)]));
      },
      aliases: children(aliasesByAccounts),
      settings: children(settingsByAccounts),
    },
  },
  // 1 compiles a document from its second execution on, literals of the request included. 0 compiles nothing.
  jit: Number(process.env.JIT ?? 0),
});
await app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) });
