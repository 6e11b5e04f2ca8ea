import { readFile } from 'node:fs/promises';
import { type RecordType, recordTypes } from '../import/rules.ts';
import { type Issue, StartupError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import { z } from '../lib/zod.ts';
import { unreadable } from './file.ts';
import { elementSchema, fieldSchema, ownerName, recordSchemas, type Schema, unknownField } from './record.ts';
import { type Fields, isObject } from './values.ts';

const reference = z.strictObject({
  from: z.string().min(1),
  split: z.string().min(1).optional(),
  as: z.enum(['number', 'string', 'json', 'lower', 'upper']).optional(),
  default: z.unknown().optional(),
});

/** Stands for a value of the source in a template. */
export type Reference = z.output<typeof reference>;

/** A record in which references stand for values of the source. */
export interface Template {
  type: RecordType;
  fields: Fields;
}

/** The templates of the records that each row makes. */
export type Mapping = readonly Template[];

export function isReference(node: unknown): node is Reference {
  return isObject(node) && Object.hasOwn(node, 'from') && typeof node.from === 'string';
}

const referenceHint = 'must be a value or a reference such as {"from": "Column"}';

/** A place in a template. Without a schema, any value can be there. */
interface Place {
  type: RecordType;
  path: string[];
  schema: Schema | undefined;
}

function checkObject(node: Fields, { type, path, schema }: Place): Issue[] {
  const isOpen = schema?.properties !== undefined || schema?.additionalProperties !== undefined;
  if (schema === undefined || !isOpen) return [{ path, code: 'INVALID_TYPE', message: referenceHint }];
  return Object.entries(node).flatMap(([field, inner]) => {
    const known = fieldSchema(schema, field);
    if (known === undefined) return [unknownField([...path, field], ownerName(type, path.slice(1)), schema)];
    return checkNode(inner, { type, path: [...path, field], schema: known });
  });
}

function checkNode(node: unknown, place: Place): Issue[] {
  const { path, schema } = place;
  if (isReference(node)) {
    const { error } = reference.safeParse(node);
    return error ? issuesOf(error).map((issue) => ({ ...issue, path: [...path, ...issue.path] })) : [];
  }
  if (Array.isArray(node)) {
    if (schema?.type !== 'array') return [{ path, code: 'INVALID_TYPE', message: 'must not be a list' }];
    const items = elementSchema(schema);
    return node.flatMap((element: unknown, index) =>
      checkNode(element, { ...place, path: [...path, String(index)], schema: items }),
    );
  }
  if (isObject(node)) return checkObject(node, place);
  if (node === null) return [{ path, code: 'REQUIRED', message: 'must not be null. Leave the field out' }];
  if (schema?.type === 'array') return [{ path, code: 'INVALID_TYPE', message: 'must be a list' }];
  return schema?.type === 'object' ? [{ path, code: 'INVALID_TYPE', message: 'must be an object' }] : [];
}

const header = z.looseObject({ type: z.enum(recordTypes) });

function checkTemplate(template: unknown, path: string[]): Issue[] {
  const { data, error } = header.safeParse(template);
  if (error) return issuesOf(error).map((issue) => ({ ...issue, path: [...path, ...issue.path] }));
  const fields = fieldsOf(template as Fields);
  // The index of the template is no part of the field's path.
  return checkObject(fields, { type: data.type, path: [path.join('.')], schema: recordSchemas[data.type] });
}

function fieldsOf({ type: _, ...fields }: Fields): Fields {
  return fields;
}

function lineOf({ path, message }: Issue): string {
  return `- ${path.filter((part) => part !== '').join('.') || 'The mapping'} ${message}`;
}

/** Checks a mapping. `name` is the file's. Throws StartupError with every problem. */
export function parseMapping(content: unknown, name: string): Mapping {
  const templates: unknown[] = Array.isArray(content) ? content : [content];
  const issues = templates.flatMap((template, index) =>
    checkTemplate(template, Array.isArray(content) ? [String(index)] : []),
  );
  if (templates.length === 0) throw new StartupError(`${name} has no template. Add one for each record.`);
  if (issues.length > 0)
    throw new StartupError(`${name} is not a valid mapping:\n${issues.map(lineOf).join('\n')}`);
  return templates.map((template) => {
    return { type: (template as Template).type, fields: fieldsOf(template as Fields) };
  });
}

/** Reads a mapping from a file. Throws StartupError. */
export async function readMapping(file: string): Promise<Mapping> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error);
  });
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new StartupError(`${file} is not valid JSON: ${(error as SyntaxError).message}.`);
  }
  return parseMapping(content, file);
}

function sourcesIn(node: unknown): string[] {
  if (isReference(node)) return [node.from];
  return isObject(node) ? Object.values(node).flatMap(sourcesIn) : [];
}

/** Returns the names in the source that a mapping reads. */
export function sourcesOf(mapping: Mapping): string[] {
  return [...new Set(mapping.flatMap(({ fields }) => sourcesIn(fields)))];
}
