import { initGraphQLTada } from 'gql.tada';
import type { introspection } from './__generated__/graphql-env.d.ts';

export const graphql = initGraphQLTada<{
  introspection: introspection;
  scalars: {
    ID: string;
    DateTime: string;
    Position: string;
    JSON: unknown;
    JSONObject: Record<string, unknown>;
  };
}>();
