import { describe, expect, it } from 'vitest';
import { parseMapping, readMapping } from '../../src/import-formats/mapping.ts';
import { problemOf, recordsOf, withFile } from './reading.ts';

/** Returns the input that a template makes of a row of JSON. */
async function filled(template: object, row: object): Promise<unknown> {
  const mapping = parseMapping({ type: 'account', ...template }, 'mapping.json');
  const [record] = await recordsOf(JSON.stringify(row), { format: 'ndjson', mapping });
  return record?.input;
}

const problems = (mapping: unknown) => () => parseMapping(mapping, 'mapping.json');

describe('a reference', () => {
  it.each([
    ['a field', { from: 'a' }, { a: 'x' }, 'x'],
    ['a path', { from: 'a.b.1' }, { a: { b: ['x', 'y'] } }, 'y'],
    ['a name with dots before a path', { from: 'a.b' }, { a: { b: 'path' }, 'a.b': 'name' }, 'name'],
    ['a number of a text', { from: 'a', as: 'number' }, { a: ' 45 ' }, 45],
    ['a text of a number', { from: 'a', as: 'string' }, { a: 45 }, '45'],
    ['the texts of a list', { from: 'a', as: 'string' }, { a: [1, 2] }, ['1', '2']],
    ['parsed JSON', { from: 'a', as: 'json' }, { a: '{"b":[1]}' }, { b: [1] }],
    ['lower case', { from: 'a', as: 'lower' }, { a: 'ÄB' }, 'äb'],
    ['upper case in a split text', { from: 'a', split: '|', as: 'upper' }, { a: 'x| y ||' }, ['X', 'Y']],
    ['a default for a missing field', { from: 'a', default: 'd' }, {}, 'd'],
    ['a default for a blank text', { from: 'a', default: 'd' }, { a: ' ' }, 'd'],
    ['a default for null', { from: 'a', as: 'upper', default: 'd' }, { a: null }, 'd'],
    [
      'a default for nothing between separators',
      { from: 'a', split: ';', default: ['d'] },
      { a: ';' },
      ['d'],
    ],
    ['nothing for an inherited name', { from: 'constructor', default: 'd' }, {}, 'd'],
    ['nothing for a prototype', { from: 'a.__proto__.b', default: 'd' }, { a: {} }, 'd'],
    ['false', { from: 'a', default: 'd' }, { a: false }, false],
    ['zero', { from: 'a', default: 'd' }, { a: 0 }, 0],
  ])('can be %s', async (_, reference, row, expected) => {
    expect(await filled({ netTermDays: reference }, row)).toEqual({ netTermDays: expected });
  });

  it.each([
    [{ from: 'a', as: 'number' }, 'abc', 'must be a number, but `a` is "abc"'],
    [{ from: 'a', as: 'number' }, '1e400', 'must be a number, but `a` is "1e400"'],
    [{ from: 'a', as: 'json' }, '{', 'must be valid JSON: '],
  ])('%j makes a bad row of %j', async (reference, a, message) => {
    const mapping = parseMapping({ type: 'account', netTermDays: reference }, 'mapping.json');
    const problem = await problemOf(JSON.stringify({ a }), { format: 'ndjson', mapping });
    expect(problem).toMatchObject({ path: ['netTermDays'], code: 'INVALID_FORMAT' });
    expect(problem.message).toContain(message);
  });
});

describe('a template', () => {
  const po = (value: object) => ({ namespace: 'billing', id: 'po', name: 'PO', dataType: 'STRING', value });

  it('leaves out fields, elements and objects without values', async () => {
    const template = {
      id: { from: 'id' },
      name: { from: 'name' },
      address: { city: { from: 'city' } },
      aliases: [{ from: 'phone' }, { from: 'device' }, 'fixed'],
      settings: [po({ from: 'po' }), po({ from: 'other' })],
      tags: [{ from: 'tag' }],
      metadata: { region: { from: 'region' }, source: 'crm' },
    };
    expect(await filled(template, { id: 'A1', device: 'd1', other: '7' })).toEqual({
      id: 'A1',
      aliases: ['d1', 'fixed'],
      settings: [po('7' as never)],
      metadata: { source: 'crm' },
    });
  });

  it('makes several records of a row, also of pages of other formats', async () => {
    const mapping = parseMapping(
      [
        {
          type: 'customer',
          id: { from: 'external_id' },
          primaryEmail: { from: 'email', default: 'none@acme.example' },
        },
        { type: 'account', id: { from: 'external_id' }, customerId: { from: 'external_id' } },
      ],
      'mapping.json',
    );
    const content = JSON.stringify({ customers: [{ external_id: 'x' }], meta: {} });
    expect(await recordsOf(content, { format: 'lago', mapping })).toEqual([
      { type: 'customer', input: { id: 'x', primaryEmail: 'none@acme.example' } },
      { type: 'account', input: { id: 'x', customerId: 'x' } },
    ]);
    expect(await recordsOf(content, { format: 'lago', mapping, type: 'account' })).toHaveLength(1);
  });

  it('does not hide unknown fields in values', async () => {
    const mapping = parseMapping({ type: 'account', address: { from: 'a', as: 'json' } }, 'mapping.json');
    const problem = await problemOf('{"a":"{\\"zip\\":\\"1\\"}"}', { format: 'ndjson', mapping });
    expect(problem).toMatchObject({ path: ['address', 'zip'], code: 'UNKNOWN_FIELD' });
  });

  it('cannot change prototypes', async () => {
    const template = JSON.parse('{"metadata":{"__proto__":{"from":"a"}}}');
    const input = (await filled(template, { a: 'x' })) as { metadata: object };
    expect(Object.entries(input.metadata)).toEqual([['__proto__', 'x']]);
  });
});

describe('parseMapping', () => {
  it('reports every problem with its path', () => {
    const template = {
      type: 'account',
      adress: { city: 'x' },
      id: { form: 'Account ID' },
      name: { from: 'Name', as: 'text', spilt: ';' },
      address: { lin1: { from: 'Street' } },
      aliases: 'a',
      metadata: 'm',
      netTermDays: null,
      primaryEmail: ['a'],
      settings: [{ value: { from: '' } }],
    };
    expect(problems([template, { type: 'alias' }, 7])).toThrow(
      [
        'mapping.json is not a valid mapping:',
        '- 0.adress is not a field of an account. Did you mean `address`?',
        '- 0.id must be a value or a reference such as {"from": "Column"}',
        '- 0.name.as must be one of number, string, json, lower, upper',
        '- 0.name has unknown fields: spilt',
        '- 0.address.lin1 is not a field of `address` of an account. Did you mean `line1`?',
        '- 0.aliases must be a list',
        '- 0.metadata must be an object',
        '- 0.netTermDays must not be null. Leave the field out',
        '- 0.primaryEmail must not be a list',
        '- 0.settings.0.value.from must have at least 1 character',
        '- 1.type must be one of customer, account',
        '- 2 must be a value of type object',
      ].join('\n'),
    );
  });

  it('names a field of a single template without an index', () => {
    expect(problems({ type: 'customer', customerId: 'x' })).toThrow(
      '\n- customerId is not a field of a customer',
    );
    expect(problems('x')).toThrow('\n- The mapping must be a value of type object');
    expect(problems(JSON.parse('{"type":"customer","__proto__":{}}'))).toThrow(
      '\n- __proto__ is not a field',
    );
  });

  it('refuses an empty list', () => {
    expect(problems([])).toThrow('mapping.json has no template.');
  });
});

describe('readMapping', () => {
  it('reads a file', async () => {
    const mapping = await withFile('\uFEFF{"type":"account","id":{"from":"x"}}', readMapping);
    expect(mapping).toEqual([{ type: 'account', fields: { id: { from: 'x' } } }]);
  });

  it('refuses a file that is missing or is not JSON', async () => {
    await expect(readMapping('/nowhere/mapping.json')).rejects.toThrow(
      'There is no file /nowhere/mapping.json.',
    );
    await expect(withFile('{', readMapping)).rejects.toThrow('is not valid JSON: ');
  });
});
