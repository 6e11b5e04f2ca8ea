import { GraphQLError, GraphQLScalarType, type GraphQLSchema, Kind, valueFromASTUntyped } from 'graphql';

/** Returns a numeric id as text. Throws for integers beyond 2^53, whose digits JSON parsing loses. */
function textOf(value: number, name = 'An id'): string {
  if (Number.isSafeInteger(value)) return String(value);
  throw new GraphQLError(
    `${name} must be a string, or an integer that JSON keeps exact (up to ${Number.MAX_SAFE_INTEGER}).`,
  );
}

/** Makes a schema reject numbers for `ID` that lost digits. graphql-js has one `ID` type for all schemas. */
export function refuseInexactIds(schema: GraphQLSchema): void {
  const id = schema.getType('ID');
  if (!(id instanceof GraphQLScalarType)) return;
  id.parseValue = (value) => {
    if (typeof value === 'string') return value;
    if (typeof value === 'number') return textOf(value);
    throw new GraphQLError('An id must be a string or an integer.');
  };
}

/** A reference of a gateway to an entity: its type and the fields of a key. */
export type Representation = Record<string, unknown>;

/** Returns a representation with text ids. Throws GraphQLError for a number that lost digits. */
export function withTextIds(representation: Representation): Representation {
  const entries = ['id', 'nodeId'].flatMap((name) => {
    const value = representation[name];
    return typeof value === 'number' ? [[name, textOf(value, `\`${name}\``)] as const] : [];
  });
  return entries.length > 0 ? { ...representation, ...Object.fromEntries(entries) } : representation;
}

/** The scalar of representations. Integers in a document keep their digits. */
export const AnyType = new GraphQLScalarType<unknown, unknown>({
  name: '_Any',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral(node, variables) {
    if (node.kind !== Kind.OBJECT) return valueFromASTUntyped(node, variables);
    const entries = node.fields.map(({ name, value }) => [
      name.value,
      value.kind === Kind.INT ? value.value : valueFromASTUntyped(value, variables),
    ]);
    return Object.fromEntries(entries);
  },
});
