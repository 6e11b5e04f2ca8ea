import { isReference, type Reference, type Template } from './mapping.ts';
import { type ImportRecord, toRecord } from './record.ts';
import { type Fields, isAbsent, isObject, parseJson, refusal, splitList } from './values.ts';

/** Returns the value at a name, or at a path such as `address.city`. */
function lookUp(source: Fields, name: string): unknown {
  if (Object.hasOwn(source, name)) return source[name];
  let value: unknown = source;
  for (const part of name.split('.')) {
    if (!isObject(value) || !Object.hasOwn(value, part)) return undefined;
    value = value[part];
  }
  return value;
}

function toNumber(value: unknown, from: string, path: string[]): unknown {
  if (typeof value !== 'string') return value;
  const text = value.trim();
  if (/^[+-]?\d+(\.\d+)?$/.test(text)) return Number(text);
  const shown = JSON.stringify(text.slice(0, 50));
  throw refusal(path, 'INVALID_FORMAT', `must be a number, but \`${from}\` is ${shown}`);
}

function converted(value: unknown, { from, as }: Reference, path: string[]): unknown {
  if (as === 'number') return toNumber(value, from, path);
  if (as === 'string') return isObject(value) ? value : String(value);
  if (typeof value !== 'string') return value;
  if (as === 'json') return parseJson(value, path);
  if (as === 'lower') return value.toLowerCase();
  return as === 'upper' ? value.toUpperCase() : value;
}

function resolve(reference: Reference, source: Fields, path: string[]): unknown {
  const raw = lookUp(source, reference.from);
  if (isAbsent(raw)) return reference.default;
  const { split } = reference;
  const values = split !== undefined && typeof raw === 'string' ? splitList(raw, split) : raw;
  const value = Array.isArray(values)
    ? values.map((one: unknown) => converted(one, reference, path))
    : converted(values, reference, path);
  return isAbsent(value) ? reference.default : value;
}

/** Fills a node. Returns undefined if it is empty, or, in a list, if any of its references is absent. */
function fill(node: unknown, source: Fields, path: string[], isInList: boolean): unknown {
  if (isReference(node)) return resolve(node, source, path);
  if (Array.isArray(node)) {
    const elements = node.map((element: unknown, index) =>
      fill(element, source, [...path, String(index)], true),
    );
    const filled = elements.filter((element) => element !== undefined);
    return filled.length === 0 ? undefined : filled;
  }
  if (!isObject(node)) return node;
  const entries = Object.entries(node).map(([field, inner]) => {
    return [field, fill(inner, source, [...path, field], isInList)] as const;
  });
  const filled = entries.filter(([, value]) => value !== undefined);
  if (filled.length === 0 || (isInList && filled.length < entries.length)) return undefined;
  return Object.fromEntries(filled);
}

/** Returns the record that a template makes of a row. Throws InvalidInputError. */
export function fillTemplate({ type, fields }: Template, source: Fields): ImportRecord {
  return toRecord(type, (fill(fields, source, [], false) as Fields | undefined) ?? {});
}
