import { type GraphQLNamedType, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { expect, it } from 'vitest';
import { buildSchema } from '../../src/schema.ts';

/** Defined by GraphQL or federation. */
const foreign = /^(__|_(Any|Entity|Service)$|federation__|link__|FieldSet$|(String|Int|Float|Boolean|ID)$)/;
const foreignFields = ['Query._entities', 'Query._service'];

interface Described {
  /** Such as `Query.account(id:)`. */
  place: string;
  name: string;
  description: string;
}

function fieldsOf(type: GraphQLNamedType): Described[] {
  if (isEnumType(type)) {
    return type.getValues().map(({ name, description }) => ({
      place: `${type.name}.${name}`,
      name,
      description: description ?? '',
    }));
  }
  if (isInputObjectType(type)) {
    return Object.values(type.getFields()).map(({ name, description }) => ({
      place: `${type.name}.${name}`,
      name,
      description: description ?? '',
    }));
  }
  if (!isObjectType(type) && !isInterfaceType(type)) return [];
  return Object.values(type.getFields()).flatMap((field) => [
    { place: `${type.name}.${field.name}`, name: field.name, description: field.description ?? '' },
    ...field.args.map(({ name, description }) => ({
      place: `${type.name}.${field.name}(${name}:)`,
      name,
      description: description ?? '',
    })),
  ]);
}

const described: Described[] = Object.values(buildSchema().getTypeMap())
  .filter((type) => !foreign.test(type.name))
  .flatMap((type) => [
    { place: type.name, name: type.name, description: type.description ?? '' },
    ...fieldsOf(type),
  ])
  .filter(({ place }) => !foreignFields.some((field) => place.startsWith(field)));

const wordsOf = (text: string): string[] =>
  text
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);

const fillers = new Set([
  'a',
  'an',
  'the',
  'of',
  'this',
  'that',
  'it',
  'its',
  'is',
  'in',
  'for',
  'to',
  'and',
]);
const stem = (word: string): string => word.replace(/(es|s)$/, '');

/** Counts the words that are not in the name. */
function news({ name, description }: Described): number {
  const known = new Set(wordsOf(name).map(stem));
  return wordsOf(description).filter((word) => !fillers.has(word) && !known.has(stem(word))).length;
}

it('has a description for every type, field, argument and value', () => {
  expect(described.length).toBeGreaterThan(150);
  expect(described.filter(({ description }) => description.trim() === '').map(({ place }) => place)).toEqual(
    [],
  );
});

it('has descriptions that say more than the name', () => {
  const bare = described.filter((one) => one.description !== '' && news(one) === 0);
  expect(bare.map(({ place, description }) => `${place}: ${description}`)).toEqual([]);
});

it('has descriptions that are sentences', () => {
  const broken = described.filter(({ description }) => !/^["`A-Z].*[.!?]$/s.test(description));
  expect(broken.map(({ place, description }) => `${place}: ${description}`)).toEqual([]);
});
