import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { openDatabase } from '../../src/db/client.ts';
import type { Connection } from '../../src/db/session.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
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
  createAccounts(inputs: $inputs) { ... on CreateAccountSuccess { account { id } } ... on Error { code message } } }`;
const createCustomer = `mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }`;

const accountOf = (id: string) => ({
  id,
  name: `Account ${id}`,
  customerId: 'customer',
  address: { city: 'Rome' },
  aliases: [`${id}-a`, `${id}-b`],
  settings: [{ id: 's', namespace: 'n', name: 'S', dataType: 'STRING', value: 'v' }],
  idempotencyKey: `key-${id}`,
});

/** The data of a good answer; undefined when there was none, or one that says to come again. */
async function answerTo(url: string, token: string, query: string, variables: object): Promise<Json> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables }),
      signal: AbortSignal.timeout(20_000),
    });
    const { data, errors } = (await response.json()) as Json;
    if (errors === undefined) return data;
    if (errors[0].extensions.code === 'SERVICE_UNAVAILABLE') return undefined;
    throw new Error(JSON.stringify(errors));
  } catch (error) {
    // Of a connection: what the service says wrongly is no answer that never came.
    if (error instanceof TypeError || (error as Error).name === 'TimeoutError') return undefined;
    throw error;
  }
}

interface Seen {
  acknowledged: Set<string>;
  problems: string[];
  /** How many requests had to be sent again. */
  unanswered: number;
  lastAnswerAt: number;
}

/** Notes what the accounts of a request have become; false when it must be sent again. */
function take(seen: Seen, ids: string[], data: Json): boolean {
  // The database may still be at work on the request whose answer was lost.
  const early = data?.createAccounts.some(({ code }: Json) => code === 'IDEMPOTENCY_IN_PROGRESS');
  if (data === undefined || early) return false;
  seen.lastAnswerAt = performance.now();
  for (const [index, { account, message }] of data.createAccounts.entries()) {
    if (account?.id === ids[index]) seen.acknowledged.add(account.id);
    else seen.problems.push(`${ids[index]}: ${message}`);
  }
  return true;
}

/** Writers that create accounts, one or ten in a request, each again until it is acknowledged. */
export function createWriters(url: () => string, token: string) {
  const seen: Seen = { acknowledged: new Set(), problems: [], unanswered: 0, lastAnswerAt: 0 };
  let number = 0;
  let running = true;

  async function create(ids: string[]): Promise<void> {
    for (;;) {
      const data = await answerTo(url(), token, createAccounts, { inputs: ids.map(accountOf) });
      if (take(seen, ids, data)) return;
      seen.unanswered += 1;
      await sleep(20);
    }
  }
  async function write(size: number): Promise<void> {
    while (running) await create(Array.from({ length: size }, () => `a${number++}`));
  }
  async function begin() {
    const input = { id: 'customer', name: 'Acme', primaryEmail: 'a@acme.example', address: { city: 'Rome' } };
    await answerTo(url(), token, createCustomer, { input });
    const writers = Array.from({ length: 10 }, (_each, index) => write(index < 5 ? 1 : 10));
    return async () => {
      running = false;
      await Promise.all(writers);
    };
  }
  const { acknowledged, problems } = seen;
  return {
    begin,
    acknowledged,
    problems,
    sent: () => number,
    unanswered: () => seen.unanswered,
    lastAnswerAt: () => seen.lastAnswerAt,
  };
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
