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
        // Its id is its key in a namespace of its owner: others have settings with the same one.
        Setting: { keyFields: false },
        Query: { fields: { accounts: relayStylePagination(['filter', 'orderBy']) } },
      },
    }),
  });
}
