import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BadRow, type ReadOptions, readRecords, type SourceRow } from '../../src/import-formats/read.ts';

type Content = string | Buffer;

/** Calls a function with the path of a file that holds this content. */
export async function withFile<T>(content: Content, work: (file: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'import-'));
  try {
    const file = join(directory, 'source');
    writeFileSync(file, content);
    return await work(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

export async function collect<T>(rows: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

export const read = (file: string, options: ReadOptions) => collect(readRecords(file, options));

/** Reads all rows of a file with this content. */
export function rowsOf(content: Content, options: ReadOptions): Promise<(SourceRow | BadRow)[]> {
  return withFile(content, (file) => read(file, options));
}

export const isBad = (row: SourceRow | BadRow): row is BadRow => 'problem' in row;

/** Reads the records of a file with this content. Fails if a row is bad. */
export async function recordsOf(content: Content, options: ReadOptions): Promise<SourceRow['record'][]> {
  const rows = await rowsOf(content, options);
  return rows.map((row) => {
    if (isBad(row)) throw new Error(`Line ${row.line} is bad: ${JSON.stringify(row.problem)}`);
    return row.record;
  });
}

/** Reads the bad rows of a file with this content. */
export async function badRowsOf(content: Content, options: ReadOptions): Promise<BadRow[]> {
  return (await rowsOf(content, options)).filter(isBad);
}

/** Returns what is wrong with the only bad row, without its suggestions. */
export async function problemOf(content: Content, options: ReadOptions): Promise<BadRow['problem']> {
  const [bad, ...others] = await badRowsOf(content, options);
  if (bad === undefined || others.length > 0) throw new Error('Expected exactly one bad row.');
  return bad.problem;
}
