import { createAccountInput } from '../account/rules.ts';
import { createCustomerInput } from '../customer/rules.ts';
import type { RecordType } from '../import/rules.ts';
import { InvalidInputError, type Issue } from '../lib/errors.ts';
import { parseInstant } from '../lib/instant.ts';
import { suggestion } from '../lib/nearest.ts';
import { jsonSchemaOf } from '../lib/rule.ts';
import type { z } from '../lib/zod.ts';
import { type Fields, isObject, refusal } from './values.ts';

/** The input of a creation, not yet validated: `CreateCustomerInput` or `CreateAccountInput`, instants as Dates. */
export interface ImportRecord {
  type: RecordType;
  input: Fields;
}

export type Schema = z.core.JSONSchema.BaseSchema;

/** Exports write these fields. A new customer or account gets its own. */
export const systemFields = ['nodeId', 'version', 'createdAt', 'updatedAt'];

function schemaOfInput(rule: z.ZodType): Schema {
  // A record has no options of a write, and the accounts of a customer are records of their own.
  const { idempotencyKey: _, dryRun: __, account: ___, ...properties } = jsonSchemaOf(rule).properties ?? {};
  return { type: 'object', properties };
}

/** The fields of records as JSON Schema, computed from the rules of the inputs. */
export const recordSchemas: Readonly<Record<RecordType, Schema>> = {
  customer: schemaOfInput(createCustomerInput),
  account: schemaOfInput(createAccountInput),
};

/** Returns the schema of a value without the alternative `null`. */
function withoutNull(schema: z.core.JSONSchema._JSONSchema | undefined): Schema | undefined {
  if (typeof schema !== 'object') return undefined;
  const others = (schema.anyOf ?? []).filter((one) => typeof one === 'object' && one.type !== 'null');
  return (others[0] as Schema | undefined) ?? schema;
}

/** Returns the schema of a field, or undefined if there is no such field. Every key of a map is one. */
export function fieldSchema({ properties, additionalProperties }: Schema, field: string): Schema | undefined {
  if (properties === undefined) return withoutNull(additionalProperties);
  return Object.hasOwn(properties, field) ? withoutNull(properties[field]) : undefined;
}

/** Returns the schema of the elements of a list. */
export function elementSchema({ items }: Schema): Schema | undefined {
  return Array.isArray(items) ? undefined : withoutNull(items);
}

/** Returns the names of the fields of an object. Empty for a map, whose keys are free. */
export function fieldNames({ properties }: Schema): string[] {
  return Object.keys(properties ?? {});
}

const maxShownName = 100;

/** Returns the issue of an unknown field of an object. Names are shortened, because they can be as long as the row. */
export function unknownField(path: string[], of: string, schema: Schema): Issue {
  const meant = suggestion(path.at(-1) ?? '', fieldNames(schema));
  const message = `is not a field of ${of}${meant && `.${meant}`}`;
  return { path: path.map((part) => part.slice(0, maxShownName)), code: 'UNKNOWN_FIELD', message };
}

/** Returns what an object at a path is, as part of a sentence. */
export function ownerName(type: RecordType, path: string[]): string {
  const parts = path.filter((part) => !/^\d+$/.test(part));
  const record = type === 'account' ? 'an account' : 'a customer';
  return parts.length === 0 ? record : `\`${parts.join('.')}\` of ${record}`;
}

/** A field that does not exist, and the schema of the object that has it. */
interface Unknown {
  path: string[];
  schema: Schema;
}

function unknownFields(value: unknown, schema: Schema, path: string[]): Unknown[] {
  if (Array.isArray(value)) {
    const items = elementSchema(schema);
    if (items?.properties === undefined) return [];
    return value.flatMap((element, index) => unknownFields(element, items, [...path, String(index)]));
  }
  if (!isObject(value) || schema.properties === undefined) return [];
  return Object.entries(value).flatMap(([field, inner]) => {
    const known = fieldSchema(schema, field);
    return known ? unknownFields(inner, known, [...path, field]) : [{ path: [...path, field], schema }];
  });
}

const maxReported = 10;

/** No record needs more. Deeper values would exhaust the stack of code that follows them. */
const maxLevels = 20;

function isDeeperThan(levels: number, value: unknown): boolean {
  if (!isObject(value)) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeperThan(levels - 1, inner));
}

function toInstant(text: unknown, path: string[]): unknown {
  if (typeof text !== 'string') return text;
  const instant = parseInstant(text);
  if (instant !== undefined) return instant;
  throw refusal(path, 'INVALID_FORMAT', 'must be a date and time such as 2024-01-01T00:00:00Z');
}

/** Parses the bounds of dated aliases, which a file can only spell as text. */
function withInstants({ datedAliases, ...fields }: Fields): Fields {
  if (datedAliases === undefined) return fields;
  if (!Array.isArray(datedAliases)) return { ...fields, datedAliases };
  const parsed = datedAliases.map((alias: unknown, index) => {
    if (!isObject(alias)) return alias;
    const bounds = ['effectiveFrom', 'effectiveUntil'].filter((bound) => Object.hasOwn(alias, bound));
    const instants = bounds.map((bound) => {
      return [bound, toInstant(alias[bound], ['datedAliases', String(index), bound])] as const;
    });
    return { ...alias, ...Object.fromEntries(instants) };
  });
  return { ...fields, datedAliases: parsed };
}

/** Returns a record of these fields. Throws InvalidInputError for an unknown field, at any depth. */
export function toRecord(type: RecordType, fields: Fields): ImportRecord {
  if (isDeeperThan(maxLevels, fields))
    throw refusal([], 'INVALID_VALUE', `must have at most ${maxLevels} levels`);
  const unknown = unknownFields(fields, recordSchemas[type], []).slice(0, maxReported);
  if (unknown.length > 0) {
    const of = ({ path }: Unknown) => ownerName(type, path.slice(0, -1));
    throw new InvalidInputError(unknown.map((one) => unknownField(one.path, of(one), one.schema)));
  }
  return { type, input: withInstants(fields) };
}
