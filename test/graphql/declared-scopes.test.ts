import { extendSchema, type GraphQLObjectType, type GraphQLSchema, isObjectType, parse } from 'graphql';
import { expect, it } from 'vitest';
import { assertScopesDeclared, buildSchema } from '../../src/schema.ts';

/** Returns the schema without the `authScopes` of this type or field. */
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

it('accepts the schema of the service', () => {
  expect(() => assertScopesDeclared(buildSchema())).not.toThrow();
});

it.each([
  ...['Query.viewer', 'Query.accounts', 'Query.node', 'Mutation.createAccount', 'Mutation.removeSettings'],
  ...['Account', 'Customer', 'AccountReference', 'AccountConnection', 'CustomerConnection'],
])('fails if %s has no authScopes', (place) => {
  expect(() => assertScopesDeclared(withoutDecision(place))).toThrow(
    `No scope is declared for ${place}. Set authScopes.`,
  );
});

it.each([
  ['Query.secrets', 'extend type Query { secrets: [String!]! }'],
  ['Secret', 'type Secret { text: String! } extend type Address { secret: Secret }'],
  ['Secret', 'type Secret { text: String! } extend type CreateAccountSuccess { secrets: [Secret!]! }'],
  [
    'SecretConnection',
    'type SecretConnection { text: String! } extend type Account { secrets: SecretConnection }',
  ],
  ['Address', 'extend type Address implements Node { nodeId: ID! }'],
])('fails for a new %s without authScopes: %s', (place, extension) => {
  const schema = extendSchema(buildSchema(), parse(extension), { assumeValid: true });
  expect(() => assertScopesDeclared(schema)).toThrow(`No scope is declared for ${place}. Set authScopes.`);
});
