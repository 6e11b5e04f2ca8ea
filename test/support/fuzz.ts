import fc from 'fast-check';
import type { GraphQLSchema } from 'graphql';
import { operation } from './fuzz-documents.ts';
import type { Json } from './service.ts';

/** Random decisions within a run that fast-check can repeat and shrink. */
export interface Dice {
  /** Returns an integer from 0 to `most`. */
  int(most: number): number;
  chance(percent: number): boolean;
  pick<T>(list: readonly T[]): T;
  text(): string;
  json(): unknown;
  bytes(): Uint8Array;
}

export function diceOf(g: fc.GeneratorValue): Dice {
  const int = (most: number) => g(fc.nat, most);
  return {
    int,
    chance: (percent) => int(99) < percent,
    pick: (list) => list[int(list.length - 1)] as never,
    text: () => g(anyText),
    json: () => g(anyJson),
    bytes: () => g(anyBytes),
  };
}

const anyText = () => fc.string({ unit: 'binary', maxLength: 60 });
const anyJson = () => fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
const anyBytes = () => fc.uint8Array({ maxLength: 300 });

/** Values for inputs: existing names, also of another tenant, and texts that have broken parsers before. */
export interface Pool {
  names: readonly string[];
  cursors: readonly string[];
  instants: readonly string[];
  texts: readonly string[];
  /** Valid values by the name of the input. */
  byName?: Readonly<Record<string, readonly unknown[]>>;
  /** Creates the idempotency key of each input. Without it, inputs have keys by chance. */
  newKey?: () => string;
}

export const odd = [
  ...[
    '',
    ' ',
    '\u0000',
    '\ud800',
    '\udfff',
    '😀',
    'e\u0301',
    '\u202e',
    '%',
    '%00',
    "';--",
    '../../etc/passwd',
    '#{x}',
  ],
  ...[
    '{{x}}',
    '<script>',
    '__proto__',
    'constructor',
    'null',
    'NaN',
    '-1',
    '1e999',
    'x'.repeat(51),
    'x'.repeat(5000),
  ],
];

/** An HTTP request. */
export interface Shot {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array;
}

const json = { 'content-type': 'application/json' };
const accepted = [
  ...[
    'application/json',
    'application/graphql-response+json',
    '*/*',
    'text/html',
    'nothing',
    'application/json;q=0',
  ],
  ...['multipart/mixed', 'multipart/mixed, application/json', 'text/event-stream', ''],
];

function graphqlShot(dice: Dice, params: object): Shot {
  const headers = { ...json, ...(dice.chance(40) ? { accept: dice.pick(accepted) } : {}) };
  if (!dice.chance(6)) return { method: 'POST', path: '/graphql', headers, body: JSON.stringify(params) };
  const entries = Object.entries(params).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  const search = new URLSearchParams(Object.fromEntries(entries));
  // Servers limit the size of the request head.
  return { method: 'GET', path: `/graphql?${search}`.slice(0, 7000), headers };
}

export function documentShot(schema: GraphQLSchema, dice: Dice, pool: Pool): Shot {
  const kind = dice.pick(['query', 'query', 'mutation', 'mutation', 'mutation', 'subscription'] as const);
  const { query, variables } = operation(schema, kind as never, dice, pool);
  const strange = dice.chance(5)
    ? { [dice.pick(['operationName', 'extensions', 'documentId', 'id'])]: dice.json() }
    : {};
  return graphqlShot(dice, { query, variables, ...strange });
}

/** Returns a request with any JSON as body or in its fields. */
export function jsonShot(dice: Dice): Shot {
  if (dice.chance(40)) {
    const body = dice.chance(70) ? JSON.stringify(dice.json()) : dice.bytes();
    const type = dice.pick([
      'application/json',
      'application/json; charset=utf-16',
      'text/plain',
      'multipart/form-data',
      '',
    ]);
    return {
      method: dice.pick(['POST', 'POST', 'PUT', 'GET', 'OPTIONS', 'DELETE']),
      path: '/graphql',
      headers: { 'content-type': type },
      body,
    };
  }
  const parts = ['query', 'variables', 'operationName', 'extensions', 'documentId', 'batch'];
  const some = parts
    .filter(() => dice.chance(50))
    .map((name) => [name, dice.chance(30) ? '{ viewer { keyName } }' : dice.json()]);
  return graphqlShot(dice, Object.fromEntries(some));
}

const goodBodies = (pick: () => string): object[] => [
  {
    id: pick(),
    name: 'Name',
    customerId: pick(),
    aliases: [pick()],
    address: { country: 'US' },
    netTermDays: 5,
  },
  {
    id: pick(),
    name: 'Name',
    primaryEmail: 'a@b.example',
    address: { country: 'US' },
    account: { id: pick(), name: 'N1 n' },
  },
  { name: 'Other name', invoiceCurrency: 'EUR', status: 'ACTIVE', tags: ['a'], metadata: { k: 'v' } },
  { aliases: [pick()], accountAliases: [{ value: pick(), effectiveFrom: '2030-01-01T00:00:00Z' }] },
  {
    id: pick(),
    namespace: 'n',
    name: 's',
    dataType: 'STRING',
    value: 'v',
    entityId: pick(),
    entityType: 'ACCOUNT',
  },
];

/** Returns a REST call of the OpenAPI document with valid or invalid values. */
export function restShot({ paths }: Json, dice: Dice, pool: Pool): Shot {
  const value = () =>
    dice.chance(70) ? dice.pick(pool.names) : dice.chance(50) ? dice.pick(pool.texts) : dice.text();
  const [template, calls] = dice.pick(Object.entries<object>(paths));
  const method = dice.chance(90)
    ? dice.pick(Object.keys(calls)).toUpperCase()
    : dice.pick(['PUT', 'HEAD', 'OPTIONS']);
  const path = template.replaceAll(/\{\w+\}/g, () => encode(dice, value()));
  const names = [
    'customer_id',
    'status',
    'invoice_currency',
    'account_id',
    '_search',
    'pageSize',
    'nextToken',
    'effectiveOn',
    'x',
  ];
  const query = names
    .filter(() => dice.chance(15))
    .map((name) => `${name}=${encode(dice, dice.chance(30) ? dice.pick(pool.cursors) : value())}`);
  const body: Record<string, unknown> = { ...dice.pick(goodBodies(value)) };
  for (const name of Object.keys(body)) if (dice.chance(12)) body[name] = dice.json();
  const sent = dice.chance(85)
    ? JSON.stringify(body)
    : dice.chance(50)
      ? JSON.stringify(dice.json())
      : dice.bytes();
  return {
    method,
    path: query.length === 0 ? path : `${path}?${query.join('&')}`,
    headers: dice.chance(95) ? json : {},
    ...(['POST', 'PATCH', 'PUT'].includes(method) ? { body: sent } : {}),
  };
}

function encode(dice: Dice, text: string): string {
  // Without percent-encoding, it must still be a path that a client can send.
  return dice.chance(95)
    ? encodeURIComponent(text.toWellFormed())
    : encodeURIComponent(text.toWellFormed()).replaceAll('%2F', '/') + dice.pick(['%', '%ff', '%2', ';', '']);
}

/** Returns bytes for a connection, from almost valid HTTP to random ones. */
export function rawBytes(dice: Dice, token: string): Buffer {
  if (dice.chance(25)) return Buffer.from(dice.bytes());
  const body = dice.chance(50) ? '{"query":"{ __typename }"}' : JSON.stringify(dice.json());
  const lengths = [
    `content-length: ${Buffer.byteLength(body)}`,
    'content-length: 99999',
    'content-length: -1',
    'content-length: x',
    'transfer-encoding: chunked',
    'transfer-encoding: chunked\r\ncontent-length: 5',
    '',
  ];
  const lines = [
    `${dice.pick(['POST', 'GET', 'PRI', 'CONNECT', 'M-SEARCH', 'post', ''])} ${dice.pick(['/graphql', '/accounts', '*', 'http://x/graphql', '//', '/%', '/\u0000', '/health/live', '/?'.repeat(5000)])} ${dice.pick(['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/9', ''])}`,
    dice.pick(['host: x', 'host: x', 'host:', 'host: x\r\nhost: y', '']),
    `authorization: Bearer ${dice.chance(80) ? token : dice.pick(['', 'x', '\u00ff', token.slice(1), token.repeat(400)])}`,
    dice.pick(['content-type: application/json', 'content-type: \u00ff', 'content-type']),
    dice.pick([
      'accept: */*',
      'expect: 100-continue',
      'expect: x',
      'upgrade: websocket\r\nconnection: upgrade',
      'x-request-id: \u0007',
      `x: ${'y'.repeat(20_000)}`,
    ]),
    dice.pick(lengths),
    'connection: close',
  ].filter((line) => line !== '');
  const chunk = dice.chance(30)
    ? `${dice.pick(['1a', 'zz', '-1', 'ffffffff'])}\r\n${body}\r\n0\r\n\r\n`
    : body;
  return Buffer.concat([
    Buffer.from(`${lines.join('\r\n')}\r\n\r\n${chunk}`, 'latin1'),
    ...(dice.chance(10) ? [dice.bytes()] : []),
  ]);
}
