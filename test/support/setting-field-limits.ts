import {
  type Accepted,
  badIdentifiers,
  goodIdentifiers,
  listOf,
  type Refused,
  unstorable,
  x,
} from './field-limits.ts';

const setting = (overrides: object = {}) => ({
  id: 's',
  namespace: 'USER',
  name: 'Setting',
  dataType: 'STRING',
  value: 'v',
  ...overrides,
});

const withSetting = (overrides: object) => ({ settings: [setting(overrides)] });
const typed = (dataType: string, value: string) => withSetting({ dataType, value });
const inFirst = (field: string) => ['settings', '0', field];

const wellTyped: [string, string][] = [
  ['NUMERIC', '0'],
  ['NUMERIC', '-12.50'],
  ['NUMERIC', '1e3'],
  ['NUMERIC', '.5'],
  ['NUMERIC', '-.5e1'],
  ['NUMERIC', '+5'],
  ['NUMERIC', '123456789012345678901234567890.5'],
  ['JSON', 'null'],
  ['JSON', ' [1, {"a": "ü"}] '],
  ['JSON_LOGIC', '{"==": [1, 1]}'],
  ['JSON_LOGIC', '{"or": [{"==": [{"var": "a:\\"{"}, 1]}, {"==": [2, 2]}]}'],
];

const illTyped: [string, string][] = [
  ...['', ' ', '1,5', '0x10', 'NaN', 'Infinity', '1e999', '1 2', ' 1', '--1', '1.', '.', '+', '1e400'].map(
    (value): [string, string] => ['NUMERIC', value],
  ),
  ...['', '{', "{'a': 1}", 'undefined', '[1,]'].map((value): [string, string] => ['JSON', value]),
  ...[
    '',
    '{}',
    '[]',
    '1',
    'null',
    '"=="',
    '{"a": 1, "b": 2}',
    '{"=="',
    '{"==": [1, 1], "==": [1, 2]}',
    '{"=\\u003d": 1, "==": 1}',
    '{"or": [{"==": [1, 1], "==": [2, 2]}]}',
  ].map((value): [string, string] => ['JSON_LOGIC', value]),
];

export const goodSettings: Accepted[] = [
  ...goodIdentifiers('setting id', (id) => withSetting({ id })),
  ...goodIdentifiers('setting namespace', (namespace) => withSetting({ namespace })),
  ['setting name of 1 character', withSetting({ name: 'x' })],
  ['setting name of 255 characters', withSetting({ name: x(255) })],
  ['an empty setting value', withSetting({ value: '' })],
  ['setting value of 4096 characters', withSetting({ value: x(4096) })],
  ['10 settings', { settings: listOf(10, (index) => setting({ id: `s${index}` })) }],
  [
    'settings of one id in two namespaces',
    { settings: [setting({ namespace: 'A' }), setting({ namespace: 'B' })] },
  ],
  ...wellTyped.map(([type, value]): Accepted => [`${type} ${JSON.stringify(value)}`, typed(type, value)]),
];

export const badSettings: Refused[] = [
  ...badIdentifiers('setting id', (id) => withSetting({ id }), inFirst('id')),
  ...badIdentifiers('setting namespace', (namespace) => withSetting({ namespace }), inFirst('namespace')),
  ['an empty setting name', withSetting({ name: '' }), inFirst('name'), 'TOO_SHORT'],
  ['setting name of 256 characters', withSetting({ name: x(256) }), inFirst('name'), 'TOO_LONG'],
  ...unstorable('setting name', (name) => withSetting({ name }), inFirst('name')),
  ['setting value of 4097 characters', withSetting({ value: x(4097) }), inFirst('value'), 'TOO_LONG'],
  ...unstorable('setting value', (value) => withSetting({ value }), inFirst('value')),
  [
    '11 settings',
    { settings: listOf(11, (index) => setting({ id: `s${index}` })) },
    ['settings'],
    'TOO_MANY',
  ],
  [
    'two settings of one namespace and id',
    { settings: [setting(), setting({ id: 't' }), setting({ value: 'w' })] },
    ['settings', '2'],
    'DUPLICATE',
  ],
  ...illTyped.map(
    ([type, value]): Refused => [
      `${type} ${JSON.stringify(value)}`,
      typed(type, value),
      inFirst('value'),
      'INVALID_FORMAT',
    ],
  ),
];
