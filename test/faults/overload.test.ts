import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, it } from 'vitest';
import { groupBy } from '../../src/lib/group.ts';
import { usePostgres } from '../cli/postgres.ts';
import { usePrograms } from '../cli/program.ts';
import { memoryOf, until } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import { openTenant, scale, spread } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const { seconds } = scale({ seconds: 5 }, { seconds: 30 });
const connections = 1024;
const patience = { timeout: 300_000 };

async function serve(env: Record<string, string> = {}) {
  const url = await server.create(templateName);
  const tenant = await openTenant({ ...inject('server'), database: new URL(url).pathname.slice(1) });
  const running = await programs.serve({ DATABASE_URL: url, LOG_LEVEL: 'silent', ...env });
  return { running, tenant, url: new URL(running.url) };
}

interface Answer {
  status: number;
  /** `good` or an error code. */
  outcome: string;
  retryAfter: string | undefined;
  tookMs: number;
}

async function send(url: URL, token: string, body: object, agent: Agent): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const begun = performance.now();
  const call = request(url, { method: 'POST', headers, agent });
  call.end(JSON.stringify(body));
  const [response] = await once(call, 'response');
  const { errors } = JSON.parse(await text(response));
  return {
    status: response.statusCode,
    outcome: errors?.[0].extensions.code ?? 'good',
    retryAfter: response.headers['retry-after'],
    tookMs: performance.now() - begun,
  };
}

const boundMb = 700;

const create = `mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { ... on Error { message } } }`;
const read = '{ customers(first: 5) { nodes { id name } } }';
const address = { city: 'Rome' };

/** Alternating writes and reads. */
function bodyOf(number: number): object {
  if (number % 2 === 1) return { query: read };
  const input = { id: `c${number}`, name: 'Acme', primaryEmail: 'a@acme.example', address };
  return { query: create, variables: { input } };
}

/** Runs a client per connection. Each sends the next request after the response. */
async function flood(url: URL, token: string, agent: Agent): Promise<Answer[]> {
  const answers: Answer[] = [];
  const end = performance.now() + seconds * 1000;
  let number = 0;
  const clients = Array.from({ length: connections }, async () => {
    while (performance.now() < end) answers.push(await send(url, token, bodyOf(number++), agent));
  });
  await Promise.all(clients);
  return answers;
}

function report(what: string, answers: Answer[], memory: number[]): void {
  const outcomes = groupBy(answers, ({ outcome }) => outcome);
  const counts = [...outcomes].map(([outcome, found]) => `${found.length} ${outcome}`);
  console.log(
    `${what}: ${counts.join(', ')}; answers after ${spread(answers.map(({ tookMs }) => tookMs))}; memory ${memory.join(' MB, ')} MB`,
  );
}

/** Fails unless the responses are successes and retryable errors within the time limit. */
function expectOrder(answers: Answer[], boundMs: number): void {
  const others = answers.filter(({ outcome }) => outcome !== 'good');
  const busy = others.filter(({ outcome }) => outcome !== 'TIMEOUT');
  for (const { status, outcome, retryAfter } of busy) {
    expect([`503 SERVICE_UNAVAILABLE`, `429 RATE_LIMITED`]).toContain(`${status} ${outcome}`);
    expect(Number(retryAfter)).toBeGreaterThan(0);
  }
  expect(others.length).toBeLessThan(answers.length);
  expect(Math.max(...answers.map(({ tookMs }) => tookMs))).toBeLessThan(boundMs);
}

it('serves a thousand busy connections in bounded memory', patience, async () => {
  const { running, tenant, url } = await serve();
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const memory: number[] = [];
  for (const round of ['first', 'second', 'third']) {
    const answers = await flood(url, tenant.token, agent);
    memory.push(await memoryOf(running.child.pid));
    report(`1024 connections, ${round} round`, answers, memory);
    // The operation timeout of 10 s plus time for a slow machine.
    expectOrder(answers, 30_000);
    expect(Object.keys(agent.freeSockets).length + Object.keys(agent.sockets).length).toBeGreaterThan(0);
  }
  // Garbage collection moves it by 100 MB. A leak of 10 KB per request would exceed the limit.
  expect(Math.max(...memory)).toBeLessThan(boundMb);
  agent.destroy();
  await tenant.database.close();
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});

/** Starts a service with a queue timeout of a minute. */
const waiting = {
  DATABASE_WAIT_TIMEOUT_MS: '60000',
  DATABASE_LOCK_TIMEOUT_MS: '60000',
  DATABASE_STATEMENT_TIMEOUT_MS: '60000',
  DATABASE_CALL_TIMEOUT_MS: '70000',
  OPERATION_TIMEOUT_MS: '80000',
};

it('rejects requests beyond the queue immediately', patience, async () => {
  const { running, tenant, url } = await serve(waiting);
  const agent = new Agent({ maxSockets: 4000 });
  await send(url, tenant.token, bodyOf(1), agent);
  const answers: Answer[] = [];
  const refused = () => answers.some(({ outcome }) => outcome === 'RATE_LIMITED');
  let burst: Promise<unknown> = Promise.resolve();
  await tenant.database.orm.transaction(async (tx) => {
    await tx.execute('lock table customers in access exclusive mode');
    const sent = Array.from({ length: 3500 }, async (_each, number) => {
      answers.push(await send(url, tenant.token, bodyOf(number), agent));
    });
    burst = Promise.all(sent);
    await until(async () => refused(), 60_000);
    // Only rejected requests can have a response while the others wait.
    expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(['RATE_LIMITED']));
  });
  await burst;
  report('3500 requests at once', answers, [await memoryOf(running.child.pid)]);
  expectOrder(answers, 120_000);
  expect((await send(url, tenant.token, bodyOf(1), agent)).outcome).toBe('good');
  await tenant.database.close();
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});

/** Opens a client that sends a request slowly, byte by byte, and reads only on demand. */
function slowClient(url: URL, beginning: string, rest: string): Socket {
  const socket = connect(Number(url.port), url.hostname);
  socket.on('error', () => undefined);
  socket.write(beginning);
  let at = 0;
  const timer = setInterval(() => socket.write(rest[at++ % rest.length] ?? ''), 500);
  socket.on('close', () => clearInterval(timer));
  return socket;
}

function slowClients(url: URL, token: string): Socket[] {
  const line = `POST ${url.pathname} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n`;
  const large = JSON.stringify({
    query: '{ __schema { types { name description fields { name description } } } }',
  });
  const whole = `${line}content-length: ${large.length}\r\n\r\n${large}`;
  const many = (make: () => Socket) => Array.from({ length: 150 }, make);
  return [
    ...many(() => slowClient(url, `${line}x-slow: `, 'a')),
    ...many(() => slowClient(url, `${line}content-length: 900000\r\n\r\n{"query":"`, ' ')),
    // Twenty requests whose responses are not read.
    ...many(() => slowClient(url, whole.repeat(20), '\r\n').pause()),
  ];
}

it('serves others despite slow clients and closes the connections of slow senders', patience, async () => {
  const { running, tenant, url } = await serve();
  const agent = new Agent({ keepAlive: true });
  await send(url, tenant.token, bodyOf(1), agent);
  const memory = [await memoryOf(running.child.pid)];
  const slow = slowClients(url, tenant.token);
  const senders = slow.slice(0, 300).map((socket) => once(socket.resume(), 'close'));
  const answers: Answer[] = [];
  const cut = Promise.all(senders).then(() => 'cut');
  for (let at = 0; (await Promise.race([cut, sleep(20, 'slow')])) === 'slow'; at += 1) {
    answers.push(await send(url, tenant.token, bodyOf(at), agent));
  }
  memory.push(await memoryOf(running.child.pid));
  report('beside 450 slow clients', answers, memory);
  expect(answers.filter(({ outcome }) => outcome !== 'good')).toEqual([]);
  for (const socket of slow) socket.destroy();
  agent.destroy();
  await tenant.database.close();
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});
