import { Client, fetchExchange } from '@urql/core';
import { cacheExchange, type KeyGenerator } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { minifyIntrospectionQuery } from '@urql/introspection';
import { introspectionFromSchema } from 'graphql';
import { objectTypes, schema } from '../schema.ts';
import { addToLists } from './add-to-lists.ts';

// An object without a `nodeId` is part of its parent, not an entity of the cache.
const nodeIdOf: KeyGenerator = ({ nodeId }) => (typeof nodeId === 'string' ? nodeId : null);

export function createClient({ url, token }: { url: string; token: string }): Client {
  const cache = cacheExchange({
    schema: minifyIntrospectionQuery(introspectionFromSchema(schema)),
    keys: Object.fromEntries(objectTypes.map(({ name }) => [name, nodeIdOf])),
    resolvers: { Query: { accounts: relayPagination() } },
    updates: { Mutation: { createAccount: addToLists } },
  });
  const fetchOptions = { headers: { authorization: `Bearer ${token}` } };
  return new Client({ url, fetchOptions, exchanges: [cache, fetchExchange] });
}
