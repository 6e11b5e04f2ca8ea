import { EntityType, entitiesField, serviceField } from '@apollo/subgraph/dist/types.js';
import { hasResolvableKey } from '@pothos/plugin-federation';
import {
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  GraphQLUnionType,
  isObjectType,
  lexicographicSortSchema,
} from 'graphql';

/**
 * Adds to a schema what a gateway asks a subgraph for. The federation plugin would do so, too, but prints the schema
 * while it is at it, which takes a quarter of a start; here `printed` is called when somebody asks for the print.
 */
export function asSubgraph(
  schema: GraphQLSchema,
  printed: (subgraph: GraphQLSchema) => string,
): GraphQLSchema {
  const { query, types, ...rest } = schema.toConfig();
  const entities = types.filter((type) => isObjectType(type) && hasResolvableKey(type));
  const entity = new GraphQLUnionType({ ...EntityType.toConfig(), types: entities as GraphQLObjectType[] });
  let sdl: string | undefined;
  const service = () => {
    sdl ??= printed(subgraph);
    return { sdl };
  };
  const { fields, ...root } = query?.toConfig() ?? { name: 'Query', fields: {} };
  const subgraph = lexicographicSortSchema(
    new GraphQLSchema({
      ...rest,
      types: types.filter((type) => type !== query),
      query: new GraphQLObjectType({
        ...root,
        fields: {
          ...fields,
          _entities: { ...entitiesField, type: new GraphQLNonNull(new GraphQLList(entity)) },
          _service: { ...serviceField, resolve: service },
        },
      }),
    }),
  );
  return subgraph;
}
