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
import { type GraphQLSchema, Kind, parse, print, visit } from 'graphql';
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

export function buildSchema(): GraphQLSchema {
  const schema = builder.toSubGraphSchema({
    linkUrl: 'https://specs.apollo.dev/federation/v2.6',
    federationDirectives: ['@key', '@shareable', '@inaccessible'],
  });
  const service = schema.getQueryType()?.getFields()._service;
  if (service === undefined) throw new Error('The schema is no subgraph.');
  const sdl = printSchema(schema);
  service.resolve = () => ({ sdl });
  return schema;
}
