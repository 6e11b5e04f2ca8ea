import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import { possibleTypes } from '../schema.ts';

export function createClient({ url, token }: { url: string; token: string }): ApolloClient {
  return new ApolloClient({
    link: new HttpLink({ uri: url, headers: { authorization: `Bearer ${token}` } }),
    cache: new InMemoryCache({
      possibleTypes,
      typePolicies: {
        Account: { keyFields: ['nodeId'] },
        Customer: { keyFields: ['nodeId'] },
        // Its `id` is unique only in its namespace and for its owner.
        Setting: { keyFields: false },
        Query: { fields: { accounts: relayStylePagination(['filter', 'orderBy']) } },
      },
    }),
  });
}
