import { randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { expect, inject, it } from 'vitest';
import { usePostgres } from '../cli/postgres.ts';
import { type Running, usePrograms } from '../cli/program.ts';
import { descriptorsOf, memoryOf } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import { openTenant, scale } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const scaled = scale({ seconds: 20 }, { seconds: 600 });
const { random, seed } = scaled;
const seconds = Number(process.env.SOAK_SECONDS ?? scaled.seconds);
const clients = 8;

interface Wanted {
  path: string;
  method?: string;
  body?: string;
  headers?: Record<string, string>;
  /** Milliseconds after which the client aborts the request. */
  abortAfter?: number;
}

/** Returns the status of the response, or `aborted`. */
function send(origin: string, agent: Agent, token: string, wanted: Wanted): Promise<number | 'aborted'> {
  const { path, method = 'POST', body = '', headers = {}, abortAfter } = wanted;
  const authorization = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const call = request(origin + path, { method, headers: { ...authorization, ...headers }, agent });
    call.on('response', (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
      response.on('error', () => resolve('aborted'));
    });
    call.on('error', (error) => (abortAfter === undefined ? reject(error) : resolve('aborted')));
    call.end(body);
    if (abortAfter !== undefined) setTimeout(() => call.destroy(), abortAfter);
  });
}

let number = 0;
const next = () => ++number;
const graphql = (query: string, variables?: object): Wanted => ({
  path: '/graphql',
  body: JSON.stringify({ query, variables }),
});
const address = { city: 'Rome' };
const createAccount = `mutation ($input: CreateAccountInput!) { createAccount(input: $input) { ... on Error { code } } }`;
const account = () => ({
  id: `a${next()}`,
  name: 'Account',
  customerId: 'customer',
  aliases: [`alias-${number}`],
});
const list = `query ($text: String!) { accounts(first: 5, filter: { search: $text }) { totalCount nodes { id aliases { value } customer { name } } } }`;
const changed = 'subscription { accountChanged { kind version } }';

/** The requests of the clients. Repeated names are more likely, and most requests differ every time. */
const kinds: Record<string, () => Wanted> = {
  read: () =>
    graphql(
      '{ accounts(first: 10) { nodes { id name aliases { value } history(first: 2) { totalCount } } } }',
    ),
  search: () => graphql(list, { text: `a${Math.floor(random() * 1000)}` }),
  create: () => graphql(createAccount, { input: { ...account(), idempotencyKey: randomUUID() } }),
  update: () =>
    graphql(`mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { __typename } }`, {
      input: { id: `a${Math.floor(random() * number)}`, name: `Account ${next()}` },
    }),
  invalid: () => graphql(createAccount, { input: { ...account(), name: '', aliases: [''] } }),
  unique: () => graphql(`query Q${next()} { a${number}: account(id: "a${number}") { id n${number}: name } }`),
  uniqueMutation: () =>
    graphql(
      `mutation M${next()} { m: updateAccount(input: { id: "none-${number}", name: "n${number}" }) { __typename } }`,
    ),
  unknownField: () => graphql(`{ nothing${next()} { id } }`),
  syntax: () => graphql(`{ account(id: "a${next()}" `),
  notJson: () => ({ path: '/graphql', body: `{"query": "${next()}` }),
  persisted: () => ({
    path: '/graphql',
    body: JSON.stringify({
      extensions: { persistedQuery: { version: 1, sha256Hash: randomUUID().replaceAll('-', '').repeat(2) } },
    }),
  }),
  tooLarge: () => ({ path: '/graphql', body: 'x'.repeat(1_100_000) }),
  stranger: () => ({
    ...graphql('{ viewer { keyName } }'),
    headers: { authorization: `Bearer agk_${randomUUID()}` },
  }),
  aborted: () => ({ ...graphql(list, { text: `b${next()}` }), abortAfter: random() * 10 }),
  abortedCreate: () => ({ ...graphql(createAccount, { input: account() }), abortAfter: random() * 5 }),
  subscription: () => ({
    ...graphql(changed),
    headers: { accept: 'text/event-stream' },
    abortAfter: 50 + random() * 500,
  }),
  deferred: () => ({
    ...graphql('{ accounts(first: 3) { nodes { id ... @defer { aliases { value } } } } }'),
    headers: { accept: 'multipart/mixed' },
  }),
  restRead: () => ({ path: `/accounts/a${Math.floor(random() * number)}`, method: 'GET' }),
  restCreate: () => ({
    path: '/accounts',
    body: JSON.stringify({ ...account(), address }),
    headers: { 'idempotency-key': randomUUID() },
  }),
  restNowhere: () => ({ path: `/nowhere/${next()}`, method: 'GET' }),
  restBad: () => ({ path: '/accounts', body: JSON.stringify({ id: next() }) }),
};

interface Sample {
  second: number;
  /** Resident memory of the process in megabytes. */
  memory: number;
  /** Heap after the last full garbage collection in megabytes. */
  heap: number;
  descriptors: number;
  connections: number;
}

type Tenant = Awaited<ReturnType<typeof openTenant>>;

async function sample(running: Running, { database }: Tenant, begun: number): Promise<Sample> {
  const [row] = await database.orm.execute<{ count: number }>(
    sql`select count(*)::integer as count from pg_stat_activity where datname = current_database()`,
  );
  return {
    second: (performance.now() - begun) / 1000,
    memory: await memoryOf(running.child.pid),
    heap: Number([...running.output.stdout.matchAll(/Mark-Compact.*? -> ([\d.]+) \(/g)].at(-1)?.[1] ?? 0),
    descriptors: await descriptorsOf(running.child.pid),
    connections: row?.count ?? 0,
  };
}

/** Runs clients without a pause until the time is over. Returns the number of responses by status. */
async function soak(origin: string, token: string, until: number) {
  const agent = new Agent({ keepAlive: true });
  const statuses: Record<string, number> = {};
  const names = Object.keys(kinds);
  const client = async () => {
    while (performance.now() < until) {
      const kind = names[Math.floor(random() * names.length)] ?? '';
      const wanted = kinds[kind]?.() ?? { path: '/' };
      const status = await send(origin, agent, token, wanted);
      const key = `${kind} ${status}`;
      statuses[key] = (statuses[key] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  agent.destroy();
  return statuses;
}

/** Returns the growth of a value per minute by linear regression. */
function slope(samples: Sample[], of: Exclude<keyof Sample, 'second'>): number {
  const middle = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const x = samples.map(({ second }) => second / 60);
  const y = samples.map((each) => each[of]);
  const [mx, my] = [middle(x), middle(y)];
  const over = x.reduce((sum, value, at) => sum + (value - mx) * ((y[at] ?? 0) - my), 0);
  return over / x.reduce((sum, value) => sum + (value - mx) ** 2, 0);
}

function report(samples: Sample[], statuses: Record<string, number>): void {
  const total = Object.values(statuses).reduce((sum, count) => sum + count, 0);
  console.log(`${total} requests in ${seconds} s from ${clients} clients (FAULTS_SEED=${seed}):`, statuses);
  for (const of of ['memory', 'heap', 'descriptors', 'connections'] as const) {
    const values = samples.map((each) => each[of]);
    console.log(
      `${of}: ${values[0]} at first, ${values.at(-1)} at last, ${Math.min(...values)} to ${Math.max(...values)}, ${slope(samples, of).toFixed(2)} more a minute`,
    );
  }
}

it('uses bounded memory, descriptors and connections over time', {
  timeout: 3_600_000,
}, async () => {
  const url = await server.create(templateName);
  const tenant = await openTenant({ ...inject('server'), database: new URL(url).pathname.slice(1) });
  const running = await programs.serve({ DATABASE_URL: url, LOG_LEVEL: 'warn' }, [
    process.execPath,
    '--disallow-code-generation-from-strings',
    '--trace-gc',
    'dist/main.js',
  ]);
  const { origin } = new URL(running.url);
  const input = { id: 'customer', name: 'Acme', primaryEmail: 'a@acme.example', address };
  const created = graphql(
    'mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }',
    { input },
  );
  expect(await send(origin, new Agent(), tenant.token, created)).toBe(200);
  const begun = performance.now();
  const soaked = soak(origin, tenant.token, begun + seconds * 1000);
  const samples: Sample[] = [];
  for (let at = 0; at < 60; at += 1) {
    await sleep((seconds * 1000) / 60);
    samples.push(await sample(running, tenant, begun));
  }
  const statuses = await soaked;
  // The caches fill up in the first third of the time.
  const warm = samples.slice(20);
  report(warm, statuses);
  expect(Object.keys(statuses).filter((key) => / 5\d\d$/.test(key))).toEqual([]);
  for (const name of Object.keys(kinds)) expect(Object.keys(statuses).join()).toContain(name);
  const first = warm.slice(0, 20);
  const last = warm.slice(20);
  // The caches are full after some minutes.
  const inMemory = seconds < 300 ? [] : (['memory', 'heap'] as const);
  for (const of of ['descriptors', 'connections', ...inMemory] as const) {
    const most = (some: Sample[]) => Math.max(...some.map((each) => each[of]));
    expect({ of, most: most(last) }).toEqual({
      of,
      most: expect.toSatisfy((value: number) => value <= most(first) * 1.15 + 5),
    });
  }
  await tenant.database.close();
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});
