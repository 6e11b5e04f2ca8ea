import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/db/client.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import { until } from '../db/processes.ts';
import { type Fault, useProxy } from '../support/proxy.ts';
import { cloneDatabase, type Json, openApp } from '../support/service.ts';

const proxy = useProxy(() => inject('server').path);
const boundMs = 5000;

let app: ReturnType<typeof openApp>;
let server: Server;
let origin = '';
let token = '';
let number = 0;

beforeAll(async () => {
  const database = await cloneDatabase();
  const admin = openDatabase({ connection: { ...inject('server'), database }, poolSize: 1 });
  const tenant = await createTenant(admin, { name: 'away' });
  token = (await createKey(admin, tenant.id, 'test')).token;
  await admin.close();
  // The default timeouts of the service.
  app = openApp({ url: proxy.urlOf(database) }, readConfig({}).database);
  server = createServer(app.listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await proxy.set({ kind: 'none' });
  server.closeAllConnections();
  server.close();
  await app.close();
});

interface Answer {
  status: number;
  tookMs: number;
  retryAfter: string | null;
  /** The error code; `undefined` for a success. */
  code: string | undefined;
  body: Json;
}

async function ask(path: string, body?: object, headers: object = {}): Promise<Answer> {
  const begun = performance.now();
  const given = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers };
  const sent = body && { method: 'POST', body: JSON.stringify(body) };
  const response = await fetch(origin + path, { headers: given, ...sent });
  const answer = JSON.parse(await response.text());
  return {
    status: response.status,
    retryAfter: response.headers.get('retry-after'),
    code: response.headers.get('x-error-code') ?? answer.errors?.[0].extensions.code,
    tookMs: performance.now() - begun,
    body: answer,
  };
}

const createCustomer = (id: string, idempotencyKey?: string) =>
  ask('/graphql', {
    query: `mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) {
      ... on CreateCustomerSuccess { replayed customer { id } } ... on Error { message } } }`,
    variables: {
      input: { id, name: 'Acme', primaryEmail: 'a@acme.example', address: { city: 'Rome' }, idempotencyKey },
    },
  });
const readCustomers = () => ask('/graphql', { query: '{ customers(first: 2) { nodes { id } } }' });
/** A nullable customer, because a null without an error would be wrong. */
const readCustomer = () => ask('/graphql', { query: '{ customer(id: "healthy") { id } }' });
/** Creates an account over REST with its idempotency key in a header. */
const createAccount = (id: string, key = id) =>
  ask('/accounts', { id, name: 'Account', customerId: 'healthy' }, { 'Idempotency-Key': key });
const readCustomerOverRest = () => ask('/customers/healthy');
const ready = async () => (await ask('/health/ready')).status === 200;

/** Fails unless a response is a success or a retryable error within the time limit. */
function expectHonest({ status, tookMs, retryAfter, code, body }: Answer): void {
  expect(tookMs).toBeLessThan(boundMs);
  if (code === undefined) {
    expect([200, 201]).toContain(status);
    expect(Object.values(body.data ?? { id: body.id ?? null })).not.toContain(null);
    return;
  }
  expect({ status, retryAfter, code }).toEqual({ status: 503, retryAfter: '1', code: 'SERVICE_UNAVAILABLE' });
  expect(body.errors?.length ?? 1).toBe(1);
}

/** The requests of a burst: writes and reads of GraphQL and REST. */
const requests = [
  () => createCustomer(`c${number++}`),
  () => createAccount(`a${number++}`),
  readCustomers,
  readCustomer,
  readCustomerOverRest,
];

const burst = () =>
  Promise.all(
    Array.from({ length: 40 }, (_each, index) => requests[index % requests.length]?.() ?? ask('/')),
  );

async function expectHealed(): Promise<void> {
  await proxy.set({ kind: 'none' });
  await until(async () => (await createCustomer(`c${number++}`)).status === 200 && (await ready()), boundMs);
  for (const { code } of await burst()) expect(code).toBeUndefined();
}

const deadly: Fault[] = [
  { kind: 'refuse' },
  { kind: 'reset' },
  { kind: 'close' },
  { kind: 'black hole' },
  { kind: 'delay', ms: 60_000 },
];
const bearable: Fault[] = [
  { kind: 'half open' },
  { kind: 'delay', ms: 300 },
  { kind: 'slow', bytesPerSecond: 4000 },
];

describe('the service with a failing database', { timeout: 120_000 }, () => {
  beforeEach(async () => {
    await createCustomer('healthy');
    await expectHealed();
  });

  it.each(deadly)('returns 503 in time, is alive but not ready, and recovers: $kind', async (fault) => {
    const underWay = burst();
    await proxy.set(fault);
    for (const answer of await underWay) expectHonest(answer);
    const [answers] = await Promise.all([burst(), until(async () => !(await ready()), boundMs)]);
    for (const answer of answers) {
      expectHonest(answer);
      expect(answer.status).toBe(503);
    }
    expect(await ask('/health/live')).toMatchObject({ status: 200, body: { status: 'alive' } });
    expect((await ask('/health/ready')).body).toEqual({ status: 'no database' });
    await expectHealed();
  });

  it.each(bearable)('responds in time and recovers: $kind', async (fault) => {
    const underWay = burst();
    await proxy.set(fault);
    for (const answer of [...(await underWay), ...(await burst())]) expectHonest(answer);
    expect(await ask('/health/live')).toMatchObject({ status: 200 });
    await expectHealed();
  });

  it('replays a REST write whose result was lost by its idempotency key', async () => {
    await proxy.set({ kind: 'lose answer', to: 'lost-over-rest' });
    const lost = await createAccount('lost', 'lost-over-rest');
    expectHonest(lost);
    expect(lost.body.message).toContain('may or may not have happened');
    await proxy.set({ kind: 'none' });
    await expect(createAccount('lost', 'lost-over-rest')).resolves.toMatchObject({
      status: 201,
      body: { id: 'lost', customerId: 'healthy' },
    });
    await expect(createAccount('lost', 'another')).resolves.toMatchObject({ code: 'ID_TAKEN' });
  });

  it('replays a GraphQL write whose result was lost by its idempotency key', async () => {
    await proxy.set({ kind: 'lose answer', to: 'lost-key' });
    const lost = await createCustomer('lost', 'lost-key');
    expectHonest(lost);
    expect(lost.body.errors[0].message).toContain('may or may not have happened');
    await proxy.set({ kind: 'none' });
    await expect(createCustomer('lost', 'lost-key')).resolves.toMatchObject({
      body: { data: { createCustomer: { replayed: true, customer: { id: 'lost' } } } },
    });
  });
});
