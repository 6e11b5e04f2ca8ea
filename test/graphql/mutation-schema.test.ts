import {
  type GraphQLField,
  getNamedType,
  isInputObjectType,
  isInterfaceType,
  isObjectType,
  isUnionType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { buildSchema } from '../../src/schema.ts';
import {
  isBulk,
  type MutationName,
  mutationNames,
  tenantMutationNames,
  typePrefixOf,
  webhookMutationNames,
} from '../support/mutations.ts';

const schema = buildSchema();

type Mutation = GraphQLField<unknown, unknown>;

const mutations: Mutation[] = Object.values(schema.getMutationType()?.getFields() ?? {});

function membersOf({ type }: Mutation) {
  const union = getNamedType(type);
  return isUnionType(union) ? union.getTypes() : [];
}

function inputFieldsOf({ args }: Mutation) {
  const input = args[0] && getNamedType(args[0].type);
  return isInputObjectType(input) ? input.getFields() : {};
}

const typeOf = (field: { type: unknown } | undefined) => String(field?.type);

it('has a test case for every mutation', () => {
  expect(mutations.map(({ name }) => name).toSorted()).toEqual(
    [...mutationNames, ...webhookMutationNames, ...tenantMutationNames].toSorted(),
  );
});

describe.each(mutations.map((field) => [field.name, field] as const))('%s', (name, mutation) => {
  // A mutation of several inputs returns the union of the mutation of one.
  const type = typePrefixOf(name);

  it('returns a non-null union whose success has replayed', () => {
    expect(typeOf(mutation)).toBe(isBulk(name) ? `[${type}Result!]!` : `${type}Result!`);
    const success = membersOf(mutation).find((member) => member.name === `${type}Success`);
    expect(typeOf(success?.getFields().replayed)).toBe('Boolean!');
  });

  it('accepts dryRun and returns it, unless it changes webhook endpoints', () => {
    const canRunDry = mutationNames.includes(name as MutationName);
    const success = membersOf(mutation).find((member) => member.name === `${type}Success`);
    expect(typeOf(inputFieldsOf(mutation).dryRun)).toBe(canRunDry ? 'Boolean' : 'undefined');
    expect(typeOf(success?.getFields().dryRun)).toBe(canRunDry ? 'Boolean!' : 'undefined');
  });

  it('has only errors beside the success in its union, among them InvalidInputError and IdempotencyError', () => {
    const others = membersOf(mutation).filter((member) => member.name !== `${type}Success`);
    const bare = others.filter((member) => !member.getInterfaces().some(({ name }) => name === 'Error'));
    expect(bare.map(String)).toEqual([]);
    expect(others.map(String)).toEqual(expect.arrayContaining(['InvalidInputError', 'IdempotencyError']));
  });

  it('accepts an idempotency key and, if it changes an entity, an expected version', () => {
    const fields = inputFieldsOf(mutation);
    expect(typeOf(fields.idempotencyKey)).toBe('String');
    const versioned = /^(update|archive|restore|revert|delete|rotate)/.test(name);
    expect(typeOf(fields.expectedVersion)).toBe(versioned ? 'Int' : 'undefined');
    if (versioned) expect(membersOf(mutation).map(String)).toContain('VersionConflictError');
  });
});

it('has a message and a code in every Error', () => {
  const error = schema.getType('Error');
  const fields = isInterfaceType(error) ? error.getFields() : {};
  expect([typeOf(fields.message), typeOf(fields.code)]).toEqual(['String!', 'ErrorCode!']);
  const implementers = isInterfaceType(error) ? schema.getPossibleTypes(error) : [];
  expect(implementers.length).toBeGreaterThanOrEqual(8);
  expect(implementers.every((type) => isObjectType(type) && type.name.endsWith('Error'))).toBe(true);
});
