import { brandWithType, getTypeBrand } from '@pothos/core';
import { hasResolvableKey } from '@pothos/plugin-federation';
import {
  GraphQLError,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLResolveInfo,
  GraphQLSchema,
  GraphQLString,
  GraphQLUnionType,
  isObjectType,
  lexicographicSortSchema,
} from 'graphql';
import { AnyType, type Representation, refuseInexactIds, withTextIds } from './numbers.ts';

/** Where the federation plugin stores the function that resolves references of a type. */
interface EntityExtensions {
  apollo?: { subgraph?: { resolveReference?(representation: Representation, context: unknown): unknown } };
}

/** Resolves a representation to its entity, or to an error of this entity. */
function find(representation: Representation, context: unknown, { schema }: GraphQLResolveInfo): unknown {
  const name = representation.__typename as string;
  const extensions = schema.getType(name)?.extensions as EntityExtensions | undefined;
  const resolve = extensions?.apollo?.subgraph?.resolveReference;
  if (resolve === undefined) {
    const message = `${JSON.stringify(name)} is not an entity type.`;
    return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST' } });
  }
  try {
    return resolve(withTextIds(representation), context);
  } catch (error) {
    return error;
  }
}

/** Waits for all entities. A rejected one becomes its error. */
async function settle(found: unknown[]): Promise<unknown[]> {
  try {
    return await Promise.all(found);
  } catch {
    const settled = await Promise.allSettled(found);
    return settled.map((one) => (one.status === 'fulfilled' ? one.value : one.reason));
  }
}

/** The field through which gateways read entities. */
function entitiesField(entity: GraphQLUnionType) {
  return {
    type: new GraphQLNonNull(new GraphQLList(entity)),
    args: { representations: { type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(AnyType))) } },
    async resolve(
      _: unknown,
      { representations }: { representations: Representation[] },
      context: unknown,
      info: GraphQLResolveInfo,
    ) {
      const entities = await settle(representations.map((one) => find(one, context, info)));
      entities.forEach((entity, index) => {
        if (!(entity instanceof Error)) brandWithType(entity, representations[index]?.__typename as never);
      });
      return entities;
    },
  };
}

/** The schema of the subgraph, for gateways. */
const ServiceType = new GraphQLObjectType({
  name: '_Service',
  fields: {
    sdl: {
      type: GraphQLString,
      description: 'The schema of this subgraph, without the types of federation itself.',
    },
  },
});

/**
 * Adds `_entities` and `_service` to a schema. Unlike the federation plugin, prints the schema only when a gateway
 * requests it, which makes the start faster.
 */
export function asSubgraph(schema: GraphQLSchema, print: (subgraph: GraphQLSchema) => string): GraphQLSchema {
  const { query, types, ...rest } = schema.toConfig();
  const entities = types.filter((type) => isObjectType(type) && hasResolvableKey(type));
  const entity = new GraphQLUnionType({
    name: '_Entity',
    types: entities as GraphQLObjectType[],
    resolveType: (entity) => getTypeBrand(entity) as never,
  });
  let sdl: string | undefined;
  const service = () => {
    sdl ??= print(subgraph);
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
          _entities: entitiesField(entity),
          _service: { type: new GraphQLNonNull(ServiceType), resolve: service },
        },
      }),
    }),
  );
  refuseInexactIds(subgraph);
  return subgraph;
}
