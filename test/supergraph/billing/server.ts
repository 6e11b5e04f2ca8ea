import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { listen } from '../listen.ts';
import { accountsAt } from './accounts.ts';
import { type Context, resolvers } from './resolvers.ts';
import { createStore } from './store.ts';

export const readBillingSdl = () => readFile(join(import.meta.dirname, 'schema.graphql'), 'utf8');

/** Starts the billing subgraph, which uses the accounts subgraph at a URL and the tenant of the token. */
export async function startBilling(accountsUrl: string) {
  const schema = buildSubgraphSchema({
    typeDefs: parse(await readBillingSdl()),
    resolvers: resolvers as never,
  });
  const accounts = accountsAt(accountsUrl);
  const store = createStore();
  const yoga = createYoga<object, Pick<Context, 'accounts' | 'ledger'>>({
    schema,
    logging: 'error',
    graphiql: false,
    landingPage: false,
    context: async ({ request }) => ({
      accounts,
      ledger: store.ledgerOf(await accounts.tenantOf(request.headers)),
    }),
  });
  const server = createServer((request, response) => void yoga(request, response));
  return listen(server, '/graphql');
}
