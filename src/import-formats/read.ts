import { type ImportFormat, type RecordType, recordTypes } from '../import/rules.ts';
import { InvalidInputError, type Issue, StartupError } from '../lib/errors.ts';
import { cellsOf, csvFields, headerOf, namedCells, requireColumns } from './csv.ts';
import { openFile, type SourceFile } from './file.ts';
import { type JsonScanner, jsonScanner } from './json-scanner.ts';
import { lagoRecords } from './lago.ts';
import { type Mapping, sourcesOf } from './mapping.ts';
import { type ImportRecord, systemFields, toRecord } from './record.ts';
import { csvScanner, maxRowBytes, type Row, type Scan, scanLines, splitRows, textOf } from './split-rows.ts';
import { stripeRecords, stripeRowRecords } from './stripe.ts';
import { fillTemplate } from './template.ts';
import { togaiRecords } from './togai.ts';
import { type Fields, isObject, parseJson, refusal } from './values.ts';

/** The place of a row in its file. */
interface Place {
  /** The number of the line where the row begins, or of the element in a JSON document, from 1. */
  line: number;
  unit: 'line' | 'element';
  /**
   * The byte offset at which to resume after this row. A row can make several records; all but the last have the offset
   * before the row, so that none is lost.
   */
  offset: number;
}

/** A record of a file, not yet validated. */
export interface SourceRow extends Place {
  record: ImportRecord;
}

/** A row that cannot become a record. The message continues a sentence that starts with the path. */
export interface BadRow extends Place {
  problem: Issue;
  /** The text of the row, or the first 1000 bytes of one that is too long. */
  raw: string;
}

export interface ReadOptions {
  format: ImportFormat;
  /** Keeps the records of one type. The type of the rows of a CSV file without a mapping, which is required. */
  type?: RecordType | undefined;
  mapping?: Mapping | undefined;
  /** The offset of a row that was read before. */
  from?: number | undefined;
}

type Convert<Value> = (value: Value) => ImportRecord[];

/** The lists of Togai's and Stripe's pages, and of Lago's. */
const pageLists = ['data', 'customers'];

/** How the rows of a file are found. */
interface Layout {
  kind: 'lines' | 'csv' | 'json';
  scan: Scan;
  json?: JsonScanner;
}

function layoutOf(format: ImportFormat, head: Buffer): Layout {
  const first = head.toString('latin1').trimStart()[0];
  if (format === 'csv' || (format === 'stripe' && first !== '{' && first !== '['))
    return { kind: 'csv', scan: csvScanner() };
  if (format === 'ndjson' && first !== '[') return { kind: 'lines', scan: scanLines };
  const json = jsonScanner(format === 'ndjson' ? [] : pageLists);
  return { kind: 'json', scan: json.scan, json };
}

/** Returns the record of a row in this product's own format. */
function ownRecord(value: Fields, usual: RecordType | undefined): ImportRecord {
  const { type = usual, ...fields } = value;
  const known = recordTypes.find((one) => one === type);
  if (known === undefined) {
    const message = `must be one of ${recordTypes.join(', ')}`;
    throw refusal(['type'], type === undefined ? 'REQUIRED' : 'INVALID_VALUE', message);
  }
  const input = Object.entries(fields).filter(([name]) => !systemFields.includes(name));
  return toRecord(known, Object.fromEntries(input));
}

function jsonConverter({ format, type, mapping }: ReadOptions): Convert<Fields> {
  if (mapping !== undefined) return (value) => mapping.map((template) => fillTemplate(template, value));
  if (format === 'togai') return togaiRecords;
  if (format === 'stripe') return stripeRecords;
  if (format === 'lago') return lagoRecords;
  return (value) => [ownRecord(value, type)];
}

/** Throws StartupError if the columns do not fit the import. */
function csvConverter(
  file: string,
  { format, type, mapping }: ReadOptions,
  columns: string[],
): Convert<Record<string, string>> {
  if (mapping !== undefined) {
    requireColumns(file, columns, sourcesOf(mapping));
    return (cells) => mapping.map((template) => fillTemplate(template, cells));
  }
  if (format === 'stripe') {
    requireColumns(file, columns, ['id']);
    return stripeRowRecords;
  }
  if (type === undefined)
    throw new StartupError('A CSV file has records of one type. Give `--type customer` or `--type account`.');
  const toFields = csvFields(file, type, columns);
  return (cells) => [toRecord(type, toFields(cells))];
}

function elementOf(row: Row): Fields | undefined {
  const text = textOf(row);
  if (text.trim() === '') return undefined;
  const value = parseJson(text, []);
  if (isObject(value) && !Array.isArray(value)) return value;
  throw refusal([], 'INVALID_TYPE', 'must be a JSON object');
}

/** Returns the function that makes records of a row, undefined for a blank row. */
function rowReader(file: string, options: ReadOptions, layout: Layout, header: Row | undefined) {
  if (layout.kind !== 'csv') {
    const convert = jsonConverter(options);
    return (row: Row) => {
      const value = elementOf(row);
      return value && convert(value);
    };
  }
  if (header === undefined) throw new StartupError(`${file} is empty. The first line must name the columns.`);
  const columns = headerOf(file, header);
  const convert = csvConverter(file, options, columns);
  return (row: Row) => {
    const cells = cellsOf(row);
    return cells && convert(namedCells(columns, cells));
  };
}

function problemOf({ issues }: InvalidInputError): Issue {
  const [first, ...others] = issues;
  if (first === undefined) throw new Error('An error about a row has no issue.');
  const more = others.map(({ path, message }) => `; ${path.join('.')} ${message}`);
  return { ...first, message: first.message + more.join('') };
}

function badRow(place: Place, row: Row, error: unknown): BadRow {
  if (!(error instanceof InvalidInputError)) throw error;
  return { ...place, problem: problemOf(error), raw: row.bytes.toString().replace(/\r?\n$/, '') };
}

/** Throws StartupError unless a row ended at the offset where the import resumes. */
function checkOffset(file: string, from: number, lastEnd: number): void {
  if (from === lastEnd) return;
  throw new StartupError(
    `No row of ${file} ends at byte ${from}, so the file is not the one whose import stopped there. Start again without resuming.`,
  );
}

/** Reports a JSON document without its end. */
function cutOff(place: Place): BadRow {
  const message = 'ends before its list does. Export it again, because records may be missing';
  return { ...place, problem: { path: ['file'], code: 'INVALID_FORMAT', message }, raw: '' };
}

/** Returns the first row that is not blank. */
async function headerIn(rows: AsyncGenerator<Row>): Promise<Row | undefined> {
  for (let { value, done } = await rows.next(); !done; { value, done } = await rows.next())
    if (value.size > maxRowBytes || value.bytes.toString().trim() !== '') return value;
  return undefined;
}

async function* readSource(
  file: string,
  source: SourceFile,
  options: ReadOptions,
): AsyncGenerator<SourceRow | BadRow> {
  const layout = layoutOf(options.format, source.head);
  const unit = layout.kind === 'json' ? 'element' : 'line';
  const { from = 0, type } = options;
  const rows = splitRows(source.chunks, layout.scan, source.start);
  const header = layout.kind === 'csv' ? await headerIn(rows) : undefined;
  const read = rowReader(file, options, layout, header);
  let [lastEnd, element] = [header?.end ?? source.start, 0];
  for await (const row of rows) {
    element += 1;
    const before = lastEnd;
    lastEnd = row.end;
    if (row.end <= from) continue;
    if (before < from) checkOffset(file, from, before);
    const line = unit === 'line' ? row.line : element;
    try {
      const records = (read(row) ?? []).filter((record) => type === undefined || record.type === type);
      for (const [index, record] of records.entries())
        yield { line, unit, offset: index < records.length - 1 ? before : row.end, record };
    } catch (error) {
      yield badRow({ line, unit, offset: row.end }, row, error);
    }
  }
  if (lastEnd < from) checkOffset(file, from, lastEnd);
  if (layout.json?.isOpen()) yield cutOff({ line: element + 1, unit, offset: lastEnd });
}

/**
 * Reads the records of a file in constant memory. Reads the file from its start even if `from` is given, because only
 * that tells the line numbers and whether a row ends there.
 * @throws StartupError before the first row for an unreadable file, an unsuitable header or an unsuitable `from`
 */
export async function* readRecords(file: string, options: ReadOptions): AsyncGenerator<SourceRow | BadRow> {
  const source = await openFile(file);
  try {
    yield* readSource(file, source, options);
  } finally {
    await source.close();
  }
}
