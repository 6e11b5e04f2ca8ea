/** Cases at the limits of shared rules: accepted fields, and rejected fields with their issue. */

export const x = (count: number): string => 'x'.repeat(count);
export const smiles = (count: number): string => '😀'.repeat(count);
export const listOf = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

export type Accepted = [what: string, fields: object];
export type Refused = [what: string, fields: object, path: string[], code: string];

const nul = 'ab\u0000c';
const highHalf = 'abc\ud800';
const lowHalf = '\udc00abc';

/** Returns cases of texts that cannot be stored. */
export function unstorable(name: string, fieldsWith: (text: string) => object, path: string[]): Refused[] {
  return [
    [`${name} with U+0000`, fieldsWith(nul), path, 'INVALID_FORMAT'],
    [`${name} that ends in half a surrogate pair`, fieldsWith(highHalf), path, 'INVALID_FORMAT'],
    [`${name} that begins with half a surrogate pair`, fieldsWith(lowHalf), path, 'INVALID_FORMAT'],
  ];
}

const hidden: [string, string][] = [
  ['a zero-width space', 'a\u200bc'],
  ['a right-to-left override', 'a\u202ec'],
  ['a right-to-left mark', 'a\u200fc'],
  ['a soft hyphen', 'a\u00adc'],
  ['a word joiner', 'a\u2060c'],
  ['a byte order mark', 'a\ufeffc'],
  ['a Hangul filler', 'a\u3164c'],
  ['a line separator', 'a\u2028c'],
];

/** What the look-up space and other identifiers refuse. */
export function badIdentifiers(
  name: string,
  fieldsWith: (text: string) => object,
  path: string[],
  max = 50,
): Refused[] {
  return [
    ...hidden.map(
      ([what, text]): Refused => [`${name} with ${what}`, fieldsWith(text), path, 'INVALID_FORMAT'],
    ),
    [`${name} in form NFD`, fieldsWith('cafe\u0301'), path, 'INVALID_FORMAT'],
    ...badReferences(name, fieldsWith, path, max),
  ];
}

/** What the id of an existing entity cannot be. */
export function badReferences(
  name: string,
  fieldsWith: (text: string) => object,
  path: string[],
  max = 50,
): Refused[] {
  return [
    ...unstorable(name, fieldsWith, path),
    [`an empty ${name}`, fieldsWith(''), path, 'TOO_SHORT'],
    [`${name} of ${max + 1} characters`, fieldsWith(x(max + 1)), path, 'TOO_LONG'],
    [`${name} of ${max + 1} emoji`, fieldsWith(smiles(max + 1)), path, 'TOO_LONG'],
    [`${name} of white space`, fieldsWith(' '), path, 'INVALID_FORMAT'],
    [`${name} with white space before it`, fieldsWith(' abc'), path, 'INVALID_FORMAT'],
    [`${name} with a no-break space after it`, fieldsWith('abc\u00a0'), path, 'INVALID_FORMAT'],
    [`${name} with a control character`, fieldsWith('a\u0007c'), path, 'INVALID_FORMAT'],
    [`${name} with a line break`, fieldsWith('a\nc'), path, 'INVALID_FORMAT'],
    [`${name} with a C1 control character`, fieldsWith('a\u0085c'), path, 'INVALID_FORMAT'],
  ];
}

export function goodIdentifiers(name: string, fieldsWith: (text: string) => object, max = 50): Accepted[] {
  return [
    [`${name} of 1 character`, fieldsWith('x')],
    [`${name} of ${max} characters`, fieldsWith(x(max))],
    [`${name} of ${max} emoji`, fieldsWith(smiles(max))],
    [`${name} with a joiner of Persian`, fieldsWith('می\u200cخواهم')],
    [`${name} with a joined emoji`, fieldsWith('👩\u200d🔧')],
    [`${name} with the flag of England`, fieldsWith('🏴󠁧󠁢󠁥󠁮󠁧󠁿')],
    [`${name} with white space, marks and quotes inside`, fieldsWith(`é a'b"c\\d;--%_`)],
  ];
}

export const goodNames: Accepted[] = [
  ['name of 1 character', { name: '李' }],
  ['name of 2 characters', { name: '3M' }],
  ['name of 1 emoji', { name: smiles(1) }],
  ['name of 255 characters', { name: x(255) }],
  ['name of 255 emoji', { name: smiles(255) }],
  ['name with a right-to-left mark', { name: 'שלום\u200f (IL)' }],
];

export const badNames: Refused[] = [
  ...unstorable('name', (name) => ({ name }), ['name']),
  ['an empty name', { name: '' }, ['name'], 'TOO_SHORT'],
  ['name of white space only', { name: ' \t\n\u00a0\u3000 ' }, ['name'], 'TOO_SHORT'],
  ['name of invisible characters only', { name: '\u200b\u2060\u200d' }, ['name'], 'TOO_SHORT'],
  ['name of 256 characters', { name: x(256) }, ['name'], 'TOO_LONG'],
  ['name with a line break', { name: 'a\nb' }, ['name'], 'INVALID_FORMAT'],
  ['name with a line separator', { name: 'a\u2028b' }, ['name'], 'INVALID_FORMAT'],
  ['name with a tab', { name: 'a\tb' }, ['name'], 'INVALID_FORMAT'],
  ['name with a bidirectional override', { name: 'a\u202eb' }, ['name'], 'INVALID_FORMAT'],
];

const label = (length: number): string => x(length);

/** An address of exactly this many characters, up to 254. */
export const emailOf = (length: number): string => {
  const domain = `${label(63)}.${label(63)}.${label(length - 64 - 1 - 63 - 1 - 63 - 1 - 4)}.com`;
  return `${x(64)}@${domain}`;
};

export const goodEmails: Accepted[] = [
  ['email of 253 characters', { primaryEmail: emailOf(253) }],
  ['email of 254 characters', { primaryEmail: emailOf(254) }],
  ...[
    'r&d@acme.com',
    'a=b@acme.com',
    "o'neil+x/y@acme.com",
    '!#$%*-/=?^_`{|}~@acme.com',
    'a@xn--p1ai.xn--p1ai',
    'почта@пример.рф',
    '用户@例子.公司',
    'müller@bücher.example',
    'a@b-c.co',
    '1@2.example',
  ].map((primaryEmail): Accepted => [`email ${primaryEmail}`, { primaryEmail }]),
];

const path = ['primaryEmail'];

export const badEmails: Refused[] = [
  ['email of 255 characters', { primaryEmail: emailOf(255) }, path, 'TOO_LONG'],
  [
    'email with 65 characters before the at sign',
    { primaryEmail: `${x(65)}@acme.com` },
    path,
    'INVALID_FORMAT',
  ],
  [
    'email with 65 bytes before the at sign',
    { primaryEmail: `${'é'.repeat(33)}@acme.com` },
    path,
    'TOO_LONG',
  ],
  ...[
    'acme.com',
    'a@',
    '@acme.com',
    'a b@acme.com',
    'a@b@acme.com',
    'a\u0000@acme.com',
    'a\ud800@acme.com',
    'a\u200b@acme.com',
    'Ann <a@acme.com>',
    'a@acme.com, b@acme.com',
    'a@acme.com;b@acme.com',
    'mailto:a@acme.com',
    'a@acme',
    'a@acme.com.',
    'a@-acme.com',
    'a@acme-.com',
    `a@${x(64)}.com`,
    'a@acme..com',
    'a@127.0.0.1',
    '.a@acme.com',
    'a.@acme.com',
    'a..b@acme.com',
    '"a b"@acme.com',
  ].map(
    (primaryEmail): Refused => [
      `email ${JSON.stringify(primaryEmail).slice(0, 30)}`,
      { primaryEmail },
      path,
      'INVALID_FORMAT',
    ],
  ),
];

/** Every part of an address with its greatest length. */
const parts = { phoneNumber: 50, line1: 255, line2: 255, postalCode: 20, city: 255, state: 255 };
const fill = (part: string) => (part === 'phoneNumber' ? '1' : 'x');

export const goodAddresses: Accepted[] = [
  ...Object.entries(parts).flatMap(([part, max]): Accepted[] => [
    ...(part === 'phoneNumber' ? [] : [[`${part} of 1 character`, { address: { [part]: 'x' } }] as Accepted]),
    [`${part} of ${max} characters`, { address: { [part]: fill(part).repeat(max) } }],
  ]),
  ...[
    '12',
    '+1 (555) 010-2/3.4x5',
    '1-800-FLOWERS',
    '555 0100 ext. 12',
    '+49-89-1234;ext=56',
    '٠١٢٣٤٥',
    '123#4*5',
  ].map((phoneNumber): Accepted => [`phone number ${phoneNumber}`, { address: { phoneNumber } }]),
  ['a country', { address: { country: 'IN' } }],
  ['Kosovo', { address: { country: 'XK' } }],
];

export const badAddresses: Refused[] = [
  ...Object.entries(parts).flatMap(([part, max]): Refused[] => [
    [
      `${part} of ${max + 1} characters`,
      { address: { [part]: fill(part).repeat(max + 1) } },
      ['address', part],
      'TOO_LONG',
    ],
  ]),
  ...['line1', 'line2', 'postalCode', 'city', 'state'].flatMap((part): Refused[] => [
    ...unstorable(part, (text) => ({ address: { [part]: text } }), ['address', part]),
    [`${part} with a line break`, { address: { [part]: 'a\nb' } }, ['address', part], 'INVALID_FORMAT'],
  ]),
  ...['-', '1', '1\n2', '12<34', '12\u200d34'].map(
    (phoneNumber): Refused => [
      `phone number ${JSON.stringify(phoneNumber)}`,
      { address: { phoneNumber } },
      ['address', 'phoneNumber'],
      'INVALID_FORMAT',
    ],
  ),
  ...['us', 'USA', 'XX', 'UK', 'U', 'U\u0000', '\ud800'].map(
    (country): Refused => [
      `country ${JSON.stringify(country)}`,
      { address: { country } },
      ['address', 'country'],
      'INVALID_VALUE',
    ],
  ),
];

const metadataOf = (count: number) => Object.fromEntries(listOf(count, (index) => [`key${index}`, 'v']));

export const goodMetadata: Accepted[] = [
  ['metadata with 50 keys', { metadata: metadataOf(50) }],
  ['metadata key of 1 character', { metadata: { k: '' } }],
  ['metadata key of 40 characters, value of 500', { metadata: { [x(40)]: x(500) } }],
  ['metadata keys that objects inherit', { metadata: { constructor: 'a', hasOwnProperty: 'b' } }],
];

export const badMetadata: Refused[] = [
  ['metadata with 51 keys', { metadata: metadataOf(51) }, ['metadata'], 'TOO_MANY'],
  [
    'metadata keys that differ in white space',
    { metadata: { k: 'v', ' k': 'w' } },
    ['metadata'],
    'DUPLICATE',
  ],
  ['a metadata key with a line break', { metadata: { 'a\nb': 'v' } }, ['metadata', 'a\nb'], 'INVALID_FORMAT'],
  ['an empty metadata key', { metadata: { '': 'v' } }, ['metadata', ''], 'TOO_SHORT'],
  ['metadata key of 41 characters', { metadata: { [x(41)]: 'v' } }, ['metadata', x(41)], 'TOO_LONG'],
  ['metadata value of 501 characters', { metadata: { k: x(501) } }, ['metadata', 'k'], 'TOO_LONG'],
  ['metadata value that is a number', { metadata: { k: 1 } }, ['metadata', 'k'], 'INVALID_TYPE'],
  ['metadata value that is null', { metadata: { k: null } }, ['metadata', 'k'], 'INVALID_TYPE'],
  ['metadata value that is an object', { metadata: { k: {} } }, ['metadata', 'k'], 'INVALID_TYPE'],
  ['metadata key with U+0000', { metadata: { 'a\u0000': 'v' } }, ['metadata', 'a\u0000'], 'INVALID_FORMAT'],
  [
    'the metadata key __proto__',
    { metadata: JSON.parse('{"__proto__":"v"}') },
    ['metadata'],
    'INVALID_FORMAT',
  ],
  ...unstorable('metadata value', (k) => ({ metadata: { k } }), ['metadata', 'k']),
];
