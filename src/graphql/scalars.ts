import { GraphQLError, GraphQLScalarType, Kind } from 'graphql';
import { DateTimeResolver, JSONObjectResolver, JSONResolver } from 'graphql-scalars';
import { InvalidInputError } from '../lib/errors.ts';
import { instant } from '../lib/fields.ts';
import { parseInstant } from '../lib/instant.ts';
import { issuesOf } from '../lib/wording.ts';
import { builder } from './builder.ts';

/** Parses an instant. Throws GraphQLError for any other value. */
export function readInstant(value: unknown): Date {
  const parsed = value instanceof Date ? value : typeof value === 'string' ? parseInstant(value) : undefined;
  if (parsed !== undefined && !Number.isNaN(parsed.getTime())) return parsed;
  throw new GraphQLError(
    `DateTime cannot represent ${JSON.stringify(value)}. Send an instant such as "2026-11-23T12:00:00Z".`,
  );
}

/**
 * Returns the instant of an argument. Throws InvalidInputError. Validation by the argument would add a promise per
 * account.
 */
export function instantOf(argument: string, given: unknown): Date {
  const parsed = instant.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(issuesOf(parsed.error).map((issue) => ({ ...issue, path: [argument] })));
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
builder.addScalarType('JSON', JSONResolver, {
  description: 'Any JSON value.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  // Counts as several fields.
  extensions: { cost: 10 },
});
builder.addScalarType('JSONObject', JSONObjectResolver, {
  description: 'A JSON object.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc8259',
  // Counts as several fields.
  extensions: { cost: 10 },
});
