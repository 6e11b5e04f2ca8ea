import { describe, expect, it } from 'vitest';
import { maxRowBytes } from '../../src/import-formats/split-rows.ts';
import { togaiAccount, togaiPage } from './fixtures.ts';
import { badRowsOf, isBad, problemOf, read, recordsOf, rowsOf } from './reading.ts';

const ndjson = { format: 'ndjson' } as const;
const accountsCsv = { format: 'csv', type: 'account' } as const;
const good = '{"type":"customer","id":"C1"}';

describe('a row', () => {
  it.each([
    ['a text without JSON', 'id: C1', 'INVALID_FORMAT', /^must be valid JSON: Unexpected token/],
    ['JSON that is cut off', '{"type":"customer","id":', 'INVALID_FORMAT', /^must be valid JSON: /],
    ['a list', '[{"type":"customer"}]', 'INVALID_TYPE', /^must be a JSON object$/],
    ['a number', '42', 'INVALID_TYPE', /^must be a JSON object$/],
    ['null', 'null', 'INVALID_TYPE', /^must be a JSON object$/],
  ])('is bad if it is %s', async (_, line, code, message) => {
    const [, bad, after] = await rowsOf(`${good}\n${line}\n${good}\n`, ndjson);
    expect(bad).toMatchObject({
      line: 2,
      unit: 'line',
      problem: { path: [], code, message: expect.stringMatching(message) },
      raw: line,
    });
    expect(after).toMatchObject({ line: 3, record: { type: 'customer', input: { id: 'C1' } } });
  });

  it('is bad if it is not UTF-8', async () => {
    const latin = Buffer.from('{"type":"customer","id":"Söhne"}\r\n', 'latin1');
    const rows = await rowsOf(Buffer.concat([latin, Buffer.from(good)]), ndjson);
    expect(rows).toMatchObject([
      { line: 1, problem: { code: 'INVALID_FORMAT', message: expect.stringContaining('UTF-8') } },
      { line: 2, record: { input: { id: 'C1' } } },
    ]);
  });

  it.each([
    ['NDJSON', ndjson, (name: string) => `${good}\n{"type":"customer","name":"${name}"}\n${good}\n`],
    ['CSV', accountsCsv, (name: string) => `id,name\nA1,a\nA2,"${name}\n"\nA3,c\n`],
    [
      'a JSON document',
      { format: 'togai' } as const,
      (name: string) => `[{"id":"A1"}, {"name":"${name}"}, {"id":"A3"}]`,
    ],
  ])('of %s is bad if it has more than 1 MB', async (_, options, contentOf) => {
    const rows = await rowsOf(contentOf('x'.repeat(3 * maxRowBytes)), options);
    expect(rows.map(isBad)).toEqual([false, true, false]);
    expect(rows[1]).toMatchObject({ problem: { path: [], code: 'TOO_LONG' } });
    expect(String(rows[1] && isBad(rows[1]) && rows[1].raw).length).toBeLessThanOrEqual(1000);
  });

  it('can have nearly 1 MB', async () => {
    const name = 'x'.repeat(maxRowBytes - 100);
    const [record] = await recordsOf(JSON.stringify({ type: 'customer', name }), ndjson);
    expect(record?.input.name).toBe(name);
  });

  it('is bad if it is nested too deeply for code that follows it', async () => {
    const levels = 100_000;
    const line = `{"type":"customer","metadata":${'['.repeat(levels)}${']'.repeat(levels)}}`;
    const message = 'must have at most 20 levels';
    expect(await problemOf(line, ndjson)).toEqual({ path: [], code: 'INVALID_VALUE', message });
  });
});

describe('a record', () => {
  it.each([
    ['adress', { adress: {} }, ['adress'], 'is not a field of an account. Did you mean `address`?'],
    [
      'net_term_days',
      { net_term_days: 30 },
      ['net_term_days'],
      'is not a field of an account. Did you mean `netTermDays`?',
    ],
    [
      'a nested field',
      { address: { zip: '1' } },
      ['address', 'zip'],
      'is not a field of `address` of an account',
    ],
    [
      'a field of an element',
      { settings: [{}, { datatype: 'JSON' }] },
      ['settings', '1', 'datatype'],
      'is not a field of `settings` of an account. Did you mean `dataType`?',
    ],
    ['idempotencyKey', { idempotencyKey: 'k' }, ['idempotencyKey'], 'is not a field of an account'],
  ])('is refused if it has the unknown field %s', async (_, fields, path, message) => {
    const line = JSON.stringify({ type: 'account', id: 'A1', ...fields });
    expect(await problemOf(line, ndjson)).toEqual({ path, code: 'UNKNOWN_FIELD', message });
  });

  it('is refused with all its unknown fields', async () => {
    const { message } = await problemOf('{"type":"customer","account":{},"foo":1}', ndjson);
    expect(message).toBe('is not a field of a customer; foo is not a field of a customer');
  });

  it('cannot change prototypes', async () => {
    const line = '{"type":"customer","__proto__":{"id":"x"},"address":{"__proto__":{"city":"x"}}}';
    const { path, message } = await problemOf(line, ndjson);
    expect([path, message]).toEqual([
      ['__proto__'],
      expect.stringContaining('; address.__proto__ is not a field'),
    ]);
    const [record] = await recordsOf('{"type":"customer","metadata":{"__proto__":{"a":"b"}}}', ndjson);
    expect(Object.keys(record?.input.metadata ?? {})).toEqual(['__proto__']);
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  it('has no system fields', async () => {
    const fields = { id: 'A1', status: 'DRAFT' };
    const system = { nodeId: 'account_1', version: 3, createdAt: '2024-01-01T00:00:00Z', updatedAt: null };
    const [record] = await recordsOf(JSON.stringify({ type: 'account', ...fields, ...system }), ndjson);
    expect(record).toEqual({ type: 'account', input: fields });
  });

  it('has dates as the bounds of aliases', async () => {
    const datedAliases = [{ value: 'a', effectiveFrom: '2027-01-01T00:00:00Z', effectiveUntil: null }, 'b'];
    const [record] = await recordsOf(JSON.stringify({ type: 'account', datedAliases }), ndjson);
    const effectiveFrom = new Date('2027-01-01T00:00:00Z');
    expect(record?.input.datedAliases).toEqual([{ value: 'a', effectiveFrom, effectiveUntil: null }, 'b']);
    const wrong = JSON.stringify({ type: 'account', datedAliases: [{ value: 'a', effectiveUntil: 'soon' }] });
    expect(await problemOf(wrong, ndjson)).toMatchObject({
      path: ['datedAliases', '0', 'effectiveUntil'],
      code: 'INVALID_FORMAT',
    });
  });

  it('needs a type that exists', async () => {
    const message = 'must be one of customer, account';
    expect(await problemOf('{"id":"A1"}', ndjson)).toEqual({ path: ['type'], code: 'REQUIRED', message });
    const wrong = { path: ['type'], code: 'INVALID_VALUE', message };
    expect(await problemOf('{"type":"accounts"}', ndjson)).toEqual(wrong);
    expect(await recordsOf('{"id":"A1"}', { ...ndjson, type: 'account' })).toHaveLength(1);
  });

  it('of another type than the chosen one is left out', async () => {
    const lines = `${good}\n{"type":"account","id":"A1"}`;
    expect(await recordsOf(lines, { ...ndjson, type: 'account' })).toEqual([
      { type: 'account', input: { id: 'A1' } },
    ]);
  });
});

describe('a JSON document', () => {
  const ids = async (content: string) =>
    (await recordsOf(content, { format: 'togai' })).map(({ input }) => input.id);
  const [a, b, c] = ['A1', 'A2', 'A3'].map((id) => ({ ...togaiAccount, id }));

  it.each([
    ['an object', JSON.stringify(a), ['A1']],
    ['a page', JSON.stringify(togaiPage({ ...a }, { ...b })), ['A1', 'A2']],
    ['a page whose list comes last', JSON.stringify({ context: { data: 1 }, data: [a, b] }), ['A1', 'A2']],
    ['an empty page', JSON.stringify(togaiPage()), []],
    ['an array', JSON.stringify([a, b]), ['A1', 'A2']],
    [
      'an array of pages',
      JSON.stringify([togaiPage({ ...a }), togaiPage({ ...b }, { ...c })]),
      ['A1', 'A2', 'A3'],
    ],
    ['an array of arrays', JSON.stringify([[a], [], [b, c]]), ['A1', 'A2', 'A3']],
    [
      'lines of pages',
      `${JSON.stringify(togaiPage({ ...a }))}\n${JSON.stringify(togaiPage({ ...b }))}\n`,
      ['A1', 'A2'],
    ],
    ['nothing', ' \n', []],
  ])('can be %s', async (_, content, expected) => {
    expect(await ids(content)).toEqual(expected);
    expect(await ids(`\uFEFF${content}`)).toEqual(expected);
  });

  it('can have brackets, quotes and backslashes in texts', async () => {
    const name = '"]}\\","data":[{"\\';
    const content = JSON.stringify([togaiPage({ ...a, name, metadata: { data: '[' } }), b], null, 2);
    const records = await recordsOf(content, { format: 'togai' });
    expect(records.map(({ input }) => input.name)).toEqual([name, togaiAccount.name]);
  });

  it('has no pages in pages', async () => {
    const problem = await problemOf('{"data":[{"id":"A1","data":[{"id":"A2"}]}]}', { format: 'togai' });
    expect(problem).toMatchObject({ path: ['data'], code: 'UNKNOWN_FIELD' });
  });

  it('is read on after a bad element', async () => {
    const rows = await rowsOf('[{"id":"A1"}, {"id":"A2",}, 7, {"id":"A4"}]', { format: 'togai' });
    expect(rows.map(({ line, unit }) => [line, unit])).toEqual([1, 2, 3, 4].map((line) => [line, 'element']));
    expect(rows.map(isBad)).toEqual([false, true, true, false]);
  });

  it.each([
    ['an element', '{"data":[{"id":"A1"},{"id":', 2],
    ['a list', '{"data":[{"id":"A1"},', 1],
    ['a page', '[{"data":[{"id":"A1"}],"nextToken', 1],
    ['an array', '[{"id":"A1"}', 1],
  ])('that ends in %s is reported as incomplete', async (_, content, count) => {
    const bad = await badRowsOf(content, { format: 'togai' });
    expect(bad).toHaveLength(count);
    expect(bad.at(-1)?.problem).toMatchObject({
      path: ['file'],
      message: expect.stringContaining('ends before'),
    });
  });

  it('can be an array of records of its own format', async () => {
    expect(await recordsOf(`[${good},\n ${good}]`, ndjson)).toHaveLength(2);
  });
});

describe('readRecords', () => {
  it('refuses files that it cannot read', async () => {
    await expect(read('/nowhere/records.ndjson', ndjson)).rejects.toThrow(
      'There is no file /nowhere/records.ndjson.',
    );
    await expect(read('/', ndjson)).rejects.toThrow('/ is a directory.');
  });

  it('reads nothing from an empty file', async () => {
    expect(await rowsOf('', ndjson)).toEqual([]);
    expect(await rowsOf('\n\r\n  \n', ndjson)).toEqual([]);
  });
});
