import {
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';
import type { Json } from './service.ts';

/** The value that a probe puts in every identifying argument. */
export interface Name {
  value: string;
  /** Whether the value is a cursor, which belongs in `after`, instead of an id or alias. */
  cursor: boolean;
}

/** Arguments that identify entities, besides all of the type ID. */
const identifying = /^(id|alias|aliases)$|Ids?$/;

/** Values of other required arguments by name. Arguments without one get the first enum value or a value of their type. */
const samples: Record<string, unknown> = {
  name: 'Probe name',
  primaryEmail: 'probe@acme.example',
  namespace: 'n',
  value: 'v',
  country: 'US',
  effectiveOn: '2030-01-01T00:00:00Z',
};

interface Filled {
  value: unknown;
  /** The number of identifying arguments. */
  places: number;
}

function isPlaceOf(name: string, type: string, { cursor }: Name): boolean {
  if (cursor) return name === 'after';
  return type === 'ID' || (type === 'String' && identifying.test(name));
}

function fillLeaf(name: string, type: GraphQLInputType, probe: Name): Filled {
  const named = getNamedType(type);
  const list = isListType(getNullableType(type));
  const isPlace = isPlaceOf(name, named.name, probe);
  const sample = isEnumType(named)
    ? named.getValues()[0]?.name
    : (samples[name] ?? { Int: 1, Boolean: true, JSONObject: {} }[named.name] ?? 'x');
  const value = isPlace ? probe.value : sample;
  return { value: list ? [value] : value, places: isPlace ? 1 : 0 };
}

function fill(name: string, type: GraphQLInputType, probe: Name): Filled {
  const named = getNamedType(type);
  if (!isInputObjectType(named)) return fillLeaf(name, type, probe);
  const inside = fillAll(Object.values(named.getFields()), isRequiredInputField, probe);
  return { value: isListType(getNullableType(type)) ? [inside.value] : inside.value, places: inside.places };
}

/** Fills identifying and required inputs, and the inputs around them. */
function fillAll<T extends GraphQLArgument | GraphQLInputField>(
  inputs: readonly T[],
  isRequired: (input: T) => boolean,
  probe: Name,
): { value: Record<string, unknown>; places: number } {
  const filled = inputs
    .map((input) => ({ input, ...fill(input.name, input.type, probe) }))
    .filter(({ input, places }) => places > 0 || isRequired(input));
  return {
    value: Object.fromEntries(filled.map(({ input, value }) => [input.name, value])),
    places: filled.reduce((sum, { places }) => sum + places, 0),
  };
}

const isFree = (field: GraphQLField<unknown, unknown>) => !field.args.some(isRequiredArgument);

/** Selects every field without arguments down to this depth. */
function selectionOf(schema: GraphQLSchema, output: GraphQLOutputType, depth: number): string {
  const type = getNamedType(output);
  if (isLeafType(type)) return '';
  // Members of a union may have fields with one name and different types, so each gets its own alias.
  const fieldsOf = (one: GraphQLObjectType) =>
    Object.values(one.getFields())
      .filter((field) => isFree(field) && (isLeafType(getNamedType(field.type)) || depth > 0))
      .map(({ name, type: of }) => [name, `${name} ${selectionOf(schema, of, depth - 1)}`] as const);
  const parts = isAbstractType(type)
    ? schema.getPossibleTypes(type).map((one) => {
        const named = fieldsOf(one).map(([name, field]) => `${one.name}_${name}: ${field}`);
        return `... on ${one.name} { __typename ${named.join(' ')} }`;
      })
    : isObjectType(type)
      ? fieldsOf(type).map(([, field]) => field)
      : [];
  return `{ __typename ${parts.join(' ')} }`;
}

export interface Probe {
  /** Such as `Query.account` or `Customer.accounts`. */
  name: string;
  document: string;
  variables: Record<string, Json>;
}

/** Returns a document with the probe in each identifying argument of a field; `undefined` if it has none. */
function probeOf(
  schema: GraphQLSchema,
  type: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  probe: Name,
  around: (inner: string) => string,
): Probe | undefined {
  const { value, places } = fillAll(field.args, isRequiredArgument, probe);
  if (places === 0) return undefined;
  const used = field.args.filter(({ name }) => name in value);
  const parameters = used.map(({ name, type: of }) => `$${name}: ${of}`).join(', ');
  const given = used.map(({ name }) => `${name}: $${name}`).join(', ');
  const inner = `probe: ${field.name}(${given}) ${selectionOf(schema, field.type, 1)}`;
  const [operation, body] =
    type === schema.getMutationType() ? ['mutation', inner] : ['query', around(inner)];
  return {
    name: `${type.name}.${field.name}`,
    document: `${operation}(${parameters}) { ${body} }`,
    variables: value,
  };
}

/** Returns a selection of an entity of the probing tenant, by type. */
export type Own = Record<string, (inner: string) => string>;

/** Returns a probe for each field of a root type or of a type in `own` that has an identifying argument. */
export function probesOf(schema: GraphQLSchema, probe: Name, own: Own): Probe[] {
  const plain = (inner: string) => inner;
  const roots = [schema.getQueryType(), schema.getMutationType()].map((type) => [type, plain] as const);
  const others = Object.entries(own).map(([name, around]) => [schema.getType(name), around] as const);
  return [...roots, ...others].flatMap(([type, around]) =>
    isObjectType(type)
      ? Object.values(type.getFields())
          .filter(({ name }) => !name.startsWith('_'))
          .flatMap((field) => probeOf(schema, type, field, probe, around) ?? [])
      : [],
  );
}

/** Returns a probe for each key of each federation entity in the printed schema. */
export function entityProbes(schema: GraphQLSchema, sdl: string, probe: Name): Probe[] {
  const union = schema.getType('_Entity');
  if (probe.cursor) return [];
  const types = union !== undefined && isAbstractType(union) ? schema.getPossibleTypes(union) : [];
  return types.flatMap((type) => {
    const [line = ''] = new RegExp(`^type ${type.name} .*$`, 'm').exec(sdl) ?? [];
    const keys = [...line.matchAll(/@key\(fields: "([^"]+)"/g)].map(([, fields = '']) => fields.split(' '));
    return keys.map((fields) => ({
      name: `${type.name} by ${fields.join(' ')}`,
      document: `query($all: [_Any!]!) { probe: _entities(representations: $all) ${selectionOf(schema, type, 1).replace('{', `{ ... on ${type.name} {`)} } }`,
      variables: {
        all: [
          {
            __typename: type.name,
            ...Object.fromEntries(fields.map((name) => [name, samples[name] ?? probe.value])),
          },
        ],
      },
    }));
  });
}
