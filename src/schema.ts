import './graphql/scalars.ts';
import './account/graphql.ts';
import './account/mutations.ts';
import './alias/graphql.ts';
import './alias/mutations.ts';
import './customer/connection.ts';
import './customer/graphql.ts';
import './customer/mutations.ts';
import './history/graphql.ts';
import './node/graphql.ts';
import './setting/graphql.ts';
import './setting/mutations.ts';
import './tenant/graphql.ts';
import { printSubgraphSchema } from '@apollo/subgraph';
import { type GraphQLSchema, isObjectType, isUnionType, Kind, parse, print, visit } from 'graphql';
import { builder } from './graphql/builder.ts';

const byName = (a: { name: { value: string } }, b: { name: { value: string } }) =>
  a.name.value < b.name.value ? -1 : 1;

/** The schema in GraphQL's own language, everything in the order of its name, as `src/schema.graphql` holds it. */
export function printSchema(schema: GraphQLSchema): string {
  const sorted = visit(parse(printSubgraphSchema(schema)), {
    enter(node) {
      if ('fields' in node && node.fields) return { ...node, fields: [...node.fields].sort(byName as never) };
      if (node.kind === Kind.ENUM_TYPE_DEFINITION)
        return { ...node, values: [...(node.values ?? [])].sort(byName) };
      if (node.kind === Kind.FIELD_DEFINITION)
        return { ...node, arguments: [...(node.arguments ?? [])].sort(byName) };
      return undefined;
    },
  });
  return `${print(sorted)}\n`;
}

type Extended = { extensions: object };

function decides({ extensions }: Extended): boolean {
  const { pothosOptions } = extensions as { pothosOptions?: { authScopes?: unknown } };
  return pothosOptions?.authScopes !== undefined;
}

/**
 * What can be begun with, or come to from elsewhere, without saying who may: a field of a root type, an entity, a node,
 * or a list of such. Anything else belongs to what led to it, and is open to whom that was.
 */
export function undecided(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const fields = roots.flatMap((root) =>
    Object.values(root?.getFields() ?? {})
      .filter((field) => !['_entities', '_service'].includes(field.name) && !decides(field))
      .map((field) => `${root?.name}.${field.name}`),
  );
  const types = Object.values(schema.getTypeMap()).filter(isObjectType);
  const union = schema.getType('_Entity');
  const entities = isUnionType(union) ? union.getTypes() : [];
  const nodes = types.filter((type) => type.getInterfaces().some(({ name }) => name === 'Node'));
  const guarded = new Set([...entities, ...nodes].flatMap(({ name }) => [name, `${name}Connection`]));
  const open = types.filter((type) => guarded.has(type.name) && !decides(type));
  return [...fields, ...open.map(({ name }) => name)];
}

export function buildSchema(): GraphQLSchema {
  const schema = builder.toSubGraphSchema({
    linkUrl: 'https://specs.apollo.dev/federation/v2.6',
    federationDirectives: ['@key', '@shareable', '@inaccessible'],
  });
  const open = undecided(schema);
  if (open.length > 0) throw new Error(`Who may use ${open.join(', ')}? Give authScopes.`);
  const service = schema.getQueryType()?.getFields()._service;
  if (service === undefined) throw new Error('The schema is no subgraph.');
  // Printed when it is asked for, which takes a tenth of a start.
  let sdl: string | undefined;
  service.resolve = () => {
    sdl ??= printSchema(schema);
    return { sdl };
  };
  return schema;
}
