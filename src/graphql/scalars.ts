import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';
import { DateTimeResolver, JSONObjectResolver } from 'graphql-scalars';
import { parseInstant } from '../lib/instant.ts';
import { builder } from './builder.ts';

/** Parses an instant. Throws GraphQLError for any other value. */
export function readInstant(value: unknown): Date {
  const instant = value instanceof Date ? value : typeof value === 'string' ? parseInstant(value) : undefined;
  if (instant !== undefined && !Number.isNaN(instant.getTime())) return instant;
  throw new GraphQLError(
    `DateTime cannot represent ${JSON.stringify(value)}. Send an instant such as "2026-11-23T12:00:00Z".`,
  );
}

/** The DateTime of graphql-scalars, with the spellings that the REST API reads. */
const DateTime = new GraphQLScalarType({
  ...DateTimeResolver.toConfig(),
  parseValue: readInstant,
  parseLiteral: (node) => readInstant(node.kind === Kind.STRING ? node.value : node.kind),
});

builder.addScalarType('DateTime', DateTime, {
  description:
    'An instant in RFC 3339, such as `2026-11-23T12:00:00.000Z`, precise to the millisecond. Inputs can leave out the time (midnight), the offset (UTC) and the colon of the offset.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
});
builder.addScalarType('JSONObject', JSONObjectResolver, {
  description: 'A JSON object.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  // Counts as several fields.
  extensions: { cost: 10 },
});
