import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonScanner } from '../../src/import-formats/json-scanner.ts';
import { parseMapping } from '../../src/import-formats/mapping.ts';
import { csvScanner, type Scan, scanLines, splitRows } from '../../src/import-formats/split-rows.ts';
import { togaiPage } from './fixtures.ts';
import { collect, isBad, read, rowsOf, withFile } from './reading.ts';

const breaks = fc.constantFrom('\n', '\r\n');
/** Texts with what separates cells and rows, and with letters of one to four bytes. */
const text = fc
  .array(
    fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('"', '""', ',', '\n', '\r\n', '\\', '[', '}')),
  )
  .map((parts) => `x${parts.join('')}`);

const account = fc.record(
  {
    id: text,
    customerId: text,
    name: text,
    netTermDays: fc.nat(),
    address: fc.record({ line1: text, city: text }),
    aliases: fc.array(text, { minLength: 1, maxLength: 12 }),
    settings: fc.array(fc.record({ id: text, value: text }), { minLength: 1, maxLength: 2 }),
    metadata: fc.dictionary(text, text, { minKeys: 1, maxKeys: 3 }),
  },
  { requiredKeys: ['id'] },
);
const accounts = fc.array(account, { maxLength: 6 });

const columns = [
  'id',
  'customerId',
  'name',
  'netTermDays',
  'address.line1',
  'address.city',
  'aliases',
  'settings',
  'metadata',
];

function toCsv(rows: Record<string, unknown>[], lineBreak: string): string {
  const cell = (row: Record<string, unknown>, column: string) => {
    const [field = '', part] = column.split('.');
    const value =
      part === undefined ? row[field] : (row[field] as Record<string, unknown> | undefined)?.[part];
    return typeof value === 'object' ? JSON.stringify(value) : value;
  };
  const table = [columns, ...rows.map((row) => columns.map((column) => cell(row, column)))];
  return stringify(table, { quoted_string: true, record_delimiter: lineBreak });
}

interface Style {
  lineBreak: string;
  mark: string;
  /** Whether the last line has a line break. */
  ends: boolean;
}
const style: fc.Arbitrary<Style> = fc.record({
  lineBreak: breaks,
  mark: fc.constantFrom('', '\uFEFF'),
  ends: fc.boolean(),
});

const styled = (body: string, { lineBreak, mark, ends }: Style) =>
  mark + (ends || !body.endsWith(lineBreak) ? body : body.slice(0, -lineBreak.length));

/** Expects the same rows when a file is read in two pieces, at every offset. */
async function expectPieces(content: string, options: Parameters<typeof read>[1], expected: unknown[]) {
  await withFile(content, async (file) => {
    const all = await read(file, options);
    expect(all.map((row) => (isBad(row) ? row.problem : row.record.input))).toEqual(expected);
    for (const [index, { offset }] of all.entries())
      expect(await read(file, { ...options, from: offset })).toEqual(all.slice(index + 1));
  });
}

describe('readRecords', () => {
  it('reads CSV in pieces, from every offset', async () => {
    await fc.assert(
      fc.asyncProperty(accounts, style, (rows, form) =>
        expectPieces(styled(toCsv(rows, form.lineBreak), form), { format: 'csv', type: 'account' }, rows),
      ),
      { numRuns: 60 },
    );
  });

  it('reads NDJSON in pieces, from every offset', async () => {
    await fc.assert(
      fc.asyncProperty(accounts, style, (rows, form) => {
        const lines = rows.map((row) => JSON.stringify({ type: 'account', ...row }) + form.lineBreak);
        return expectPieces(styled(lines.join(form.lineBreak), form), { format: 'ndjson' }, rows);
      }),
      { numRuns: 60 },
    );
  });

  it('reads JSON documents in pieces, from every offset', async () => {
    const spaces = fc.constantFrom(undefined, 1, '\t');
    await fc.assert(
      fc.asyncProperty(
        fc.array(accounts, { maxLength: 3 }),
        spaces,
        fc.boolean(),
        async (pages, space, isArray) => {
          const shown = pages.map((page) =>
            togaiPage(...page.map((row) => ({ togaiAccountId: 'a', ...row }))),
          );
          const text = isArray
            ? JSON.stringify(shown, null, space)
            : shown.map((page) => JSON.stringify(page, null, space)).join('\n');
          // Plain strings stay as they are.
          await expectPieces(text, { format: 'togai' }, pages.flat());
        },
      ),
      { numRuns: 60 },
    );
  });

  it('repeats a row if the import stopped between its records', async () => {
    const mapping = parseMapping(
      [
        { type: 'customer', id: { from: 'id' } },
        { type: 'account', id: { from: 'id' }, customerId: { from: 'id' } },
      ],
      'mapping.json',
    );
    await withFile('id\nA\nB\n', async (file) => {
      const options = { format: 'csv', mapping } as const;
      const all = await read(file, options);
      expect(all.map(({ line, offset }) => [line, offset])).toEqual([
        [2, 3],
        [2, 5],
        [3, 5],
        [3, 7],
      ]);
      expect(await read(file, { ...options, from: 3 })).toEqual(all);
      expect(await read(file, { ...options, from: 5 })).toEqual(all.slice(2));
    });
  });

  it.each([4, 1000])('refuses to resume at byte %i, where no row ends', async (from) => {
    const line = '{"type":"customer","id":"A"}\n';
    await expect(rowsOf(line + line, { format: 'ndjson', from })).rejects.toThrow(
      `ends at byte ${from}, so the file is not the one`,
    );
  });
});

describe('splitRows', () => {
  async function* inChunks(bytes: Buffer, size: number) {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  async function split(bytes: Buffer, scan: Scan, size: number) {
    const rows = await collect(splitRows(inChunks(bytes, size), scan, 0));
    return rows.map(({ bytes, ...place }) => ({ ...place, text: bytes.toString() }));
  }

  it.each([
    ['lines', () => scanLines],
    ['CSV', csvScanner],
    ['JSON', () => jsonScanner(['data']).scan],
  ])('finds the same rows of %s in chunks of any size', async (_, scanner) => {
    await fc.assert(
      fc.asyncProperty(accounts, fc.integer({ min: 1, max: 40 }), async (rows, size) => {
        for (const content of [toCsv(rows, '\r\n'), JSON.stringify([togaiPage(...rows), ...rows], null, 1)]) {
          const bytes = Buffer.from(content);
          expect(await split(bytes, scanner(), size)).toEqual(await split(bytes, scanner(), bytes.length));
        }
      }),
      { numRuns: 60 },
    );
  });
});
