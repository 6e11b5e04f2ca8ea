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

/** Returns cases of invalid identifiers. */
export function badIdentifiers(
  name: string,
  fieldsWith: (text: string) => object,
  path: string[],
): Refused[] {
  return [
    ...unstorable(name, fieldsWith, path),
    [`an empty ${name}`, fieldsWith(''), path, 'TOO_SHORT'],
    [`${name} of 51 characters`, fieldsWith(x(51)), path, 'TOO_LONG'],
    [`${name} of 51 emoji`, fieldsWith(smiles(51)), path, 'TOO_LONG'],
    [`${name} of white space`, fieldsWith(' '), path, 'INVALID_FORMAT'],
    [`${name} with white space before it`, fieldsWith(' abc'), path, 'INVALID_FORMAT'],
    [`${name} with a no-break space after it`, fieldsWith('abc\u00a0'), path, 'INVALID_FORMAT'],
    [`${name} with a control character`, fieldsWith('a\u0007c'), path, 'INVALID_FORMAT'],
    [`${name} with a line break`, fieldsWith('a\nc'), path, 'INVALID_FORMAT'],
    [`${name} with a C1 control character`, fieldsWith('a\u0085c'), path, 'INVALID_FORMAT'],
    [`${name} in form NFD`, fieldsWith('cafe\u0301'), path, 'INVALID_FORMAT'],
  ];
}

export function goodIdentifiers(name: string, fieldsWith: (text: string) => object): Accepted[] {
  return [
    [`${name} of 1 character`, fieldsWith('x')],
    [`${name} of 50 characters`, fieldsWith(x(50))],
    [`${name} of 50 emoji`, fieldsWith(smiles(50))],
    [`${name} with white space, marks and quotes inside`, fieldsWith(`é a'b"c\\d;--%_`)],
  ];
}

export const goodNames: Accepted[] = [
  ['name of 3 characters', { name: 'abc' }],
  ['name of 3 emoji', { name: smiles(3) }],
  ['name of 255 characters', { name: x(255) }],
  ['name of 255 emoji', { name: smiles(255) }],
];

export const badNames: Refused[] = [
  ...unstorable('name', (name) => ({ name }), ['name']),
  ['an empty name', { name: '' }, ['name'], 'TOO_SHORT'],
  ['name of white space only', { name: ' \t\n\u00a0\u3000 ' }, ['name'], 'TOO_SHORT'],
  ['name of 2 characters', { name: 'ab' }, ['name'], 'TOO_SHORT'],
  ['name of 2 emoji, which are 4 units', { name: smiles(2) }, ['name'], 'TOO_SHORT'],
  ['name of 2 characters in white space', { name: ' ab ' }, ['name'], 'TOO_SHORT'],
  ['name of 256 characters', { name: x(256) }, ['name'], 'TOO_LONG'],
];

/** Returns an email address with this many characters. */
export const emailOf = (length: number): string => `${x(length - 12)}@example.com`;

export const goodEmails: Accepted[] = [
  ['email of 319 characters', { primaryEmail: emailOf(319) }],
  ['email of 320 characters', { primaryEmail: emailOf(320) }],
];

const path = ['primaryEmail'];

export const badEmails: Refused[] = [
  ['an empty email', { primaryEmail: '' }, path, 'INVALID_FORMAT'],
  ['email without an at sign', { primaryEmail: 'acme.com' }, path, 'INVALID_FORMAT'],
  ['email without a domain', { primaryEmail: 'a@' }, path, 'INVALID_FORMAT'],
  ['email with a space', { primaryEmail: 'a b@acme.com' }, path, 'INVALID_FORMAT'],
  ['email with two at signs', { primaryEmail: 'a@b@acme.com' }, path, 'INVALID_FORMAT'],
  ['email with U+0000', { primaryEmail: 'a\u0000@acme.com' }, path, 'INVALID_FORMAT'],
  ['email with half a surrogate pair', { primaryEmail: 'a\ud800@acme.com' }, path, 'INVALID_FORMAT'],
  ['email of 321 characters', { primaryEmail: emailOf(321) }, path, 'TOO_LONG'],
];

/** The maximum length of every part of an address. */
const parts = { phoneNumber: 30, line1: 255, line2: 255, postalCode: 20, city: 100, state: 100 };
const fill = (part: string) => (part === 'phoneNumber' ? '1' : 'x');

export const goodAddresses: Accepted[] = [
  ...Object.entries(parts).flatMap(([part, max]): Accepted[] => [
    [`${part} of 1 character`, { address: { [part]: fill(part) } }],
    [`${part} of ${max} characters`, { address: { [part]: fill(part).repeat(max) } }],
  ]),
  ['a phone number of every character allowed', { address: { phoneNumber: '+1 (555) 010-2/3.4x5' } }],
  ['a country', { address: { country: 'IN' } }],
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
  ...['line1', 'line2', 'postalCode', 'city', 'state'].flatMap((part) =>
    unstorable(part, (text) => ({ address: { [part]: text } }), ['address', part]),
  ),
  ...['555 CALL', '٣٣٣', '1\n2', '1#2'].map(
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
