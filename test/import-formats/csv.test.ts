import { describe, expect, it } from 'vitest';
import { parseMapping } from '../../src/import-formats/mapping.ts';
import { badRowsOf, isBad, problemOf, recordsOf, rowsOf } from './reading.ts';

const accounts = { format: 'csv', type: 'account' } as const;
const customers = { format: 'csv', type: 'customer' } as const;
const inputs = async (content: string, options: Parameters<typeof recordsOf>[1] = accounts) =>
  (await recordsOf(content, options)).map(({ input }) => input);

describe('CSV', () => {
  it('has lists as JSON or separated by semicolons', async () => {
    expect(await inputs('aliases,tags\na; b ;;c,"[""x;y""]"\n')).toEqual([
      { aliases: ['a', 'b', 'c'], tags: ['x;y'] },
    ]);
  });

  it('has metadata as JSON and in columns', async () => {
    const csv = 'id,metadata,metadata.po,metadata.a.b\nC1,"{""ref"":""1"",""po"":""x""}",7,\nC2,,,z\nC3,,,\n';
    expect(await inputs(csv, customers)).toEqual([
      { id: 'C1', metadata: { ref: '1', po: '7' } },
      { id: 'C2', metadata: { 'a.b': 'z' } },
      { id: 'C3' },
    ]);
  });

  it('has no field for an empty cell, and no record for a blank row', async () => {
    const csv = 'id,address.city,address.country,settings\r\nA1,, ,[]\r\n,,,\r\n\r\nA2,Rome,IT,\r\n';
    expect(await inputs(csv)).toEqual([{ id: 'A1' }, { id: 'A2', address: { city: 'Rome', country: 'IT' } }]);
  });

  it('can have blank lines before its header', async () => {
    expect(await inputs('\uFEFF\r\n\r\nid\r\nA1\r\n')).toEqual([{ id: 'A1' }]);
  });

  it('counts lines in quotes', async () => {
    const rows = await rowsOf('id,name\r\nA1,"two\r\nlines"\r\nA2,one\r\n', accounts);
    expect(rows.map(({ line }) => line)).toEqual([2, 4]);
    expect(rows[0]).toMatchObject({ record: { input: { name: 'two\r\nlines' } } });
  });

  it('leaves the cells of other columns to the rules', async () => {
    expect(await inputs('id,netTermDays\nA1,45\nA2,soon\n')).toEqual([
      { id: 'A1', netTermDays: 45 },
      { id: 'A2', netTermDays: 'soon' },
    ]);
  });

  it('ignores system fields', async () => {
    expect(await inputs('id,nodeId,version,createdAt,updatedAt\nA1,account_1,3,x,y\n')).toEqual([
      { id: 'A1' },
    ]);
  });

  it.each([
    ['too many cells', 'A1,b,c', [], 'TOO_MANY', /must have 2 cells like the header, has 3/],
    ['too few cells', 'A1', [], 'TOO_FEW', /must have 2 cells like the header, has 1/],
    ['a quote in a cell', 'A1,5" pipe', [], 'INVALID_FORMAT', /quote in the middle of a cell/],
    ['text behind a quote', 'A1,"a"b', [], 'INVALID_FORMAT', /text behind the closing quote/],
    ['JSON that does not parse', 'A1,{a}', ['metadata'], 'INVALID_FORMAT', /must be valid JSON: /],
  ])('has a bad row if it has %s', async (_, row, path, code, message) => {
    const rows = await rowsOf(`id,metadata\nA0,\n${row}\nA2,\n`, accounts);
    expect(rows.map(isBad)).toEqual([false, true, false]);
    expect(rows[1]).toMatchObject({
      line: 3,
      problem: { path, code, message: expect.stringMatching(message) },
      raw: row,
    });
  });

  it('has a bad row if a quote never ends', async () => {
    const bad = await badRowsOf('id,name\nA1,a\nA2,"b\nA3,c\n', accounts);
    expect(bad).toMatchObject([
      { line: 3, problem: { message: expect.stringContaining('quote that never ends') } },
    ]);
  });

  it('refuses metadata that is no object beside its columns', async () => {
    const problem = await problemOf('id,metadata,metadata.a\nC1,5,x\n', customers);
    expect(problem).toMatchObject({ path: ['metadata'], code: 'INVALID_TYPE' });
  });

  it.each([
    [
      'an unknown column',
      'id,adress.line1\n',
      'unknown column "adress.line1". Did you mean `address.line1`? Known columns: id,',
    ],
    ['the column of another type', 'id,customerId\n', 'unknown column "customerId".'],
    ['a column without a name', 'id,\n', 'unknown column "".'],
    ['a prototype', 'id,address.__proto__\n', 'unknown column "address.__proto__".'],
    ['a column twice', 'id,name,id\n', 'has two columns "id".'],
    ['semicolons', 'id;name;primaryEmail\n', 'are not separated by commas.'],
    ['a header with a quote in it', 'id,a"b\n', 'The header of'],
    ['a header that is too long', `${'x'.repeat(2_000_000)}\n`, 'must have at most 1000000 bytes'],
    ['no header', '', 'is empty. The first line must name the columns.'],
  ])('is refused before a row is read if it has %s', async (_, content, message) => {
    await expect(rowsOf(`${content}C1,x\n`.slice(content === '' ? 5 : 0), customers)).rejects.toThrow(
      message,
    );
  });

  it('needs a type', async () => {
    await expect(rowsOf('id\nA1\n', { format: 'csv' })).rejects.toThrow('Give `--type customer`');
  });

  it('is refused if it lacks columns of the mapping', async () => {
    const template = { type: 'account', id: { from: 'Account ID' }, tags: [{ from: 'Segment' }] };
    const options = { format: 'csv', mapping: parseMapping(template, 'mapping.json') } as const;
    await expect(rowsOf('Acount ID,Other\nA1,x\n', options)).rejects.toThrow(
      'has no column "Account ID". Did you mean `Acount ID`? It has no column "Segment". Its columns: "Acount ID", "Other".',
    );
  });

  it('keeps keys of prototypes as keys', async () => {
    const [input] = await inputs('id,metadata.__proto__\nC1,x\n', customers);
    expect(Object.entries(input?.metadata ?? {})).toEqual([['__proto__', 'x']]);
  });
});
