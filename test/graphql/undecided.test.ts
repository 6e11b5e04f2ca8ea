import { type GraphQLObjectType, type GraphQLSchema, isObjectType } from 'graphql';
import { expect, it } from 'vitest';
import { buildSchema, undecided } from '../../src/schema.ts';

/** A schema in which nobody has decided who may use this type, or this field of it. */
function withoutDecision(place: string): GraphQLSchema {
  const schema = buildSchema();
  const [typeName = '', fieldName] = place.split('.');
  const type = schema.getType(typeName);
  if (!isObjectType(type)) throw new Error(`There is no type ${typeName}.`);
  const decided = fieldName === undefined ? type : (type as GraphQLObjectType).getFields()[fieldName];
  if (decided === undefined) throw new Error(`There is no field ${place}.`);
  decided.extensions = {};
  return schema;
}

it('leaves nothing undecided in the schema that is served', () => {
  expect(undecided(buildSchema())).toEqual([]);
});

it.each([
  ...['Query.viewer', 'Query.accounts', 'Query.node', 'Mutation.createAccount', 'Mutation.removeSettings'],
  ...['Account', 'Customer', 'AccountReference', 'AccountConnection', 'CustomerConnection'],
])('a service does not start while nobody has decided who may use %s', (place) => {
  expect(undecided(withoutDecision(place))).toEqual([place]);
});
