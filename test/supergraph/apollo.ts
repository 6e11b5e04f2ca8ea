import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginInlineTrace } from '@apollo/server/plugin/inlineTrace';
import { startStandaloneServer } from '@apollo/server/standalone';
import type { Listening } from './listen.ts';

interface Context {
  authorization: string | undefined;
}

/** Starts the gateway of Apollo, which forwards the token and returns field timings on request. */
export async function startApollo(supergraphSdl: string): Promise<Listening> {
  const gateway = new ApolloGateway({
    supergraphSdl,
    buildService: ({ url }) =>
      new RemoteGraphQLDataSource<Context>({
        ...(url !== undefined && { url }),
        willSendRequest({ request, context }) {
          if (context.authorization !== undefined)
            request.http?.headers.set('authorization', context.authorization);
        },
      }),
  });
  const server = new ApolloServer<Context>({ gateway, plugins: [ApolloServerPluginInlineTrace()] });
  const { url } = await startStandaloneServer(server, {
    listen: { host: '127.0.0.1', port: 0 },
    context: async ({ req }) => ({ authorization: req.headers.authorization }),
  });
  return { url, close: () => server.stop() };
}
