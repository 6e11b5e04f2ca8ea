import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { openDatabase } from '../../src/db/client.ts';
import type { Connection } from '../../src/db/session.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import { until } from '../db/processes.ts';
import type { Json } from './service.ts';

/** Returns a seeded random number generator from 0 to 1 (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns the size of a test and its seed: large with FAULTS=full, small otherwise. */
export function scale<T>(little: T, much: T) {
  const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
  return { ...(process.env.FAULTS === 'full' ? much : little), seed, random: randomOf(seed) };
}

/** Creates the tenant of the writers. */
export async function openTenant(connection: Connection) {
  const database = openDatabase({ connection, poolSize: 2 });
  const tenant = await createTenant(database, { name: `writers-${Date.now()}` });
  const { token } = await createKey(database, tenant.id, 'writers');
  return { database, tenantId: tenant.id, token };
}

const createAccounts = `mutation ($inputs: [CreateAccountInput!]!) {
  createAccounts(inputs: $inputs) { ... on CreateAccountSuccess { replayed account { id } } ... on Error { code message } } }`;
/** Error codes after which a request may be retried with its key. */
const comeAgain = ['SERVICE_UNAVAILABLE', 'TIMEOUT'];

const createCustomer = `mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }`;

const customer = { id: 'customer', name: 'Acme', primaryEmail: 'a@acme.example', address: { city: 'Rome' } };

const accountOf = (id: string) => ({
  id,
  name: `Account ${id}`,
  customerId: 'customer',
  address: { city: 'Rome' },
  aliases: [`${id}-a`, `${id}-b`],
  settings: [{ id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: 'v' }],
});

/** The result of a created account. */
interface Outcome {
  id?: string;
  /** Whether the result is a replay. */
  replayed?: boolean;
  code?: string;
  message?: string;
}

/** Sends a request. Returns `undefined` without a response or for a retryable error. */
async function answerTo(url: string, token: string, body: object, headers: object = {}): Promise<Json> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    });
    const answer = (await response.json()) as Json;
    const code = response.headers.get('x-error-code') ?? answer.errors?.[0].extensions.code;
    if (comeAgain.includes(code)) return undefined;
    if (answer.errors !== undefined) throw new Error(JSON.stringify(answer.errors));
    return { ...answer, code };
  } catch (error) {
    // Only connection errors count as no response. An invalid response is a failure.
    if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return undefined;
    throw error;
  }
}

/** Creates accounts in one request. Returns `undefined` like `answerTo`. */
type Send = (url: string, token: string, ids: string[]) => Promise<Outcome[] | undefined>;

const overGraphql: Send = async (url, token, ids) => {
  const variables = { inputs: ids.map((id) => ({ ...accountOf(id), idempotencyKey: `key-${id}` })) };
  const answer = await answerTo(url, token, { query: createAccounts, variables });
  return answer?.data.createAccounts.map(({ account, ...rest }: Json) => ({ ...account, ...rest }));
};

const overRest: Send = async (url, token, [id = '']) => {
  const answer = await answerTo(new URL('/accounts', url).href, token, accountOf(id), {
    'Idempotency-Key': `key-${id}`,
  });
  return answer && [answer];
};

/** Ten writers: three with single accounts, three over REST, and four with ten accounts per request. */
const kinds: { send: Send; size: number }[] = [
  ...Array.from({ length: 3 }, () => ({ send: overGraphql, size: 1 })),
  ...Array.from({ length: 3 }, () => ({ send: overRest, size: 1 })),
  ...Array.from({ length: 4 }, () => ({ send: overGraphql, size: 10 })),
];

interface Seen {
  acknowledged: Set<string>;
  overRest: number;
  problems: string[];
  /** The number of retries. */
  unanswered: number;
  /** The time at which the latest successful request was sent. */
  newestGood: number;
}

/** Records the results of a request. Returns `false` if it must be retried. */
function take(seen: Seen, ids: string[], outcomes: Outcome[] | undefined, sentAt: number): boolean {
  // The database may still process the request whose response was lost.
  const early = outcomes?.some(({ code }) => code === 'IDEMPOTENCY_IN_PROGRESS');
  if (outcomes === undefined || early) return false;
  seen.newestGood = Math.max(seen.newestGood, sentAt);
  for (const [index, { id, code, message }] of outcomes.entries()) {
    if (id !== undefined && id === ids[index]) seen.acknowledged.add(id);
    else seen.problems.push(`${ids[index]}: ${code} ${message}`);
  }
  return true;
}

interface Target {
  url: () => string;
  token: string;
}

/** Creates accounts in one request, which is retried until they are acknowledged. */
async function create({ url, token }: Target, seen: Seen, send: Send, ids: string[]): Promise<void> {
  for (;;) {
    const sentAt = performance.now();
    if (take(seen, ids, await send(url(), token, ids), sentAt)) break;
    seen.unanswered += 1;
    await sleep(20);
  }
  if (send === overRest) seen.overRest += 1;
}

/** Runs writers that create accounts without a pause. */
export function createWriters(url: () => string, token: string) {
  const target = { url, token };
  const seen: Seen = { acknowledged: new Set(), overRest: 0, problems: [], unanswered: 0, newestGood: 0 };
  let number = 0;
  let running = true;

  async function write({ send, size }: (typeof kinds)[number]): Promise<void> {
    const next = () => Array.from({ length: size }, () => `a${number++}`);
    try {
      while (running) await create(target, seen, send, next());
    } catch (error) {
      seen.problems.push(String(error));
    }
  }
  return {
    acknowledged: seen.acknowledged,
    problems: seen.problems,
    async begin() {
      await answerTo(url(), token, { query: createCustomer, variables: { input: customer } });
      const writers = kinds.map(write);
      return () => {
        running = false;
        return Promise.all(writers);
      };
    },
    sent: () => number,
    unanswered: () => seen.unanswered,
    overRest: () => seen.overRest,
    /** Waits until a request that is sent from now on succeeds. Throws an error if a writer fails or after a minute. */
    async goodAnswer(): Promise<void> {
      const asked = performance.now();
      await until(async () => seen.newestGood > asked || seen.problems.length > 0, 60_000);
      if (seen.problems.length > 0) throw new Error(seen.problems.join('\n'));
    },
  };
}

/** Sends acknowledged requests again and returns the results that are not replays. */
export async function forgotten(url: string, token: string, ids: string[]): Promise<Outcome[]> {
  const outcomes = await overGraphql(url, token, ids);
  if (outcomes === undefined) throw new Error('no answer');
  return outcomes.filter(({ id, replayed }, index) => id !== ids[index] || !replayed);
}

/** Counts lost, duplicated, unknown and partial accounts of a tenant in the database. */
export async function damage(tenant: Awaited<ReturnType<typeof openTenant>>, acknowledged: Set<string>) {
  const { database, tenantId } = tenant;
  const rows = await database.orm.execute<{ id: string; whole: boolean }>(sql`
    select id,
      (select count(*) from aliases l where (l.tenant_id, l.account_id) = (a.tenant_id, a.id)
        and l.value in (a.id || '-a', a.id || '-b')) = 2
      and (select count(*) from settings s where (s.tenant_id, s.owner_id) = (a.tenant_id, a.id)) = 1
      and (select count(*) from changes c where (c.tenant_id, c.account_id) = (a.tenant_id, a.id)
        and c.kind = 'ACCOUNT_CREATED') = 1
      and (select count(*) from changes c where (c.tenant_id, c.account_id) = (a.tenant_id, a.id)) = 1 as whole
    from accounts a where tenant_id = ${tenantId}`);
  const stored = new Set(rows.map(({ id }) => id));
  return {
    lost: [...acknowledged].filter((id) => !stored.has(id)).length,
    duplicated: rows.length - stored.size,
    unknown: [...stored].filter((id) => !acknowledged.has(id)).length,
    halfWritten: rows.filter(({ whole }) => !whole).length,
  };
}

/** Formats the median and the maximum of some times in milliseconds. */
export function spread(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  return `p50 ${Math.round(sorted[sorted.length >> 1] ?? 0)} ms, max ${Math.round(sorted.at(-1) ?? 0)} ms`;
}
