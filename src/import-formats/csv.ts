import { CsvError, parse } from 'csv-parse/sync';
import type { RecordType } from '../import/rules.ts';
import { InvalidInputError, StartupError } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import { suggestion } from '../lib/nearest.ts';
import { listFirst } from '../lib/wording.ts';
import {
  elementSchema,
  fieldNames,
  fieldSchema,
  recordSchemas,
  type Schema,
  systemFields,
} from './record.ts';
import { type Row, textOf } from './split-rows.ts';
import { type Fields, isObject, parseJson, present, refusal, splitList } from './values.ts';

const explanations: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'has a quote that never ends. Add the closing quote',
  INVALID_OPENING_QUOTE:
    'has a quote in the middle of a cell. Put the whole cell in quotes, and double the inner ones',
  CSV_INVALID_CLOSING_QUOTE:
    'has text behind the closing quote of a cell. Double quotes that belong to the text',
};

/** Splits a row into cells. Returns undefined for an empty row. Throws InvalidInputError. */
export function cellsOf(row: Row): string[] | undefined {
  const text = textOf(row);
  try {
    const options = { record_delimiter: ['\r\n', '\n'], relax_column_count: true };
    const [cells = []]: string[][] = parse(text, options);
    return cells.some((cell) => cell.trim() !== '') ? cells : undefined;
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw refusal([], 'INVALID_FORMAT', explanations[error.code] ?? `is not CSV: ${error.message}`);
  }
}

/** Reads the header. Throws StartupError if it is unusable. */
export function headerOf(file: string, row: Row): string[] {
  const columns = headerCells(file, row).map((cell) => cell.trim());
  const seen = new Set<string>();
  const repeated = columns.find((column) => column !== '' && seen.size === seen.add(column).size);
  if (repeated !== undefined)
    throw new StartupError(`${file} has two columns ${JSON.stringify(repeated)}. Rename or remove one.`);
  const [only = ''] = columns;
  if (columns.length === 1 && /[;\t|]/.test(only))
    throw new StartupError(`The columns of ${file} are not separated by commas. Save it as CSV with commas.`);
  return columns;
}

function headerCells(file: string, row: Row): string[] {
  try {
    return cellsOf(row) ?? [];
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error;
    throw new StartupError(`The header of ${file} ${error.issues[0]?.message ?? 'is not CSV'}.`);
  }
}

/** Returns the cells of a row under their columns. */
export function namedCells(columns: string[], cells: string[]): Record<string, string> {
  if (cells.length === columns.length)
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? '']));
  const message = `must have ${columns.length} cells like the header, has ${cells.length}`;
  throw refusal([], cells.length > columns.length ? 'TOO_MANY' : 'TOO_FEW', message);
}

/** Throws StartupError if a column is missing that an import reads. */
export function requireColumns(file: string, columns: string[], needed: string[]): void {
  const missing = needed.filter((column) => !columns.includes(column));
  if (missing.length === 0) return;
  const problems = missing.map((name) => `no column ${JSON.stringify(name)}.${suggestion(name, columns)}`);
  throw new StartupError(
    `${file} has ${problems.join(' It has ')} Its columns: ${listFirst(columns, columns.length, 30)}.`,
  );
}

interface Column {
  name: string;
  /** The field, and the field in it if it is an object. */
  path: [string, string?];
  parse: (cell: string) => unknown;
}

function listOf(cell: string, name: string): unknown {
  if (cell.trimStart().startsWith('[')) return parseJson(cell, [name]);
  return splitList(cell, ';');
}

const isNumber = (cell: string) => /^\s*-?\d+(\.\d+)?\s*$/.test(cell);

function parserOf(name: string, schema: Schema): Column['parse'] {
  if (schema.type === 'array' && elementSchema(schema)?.type === 'string')
    return (cell) => listOf(cell, name);
  if (schema.type === 'array' || schema.type === 'object') return (cell) => parseJson(cell, [name]);
  // The rule refuses other text, and says what the field needs.
  if (schema.type === 'integer') return (cell) => (isNumber(cell) ? Number(cell) : cell);
  return (cell) => cell;
}

/** Returns the columns of a record type. */
function columnsOf(type: RecordType): Column[] {
  const schema = recordSchemas[type];
  return fieldNames(schema).flatMap((field) => {
    const own = fieldSchema(schema, field) ?? {};
    const parts = fieldNames(own);
    if (parts.length === 0) return [{ name: field, path: [field], parse: parserOf(field, own) }];
    return parts.map((part): Column => {
      const name = `${field}.${part}`;
      return { name, path: [field, part], parse: parserOf(name, fieldSchema(own, part) ?? {}) };
    });
  });
}

const metadataPrefix = 'metadata.';

function findColumn(file: string, name: string, known: Column[]): Column | undefined {
  if (systemFields.includes(name)) return undefined;
  if (name.startsWith(metadataPrefix) && name.length > metadataPrefix.length)
    return { name, path: ['metadata', name.slice(metadataPrefix.length)], parse: (cell) => cell };
  const found = known.find((column) => column.name === name);
  if (found !== undefined) return found;
  const names = known.map((column) => column.name);
  throw new StartupError(
    `${file} has an unknown column ${JSON.stringify(name)}.${suggestion(name, names)} Known columns: ${names.join(', ')}, metadata.<key>.`,
  );
}

function fieldOf(columns: Column[], cells: Record<string, string>): unknown {
  const filled = columns.flatMap(({ name, path: [, part], parse }) => {
    const cell = cells[name] ?? '';
    return cell.trim() === '' ? [] : [{ part, value: parse(cell) }];
  });
  const whole = filled.find(({ part }) => part === undefined);
  const parts = filled.flatMap(({ part, value }) => (part === undefined ? [] : [[part, value] as const]));
  if (parts.length === 0) return whole?.value;
  const object = whole === undefined ? {} : whole.value;
  if (isObject(object) && !Array.isArray(object)) return { ...object, ...Object.fromEntries(parts) };
  throw refusal(['metadata'], 'INVALID_TYPE', 'must be a JSON object');
}

/** Returns a function from the cells of a row to fields. Throws StartupError for an unknown column. */
export function csvFields(
  file: string,
  type: RecordType,
  header: string[],
): (cells: Record<string, string>) => Fields {
  const known = columnsOf(type);
  const columns = header.flatMap((name) => findColumn(file, name, known) ?? []);
  const fields = [...groupBy(columns, ({ path: [field] }) => field)];
  return (cells) => present(Object.fromEntries(fields.map(([field, own]) => [field, fieldOf(own, cells)])));
}
