import type { Bench, Row } from './bench.ts';
import { type Client, cpuUs, type Load, median, memoryMb, type Request } from './measure.ts';
import { clientsOf } from './requests.ts';
import type { Running } from './services.ts';

/** One column of a case: a service, or a variant of one, and what it is sent. */
export interface Entry {
  column: string;
  service: Running;
  requests: Request[];
  /** How many tenants send them, 1 by default. */
  tenants?: number;
  /** The index of the first of them. */
  tenant?: number;
}

export interface Case {
  name: string;
  connections: number;
  entries: Entry[];
  /** Whether failed requests are counted instead of ending the run. */
  mayFail?: boolean | undefined;
}

const maxWarmUpConnections = 8;

/** Returns how many statements PostgreSQL has run in the database of a service. */
async function statementsOf({ database: { admin } }: Bench, { database }: Running): Promise<number> {
  const [row] = await admin<{ calls: string }[]>`
    select coalesce(sum(calls), 0) as calls from pg_stat_statements(false) s
    join pg_database d on d.oid = s.dbid where d.datname = ${database} and toplevel`;
  return Number(row?.calls);
}

async function usageOf(bench: Bench, service: Running) {
  const [serviceUs = 0, databaseUs = 0] = cpuUs(service.pid, bench.database.pid);
  return { serviceUs, databaseUs, statements: await statementsOf(bench, service) };
}

/** Runs an entry once. Its CPU time and statements are per request. */
async function measure(
  bench: Bench,
  { service, requests, tenants, tenant }: Entry,
  { connections, mayFail = false }: Pick<Case, 'connections' | 'mayFail'>,
  seconds: number,
): Promise<Record<string, number>> {
  const clients: Client[] = await clientsOf(bench.database, service, requests, tenants, tenant);
  const before = await usageOf(bench, service);
  const job = { url: service.url, clients, connections, seconds };
  const done = mayFail ? await bench.loader.run<Load>(job) : await bench.loader.load(job);
  const after = await usageOf(bench, service);
  const per = (key: keyof typeof after) => (after[key] - before[key]) / Math.max(1, done.requests);
  return {
    perSecond: done.requests / done.seconds,
    p50: done.p50,
    p99: done.p99,
    serviceUs: per('serviceUs'),
    databaseUs: per('databaseUs'),
    statements: per('statements'),
    memoryMb: await memoryMb(service.pid),
    failed: done.failed,
    refused: done.refused,
  };
}

function medians(runs: Record<string, number>[]): Record<string, number> {
  const keys = Object.keys(runs[0] ?? {});
  return Object.fromEntries(keys.map((key) => [key, median(runs.map((run) => run[key] ?? 0))]));
}

/** Warms every entry up, then measures all entries of all cases in turn, several times. Returns medians. */
export async function compare(bench: Bench, part: string, cases: Case[]): Promise<Row[]> {
  const { rounds, seconds, warmUpSeconds } = bench.timing;
  const warm = new Set<string>();
  const mostConnections = Math.max(...cases.map(({ connections }) => connections));
  const connections = Math.min(maxWarmUpConnections, mostConnections);
  for (const { name, entries, mayFail } of cases) {
    for (const entry of entries) {
      const key = `${name} ${entry.column}`;
      if (!warm.has(key)) await measure(bench, entry, { connections, mayFail }, warmUpSeconds);
      warm.add(key);
    }
  }
  const measured = cases.flatMap((one) =>
    one.entries.map((entry) => ({ one, entry, runs: [] as Record<string, number>[] })),
  );
  for (let round = 0; round < rounds; round += 1) {
    for (const { one, entry, runs } of measured) {
      runs.push(await measure(bench, entry, one, seconds));
    }
  }
  return measured.map(({ one: { name, connections }, entry: { column }, runs }) => ({
    ...{ part, name, connections, column },
    figures: medians(runs),
  }));
}
