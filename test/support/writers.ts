import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { openDatabase } from '../../src/db/client.ts';
import type { Connection } from '../../src/db/session.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import { until } from '../db/processes.ts';
import type { Json } from './service.ts';

/** A random number from 0 to 1 each time, the same ones for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How much is tried, and from which seed: little in every run of the tests, much with FAULTS=full. */
export function scale<T>(little: T, much: T) {
  const seed = Number(process.env.FAULTS_SEED ?? Date.now() % 1_000_000);
  return { ...(process.env.FAULTS === 'full' ? much : little), seed, random: randomOf(seed) };
}

/** The tenant that the writers write for. */
export async function openTenant(connection: Connection) {
  const database = openDatabase({ connection, poolSize: 2 });
  const tenant = await createTenant(database, { name: `writers-${Date.now()}` });
  const { token } = await createKey(database, tenant.id, 'writers');
  return { database, tenantId: tenant.id, token };
}

const createAccounts = `mutation ($inputs: [CreateAccountInput!]!) {
  createAccounts(inputs: $inputs) { ... on CreateAccountSuccess { replayed account { id } } ... on Error { code message } } }`;
/** What is safe to send again with its key: refused, or given up on a machine that is overloaded. */
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

/** What became of an account that was to be created. */
interface Outcome {
  id?: string;
  /** Whether it is the first answer to a request that was sent before. */
  replayed?: boolean;
  code?: string;
  message?: string;
}

/** An answer; undefined when none came, or one that says to come again. */
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
    // Of a connection: what the service says wrongly is no answer that never came.
    if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return undefined;
    throw error;
  }
}

/** Creates accounts in one request; answers as `answerTo` does. */
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

/** Ten writers: three of single accounts, three of those over REST, and four of ten accounts a request. */
const kinds: { send: Send; size: number }[] = [
  ...Array.from({ length: 3 }, () => ({ send: overGraphql, size: 1 })),
  ...Array.from({ length: 3 }, () => ({ send: overRest, size: 1 })),
  ...Array.from({ length: 4 }, () => ({ send: overGraphql, size: 10 })),
];

interface Seen {
  acknowledged: Set<string>;
  overRest: number;
  problems: string[];
  /** How many requests had to be sent again. */
  unanswered: number;
  /** When the newest request was sent that got a good answer. */
  newestGood: number;
}

/** Notes what the accounts of a request have become; false when it must be sent again. */
function take(seen: Seen, ids: string[], outcomes: Outcome[] | undefined, sentAt: number): boolean {
  // The database may still be at work on the request whose answer was lost.
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

/** Creates accounts in one request, which is sent again until they are acknowledged. */
async function create({ url, token }: Target, seen: Seen, send: Send, ids: string[]): Promise<void> {
  for (;;) {
    const sentAt = performance.now();
    if (take(seen, ids, await send(url(), token, ids), sentAt)) break;
    seen.unanswered += 1;
    await sleep(20);
  }
  if (send === overRest) seen.overRest += 1;
}

/** Writers that create accounts without a pause. */
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
    /** Waits for the good answer to a request that is sent from now on. Throws when a writer gave up, or after a minute. */
    async goodAnswer(): Promise<void> {
      const asked = performance.now();
      await until(async () => seen.newestGood > asked || seen.problems.length > 0, 60_000);
      if (seen.problems.length > 0) throw new Error(seen.problems.join('\n'));
    },
  };
}

/** Sends creations again that were acknowledged; answers with those that are not remembered by their keys. */
export async function forgotten(url: string, token: string, ids: string[]): Promise<Outcome[]> {
  const outcomes = await overGraphql(url, token, ids);
  if (outcomes === undefined) throw new Error('no answer');
  return outcomes.filter(({ id, replayed }, index) => id !== ids[index] || !replayed);
}

/** What of a tenant's accounts is not as it must be, by what the database itself holds. */
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

/** The middle and the greatest of some times, in whole milliseconds. */
export function spread(times: number[]): string {
  const sorted = times.toSorted((a, b) => a - b);
  return `p50 ${Math.round(sorted[sorted.length >> 1] ?? 0)} ms, max ${Math.round(sorted.at(-1) ?? 0)} ms`;
}
