import { InvalidInputError, type IssueCode } from '../lib/errors.ts';
import { maxMetadataKeys, metadataValueLength } from '../lib/fields.ts';

/** Values of a source or of a record, by their names. Nothing about them is checked. */
export type Fields = Record<string, unknown>;

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** Creates the error of one problem in a row. The message continues a sentence that starts with the path. */
export function refusal(path: string[], code: IssueCode, message: string): InvalidInputError {
  return new InvalidInputError([{ path, code, message }]);
}

/** Returns whether a source has no value: nothing, blank text, or an empty list or object. */
export function isAbsent(value: unknown): boolean {
  if (typeof value === 'string') return value.trim() === '';
  if (isObject(value)) return Object.keys(value).length === 0;
  return value === undefined || value === null;
}

/** Leaves out fields without a value. */
export function present(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => !isAbsent(value)));
}

/** Parses JSON. Throws InvalidInputError with the reason. */
export function parseJson(text: string, path: string[]): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refusal(path, 'INVALID_FORMAT', `must be valid JSON: ${(error as SyntaxError).message}`);
  }
}

/** Splits a text into its values, without white space around them. */
export function splitList(text: string, separator: string): string[] {
  const values = text.split(separator).map((value) => value.trim());
  return values.filter((value) => value !== '');
}

/**
 * Adds what has no field of its own to the metadata of a source. Leaves out values that are too long, and all that would
 * exceed the number of keys.
 */
export function extendMetadata(own: unknown, additions: Fields): Fields {
  const metadata: [string, unknown][] = isObject(own) && !Array.isArray(own) ? Object.entries(own) : [];
  for (const [key, value] of Object.entries(present(additions))) {
    const fits = metadata.length < maxMetadataKeys && [...String(value)].length <= metadataValueLength.max;
    if (fits && !isObject(value) && !metadata.some(([other]) => other === key))
      metadata.push([key, String(value)]);
  }
  return Object.fromEntries(metadata);
}
