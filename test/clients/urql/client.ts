import { Client, fetchExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { minifyIntrospectionQuery } from '@urql/introspection';
import { introspectionFromSchema } from 'graphql';
import { objectTypes, schema } from '../schema.ts';
import { addToLists } from './add-to-lists.ts';

// What has no nodeId is a part of what has one, and no entity of the cache.
const keys = objectTypes.map((type) => [
  type.name,
  (data: { nodeId?: unknown }) => ('nodeId' in type.getFields() ? String(data.nodeId) : null),
]);

export function createClient({ url, token }: { url: string; token: string }): Client {
  const cache = cacheExchange({
    schema: minifyIntrospectionQuery(introspectionFromSchema(schema)),
    keys: Object.fromEntries(keys),
    resolvers: { Query: { accounts: relayPagination() } },
    updates: { Mutation: { createAccount: addToLists } },
  });
  const fetchOptions = { headers: { authorization: `Bearer ${token}` } };
  return new Client({ url, fetchOptions, preferGetMethod: false, exchanges: [cache, fetchExchange] });
}
