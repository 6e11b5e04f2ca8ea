import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import { buildSchema } from '../../src/schema.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import { usePostgres } from '../cli/postgres.ts';
import { ask, type Running, usePrograms } from '../cli/program.ts';
import {
  diceOf,
  documentShot,
  jsonShot,
  odd,
  type Pool,
  rawBytes,
  restShot,
  type Shot,
} from '../support/fuzz.ts';
import { templateName } from '../support/global-setup.ts';
import type { Json } from '../support/service.ts';
import { scale } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const { seconds, patienceMs, seed } = scale(
  { seconds: 20, patienceMs: 15_000 },
  { seconds: 300, patienceMs: 3000 },
);
const schema = buildSchema();

let running: Running;
let origin: URL;
let openapi: Json;
let pool: Pool;
let token: string;
let theirToken: string;
const counts = { answers: 0, refused: 0, cut: 0, longestMs: 0 };

/** Part of every value of the other tenant, and of no request. */
const secret = 'Qz7Hidden';
const internals =
  /node_modules|\/(src|dist)\/|\bat \S+ \(|\.[cm]?[jt]s:\d|file:\/\/|\b(postgres|drizzle|pothos|dataloader)\b|\b(select|SELECT) .+ (from|FROM) |\b(insert into|INSERT INTO) |relation "|syntax error at|SQLSTATE|ECONN[A-Z]|TypeError|RangeError|undefined \(reading/;

const othersEntities = `mutation {
  createCustomer(input: { id: "their-customer", name: "${secret}", primaryEmail: "a@${secret}.example", address: { city: "${secret}" } }) { __typename }
  createAccounts(inputs: [{ id: "their-account", name: "${secret}", customerId: "their-customer", aliases: ["their-alias"], tags: ["${secret}"],
    metadata: { k: "${secret}" }, settings: [{ id: "s", namespace: "n", name: "${secret}", dataType: STRING, value: "${secret}" }] }]) { __typename } }`;
const theirs = `{ accounts { totalCount pageInfo { endCursor } nodes { nodeId version updatedAt aliases { value } settings { value } metadata history { totalCount } } }
  customers { totalCount nodes { nodeId version updatedAt history { totalCount } } } }`;
const ownEntities = `mutation {
  createCustomer(input: { id: "C1", name: "Acme Corp", primaryEmail: "a@acme.example", address: { country: "US" } }) { __typename }
  createAccounts(inputs: [{ id: "A1", name: "Main account", customerId: "C1", aliases: ["alias-1"] }, { id: "A2", name: "Other account", customerId: "C1" }]) { __typename } }`;

async function data(bearer: string, document: string): Promise<Json> {
  const { body } = await ask(running.url, bearer, document);
  expect(body.errors).toBeUndefined();
  return body.data;
}

beforeAll(async () => {
  const url = await server.create(templateName);
  const database = openDatabase({ connection: { url }, poolSize: 1 });
  const tokens = ['own', 'other'].map(async (name) => {
    const tenant = await createTenant(database, { name });
    return (await createKey(database, tenant.id, 'fuzz')).token;
  });
  [token, theirToken] = (await Promise.all(tokens)) as [string, string];
  await database.close();
  running = await programs.serve({
    DATABASE_URL: url,
    NODE_ENV: 'production',
    LOG_LEVEL: 'error',
    RATE_LIMIT: '0',
    SESSION_KEYS: randomBytes(32).toString('base64url'),
    REST_DOCS: 'true',
  });
  origin = new URL(running.url);
  openapi = await (await fetch(new URL('/openapi.json', origin))).json();
  await data(theirToken, othersEntities);
  await data(token, ownEntities);
  const [own, other] = [await data(token, theirs), await data(theirToken, theirs)];
  const names = [
    'C1',
    'A1',
    'A2',
    'alias-1',
    'their-customer',
    'their-account',
    'their-alias',
    'nobody',
    'new-1',
    'new-2',
    'new-3',
  ];
  const nodeIds = [own, other].flatMap(({ accounts, customers }) => [
    accounts.nodes[0].nodeId,
    customers.nodes[0].nodeId,
  ]);
  const endCursors = [own, other].map(({ accounts }) => accounts.pageInfo.endCursor);
  const instants = [
    '2020-01-01T00:00:00Z',
    '2030-01-01T00:00:00.5+02:00',
    '0000-01-01T00:00:00Z',
    '9999-12-31T23:59:59Z',
    '+275760-09-13T00:00:00Z',
    '2024-02-30T00:00:00Z',
    'now',
  ];
  pool = {
    names: [...names, ...names, ...nodeIds, ...odd],
    cursors: [...endCursors, ...endCursors, Buffer.from('["x",1]').toString('base64url'), 'e30', ...odd],
    instants: [...instants, ...odd],
    texts: ['Some name', 'a@b.example', 'US', 'EUR', 'n', '{"a":1}', '{"==":[1,1]}', '42', ...odd],
  };
}, 120_000);

/** Returns the JSON documents of a response: the body, its parts or the data of its events. */
function jsonsOf(type: string, text: string): string[] {
  if (type.startsWith('multipart/mixed')) {
    return text
      .split(/(?:^|\r\n)---(?:--)?(?:\r\n|$)/)
      .flatMap((part) => /\r\n\r\n([\s\S]+)$/.exec(part)?.[1] ?? []);
  }
  if (type.startsWith('text/event-stream')) {
    // The body may be truncated, and a regular expression would end lines at more characters.
    const whole = text.slice(0, text.lastIndexOf('\n\n') + 1);
    const lines = whole.split(/\r\n|\n|\r/);
    return lines.filter((line) => /^data: ?./su.test(line)).map((line) => line.slice('data:'.length));
  }
  return text === '' ? [] : [text];
}

/** Fails unless a response is well-formed, without an internal error and without confidential values. */
function expectGood({ path }: { path: string }, status: number, type: string, text: string): void {
  counts.answers += 1;
  if (status >= 400) counts.refused += 1;
  const logged = running.output.stderr;
  if (status >= 500 || logged !== '') throw new Error(`${status} ${text} ${logged}`);
  expect(text).not.toMatch(/INTERNAL_SERVER_ERROR|SERVICE_UNAVAILABLE|"TIMEOUT"/);
  expect(text).not.toContain(secret);
  expect(text).not.toContain(secret.toLowerCase());
  if (/^\/(docs|openapi\.json)/.test(path)) return;
  expect(internals.exec(text)?.[0]).toBeUndefined();
  for (const one of jsonsOf(type, text)) expect(() => JSON.parse(one)).not.toThrow();
}

/** Returns the body of a response, for an endless event stream the beginning. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = once(response, 'end');
  const isEndless = response.headers['content-type']?.startsWith('text/event-stream');
  await (isEndless ? Promise.race([ended, sleep(30)]) : ended);
  response.destroy();
  return Buffer.concat(chunks).toString('utf8');
}

async function send(shot: Shot): Promise<void> {
  const { method, path, headers, body } = shot;
  const begun = performance.now();
  const asked = request({
    host: origin.hostname,
    port: origin.port,
    method,
    path,
    headers: { authorization: `Bearer ${token}`, ...headers },
    agent: false,
    signal: AbortSignal.timeout(patienceMs),
  });
  asked.end(body);
  try {
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const text = await bodyOf(response);
    counts.longestMs = Math.max(counts.longestMs, performance.now() - begun);
    expectGood(shot, response.statusCode ?? 0, response.headers['content-type'] ?? '', text);
  } catch (error) {
    throw new Error(`${JSON.stringify(shot).slice(0, 3000)}\n${(error as Error).message.slice(0, 2000)}`);
  }
}

/** Sends bytes and fails unless the connection ends. */
async function sendBytes(bytes: Buffer): Promise<void> {
  const socket = connect(Number(origin.port), origin.hostname);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => undefined);
  socket.end(bytes);
  await once(socket, 'close', { signal: AbortSignal.timeout(patienceMs) });
  const [head = '', ...rest] = Buffer.concat(chunks).toString('utf8').split('\r\n\r\n');
  if (head === '') {
    counts.cut += 1;
    return;
  }
  expect(head).toMatch(/^HTTP\/1\.1 \d{3} /);
  const isPart = /transfer-encoding: chunked/i.test(head) || /^HTTP\/1\.1 1/.test(head);
  const text = isPart ? '' : rest.join('\r\n\r\n');
  const type = /^content-type: (.*)$/im.exec(head)?.[1] ?? '';
  expectGood({ path: '' }, Number(head.slice(9, 12)), type, text);
}

it('responds to any request without leaking data or crashing', {
  timeout: (seconds + 120) * 1000,
}, async () => {
  const before = await data(theirToken, theirs);
  const each = {
    seed,
    numRuns: 1e9,
    interruptAfterTimeLimit: seconds * 1000,
    markInterruptAsFailure: false,
    endOnFailure: true,
    unbiased: true,
  };
  const shots = fc.asyncProperty(fc.gen(), async (g) => {
    const dice = diceOf(g);
    const kind = dice.int(9);
    if (kind === 0) await sendBytes(rawBytes(dice, token));
    else if (kind === 1) await send(jsonShot(dice));
    else if (kind <= 3) await send(restShot(openapi, dice, pool));
    else await send(documentShot(schema, dice, pool));
    expect(running.child.exitCode).toBeNull();
  });
  const found = await fc.check(shots, each);
  console.log(`fuzz: ${JSON.stringify(counts)} in ${seconds} s (FAULTS_SEED=${seed})`);
  expect(found.failed ? `path ${found.counterexamplePath}: ${found.errorInstance}` : '').toBe('');
  expect(counts.answers).toBeGreaterThan(seconds);
  expect(await data(theirToken, theirs)).toEqual(before);
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});
