import { type Bench, type Part, type Row, withServices } from '../bench.ts';
import { type Case, compare, type Entry } from '../compare.ts';
import type { Request } from '../measure.ts';
import { requestsOf } from '../requests.ts';
import { isOwn, type Running } from '../services.ts';
import { cpu, latency, pivot } from '../tables.ts';

const part = 'growth';
const sizes = [10_000, 100_000, 1_000_000];
const connections = 32;
const crowds = [32, 256, 1024];

const lastPage: Request = {
  path: '/graphql',
  body: JSON.stringify({
    query: `query Accounts($last: Int!) { accounts(last: $last) { nodes { id name customer { name } aliases { value }
      settings { value } } pageInfo { startCursor } } }`,
    variables: { last: 50 },
  }),
};

function casesOf(running: Running[], size: number): Case[] {
  const entries = (requests: (service: Running) => Request[]): Entry[] =>
    running.map((service) => ({ column: service.title, service, requests: requests(service) }));
  const label = `${size.toLocaleString('en-US')} accounts`;
  const cases = (['W2', 'W3', 'W6', 'W8'] as const).map((workload) => ({
    ...{ name: `${workload}, ${label}`, connections },
    entries: entries((service) => requestsOf(service, workload, size)),
  }));
  const last = { name: `W3, the last page, ${label}`, connections, entries: entries(() => [lastPage]) };
  const ofCrowds = (size === sizes[0] ? crowds : []).map((crowd) => ({
    ...{ name: 'W2', connections: crowd },
    entries: entries((service) => requestsOf(service, 'W2', size)),
  }));
  return [...cases, last, ...ofCrowds];
}

async function measureSize(bench: Bench, size: number): Promise<Row[]> {
  const template = await bench.template(`growth_${size}`, { tenants: 1, accounts: size });
  const services = bench.services.filter(isOwn);
  return withServices(
    bench,
    template,
    services,
    (running) => compare(bench, part, casesOf(running, size)),
    true,
  );
}

/** How the service behaves with more accounts and more connections. Runs only when it is named. */
export const growthPart: Part = {
  name: part,
  title: 'More accounts and more connections',
  async run(bench) {
    const rows: Row[] = [];
    for (const size of sizes) rows.push(...(await measureSize(bench, size)));
    const markdown = [
      pivot(rows, { head: 'Requests/s', figure: 'perSecond' }),
      pivot(rows, { head: 'p50 / p99, ms', figure: latency }),
      pivot(rows, { head: 'CPU µs per request, service + database', figure: cpu }),
      pivot(rows, { head: 'memory, MB', figure: 'memoryMb' }),
    ].join('\n\n');
    return { rows, markdown };
  },
};
