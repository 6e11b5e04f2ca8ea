import { type GraphQLNamedType, isEnumType, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { expect, it } from 'vitest';
import { buildSchema } from '../../src/schema.ts';

/** Made by GraphQL itself or by federation, not by us. */
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

/** How many words say something that the name does not. */
function news({ name, description }: Described): number {
  const known = new Set(wordsOf(name).map(stem));
  return wordsOf(description).filter((word) => !fillers.has(word) && !known.has(stem(word))).length;
}

it('says of every type, field, argument and value what it is for', () => {
  expect(described.length).toBeGreaterThan(150);
  expect(described.filter(({ description }) => description.trim() === '').map(({ place }) => place)).toEqual(
    [],
  );
});

it('says more of each than its name in other words', () => {
  const bare = described.filter((one) => one.description !== '' && news(one) === 0);
  expect(bare.map(({ place, description }) => `${place}: ${description}`)).toEqual([]);
});

it('writes descriptions as sentences', () => {
  const broken = described.filter(({ description }) => !/^["`A-Z].*[.!?]$/s.test(description));
  expect(broken.map(({ place, description }) => `${place}: ${description}`)).toEqual([]);
});
