import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { describe, expect, it } from 'vitest';
import { createAccountInput } from '../../src/account/rules.ts';
import { createCustomerInput } from '../../src/customer/rules.ts';
import { parseMapping } from '../../src/import-formats/mapping.ts';
import type { ImportRecord } from '../../src/import-formats/record.ts';
import { root } from '../support/source.ts';
import { lagoCustomer, lagoPage, stripeCustomer, stripeList } from './fixtures.ts';
import { recordsOf } from './reading.ts';

const page = readFileSync(join(root, 'docs/import.md'), 'utf8');
const rules = { customer: createCustomerInput, account: createAccountInput };

/** Returns the text below a heading, until the next one. */
function section(heading: string): string {
  const [, text = ''] = page.split(new RegExp(`^#+ ${heading}$`, 'm'));
  return text.split(/^#/m)[0] ?? '';
}

/** Returns the blocks of code of a section. */
function blocks(heading: string): string[] {
  return [...section(heading).matchAll(/^```\w+\n(.*?)^```$/gms)].map(([, code = '']) => code);
}

/** Returns the rows of a section's table, each with the names in its cells. */
function rowsBelow(heading: string): string[][] {
  const rows = [...section(heading).matchAll(/^\| (?=`| \|)?(.*) \|$/gm)].map(([, cells = '']) =>
    cells.split(/ ?\| ?/).map((cell) => /^`(.*)`$/.exec(cell.trim())?.[1] ?? ''),
  );
  return rows.filter((cells) => cells.some((cell) => cell !== ''));
}

function at(value: unknown, path: string): unknown {
  const inner = (value as Record<string, unknown>)[path];
  if (inner !== undefined || !path.includes('.')) return inner;
  const [first = '', ...rest] = path.split('.');
  return at((value as Record<string, unknown>)[first], rest.join('.'));
}

function expectValid(records: ImportRecord[]) {
  for (const { type, input } of records) expect(rules[type].safeParse(input).error).toBeUndefined();
}

/** Expects that a value of the source is at a path of the record, except for upper case. */
function expectAt(record: ImportRecord | undefined, path: string | undefined, value: unknown) {
  if (path) expect(String(at(record?.input, path)).toUpperCase(), path).toBe(String(value).toUpperCase());
}

describe('docs/import.md', () => {
  it('shows records that the rules accept', async () => {
    const [records = ''] = blocks('Records');
    const found = await recordsOf(records, { format: 'ndjson' });
    expect(found.map(({ type }) => type)).toEqual(['customer', 'account']);
    expectValid(found);
  });

  it('shows CSV that is read as it says', async () => {
    const [csv = ''] = blocks('CSV');
    const found = await recordsOf(csv, { format: 'csv', type: 'account' });
    expectValid(found);
    expect(found.map(({ input }) => input)).toEqual([
      {
        id: 'A1',
        customerId: 'C1',
        name: 'Acme East',
        netTermDays: 45,
        address: { city: 'Florence' },
        billingInformation: { emailRecipients: ['a@acme.example', 'b@acme.example'] },
        aliases: ['acme;east'],
        datedAliases: [{ value: 'acme' }],
        metadata: { region: 'East' },
      },
    ]);
  });

  it('shows a mapping with its source and its records', async () => {
    const [mapping = '', csv = '', records = ''] = blocks('Mapping');
    const options = { format: 'csv', mapping: parseMapping(JSON.parse(mapping), 'mapping.json') } as const;
    const found = await recordsOf(csv, options);
    expectValid(found);
    const lines = records.trimEnd().split('\n');
    expect(found.map(({ type, input }) => JSON.stringify({ type, ...input }))).toEqual(lines);
  });

  it('says what becomes of each field of a customer of the Stripe API', async () => {
    const found = await recordsOf(JSON.stringify(stripeList(stripeCustomer)), { format: 'stripe' });
    expectValid(found);
    const rows = rowsBelow('Stripe').filter(([source]) => source !== '');
    expect(rows).toHaveLength(18);
    for (const [source = '', , customer, account] of rows) {
      expectAt(found[0], customer, at(stripeCustomer, source));
      expectAt(found[1], account, at(stripeCustomer, source));
    }
  });

  it("says what becomes of each column of Stripe's CSV", async () => {
    const rows = rowsBelow('Stripe').filter(([, column]) => column !== '');
    expect(rows).toHaveLength(15);
    const columns = [...new Set(rows.map(([, column = '']) => column))];
    const cells = columns.map((column) => {
      const [source = ''] = rows.find((row) => row[1] === column) ?? [];
      return source === '' ? 'DE123456789' : String(at(stripeCustomer, source));
    });
    const found = await recordsOf(stringify([columns, cells]), { format: 'stripe' });
    expectValid(found);
    for (const [, column = '', customer, account] of rows) {
      expectAt(found[0], customer, cells[columns.indexOf(column)]);
      expectAt(found[1], account, cells[columns.indexOf(column)]);
    }
  });

  it('says what becomes of each field of a customer of the Lago API', async () => {
    const found = await recordsOf(JSON.stringify(lagoPage(lagoCustomer)), { format: 'lago' });
    expectValid(found);
    const rows = rowsBelow('Lago');
    expect(rows).toHaveLength(26);
    for (const [source = '', customer, account] of rows) {
      expectAt(found[0], customer, at(lagoCustomer, source));
      expectAt(found[1], account, at(lagoCustomer, source));
    }
  });

  it('lists every value that a record of Stripe or Lago has', async () => {
    const paths = (value: object, path = ''): string[] =>
      Object.entries(value).flatMap(([key, inner]) => {
        const own = path === '' ? key : `${path}.${key}`;
        return typeof inner === 'object' ? paths(inner as object, own) : [own];
      });
    const sources = [
      { heading: 'Stripe', text: JSON.stringify(stripeCustomer), format: 'stripe', column: 2 },
      { heading: 'Lago', text: JSON.stringify(lagoCustomer), format: 'lago', column: 1 },
    ] as const;
    for (const { heading, text, format, column } of sources) {
      const found = await recordsOf(text, { format });
      const listed = rowsBelow(heading);
      for (const [index, { input }] of found.entries()) {
        const names = listed.map((row) => row[column + index]);
        const missing = paths(input).filter((path) => !names.includes(path));
        expect(missing).toEqual(format === 'stripe' && index === 0 ? ['metadata.sales region'] : []);
      }
    }
  });
});
