import { type Bench, type Part, type Row, withServices } from '../bench.ts';
import type { Client, Load, Request } from '../measure.ts';
import { requestsOf } from '../requests.ts';
import { isOwn, type Running } from '../services.ts';
import { latency, pivot, table, whole } from '../tables.ts';

const part = 'neighbour';
const rate = 50;
const connections = 16;
const aliases = 120;
const heavyConnections = [1, 8];

/** A document close to the limits: every alias counts the accounts that a search finds. */
function heavyRequest(): Request {
  const fields = Array.from(
    { length: aliases },
    (_, n) => `a${n}: accounts(first: 1, filter: { search: "Account ${n % 10}" }) { totalCount }`,
  );
  return { path: '/graphql', body: JSON.stringify({ query: `{ ${fields.join(' ')} }` }) };
}

function clientOf({ headers }: Running, tenant: number, requests: Request[]): Client {
  return { headers: headers[tenant]?.[0] ?? {}, requests };
}

/** Measures the second tenant, with the first one's heavy documents beside it or without. */
async function measure(
  bench: Bench,
  service: Running,
  heavy: number,
): Promise<{ light: Load; heavy?: Load }> {
  const { steadySeconds: seconds } = bench.timing;
  const { url } = service;
  const light = { clients: [clientOf(service, 1, requestsOf(service, 'W2'))], connections, rate };
  if (heavy === 0) return { light: await bench.loader.load({ url, seconds, ...light }) };
  const beside = bench.secondLoader.run({
    ...{ url, clients: [clientOf(service, 0, [heavyRequest()])] },
    ...{ connections: heavy, seconds: seconds + 1 },
  });
  // The heavy documents run before the first light request.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const done = await bench.loader.run({ url, seconds, ...light });
  return { light: done, heavy: await beside };
}

async function measureService(bench: Bench, service: Running) {
  const warmUp = { clients: [clientOf(service, 1, requestsOf(service, 'W2'))], connections, rate };
  await bench.loader.load({ url: service.url, seconds: bench.timing.warmUpSeconds, ...warmUp });
  const rows: Row[] = [];
  for (const heavy of [0, ...heavyConnections]) {
    const { light, heavy: beside } = await measure(bench, service, heavy);
    const name = heavy === 0 ? 'alone' : `beside ${heavy} heavy connection${heavy === 1 ? '' : 's'}`;
    const { p50, p99, max, refused, failed } = light;
    const heavyFigures = {
      heavyAnswered: beside?.requests ?? 0,
      heavyP50: beside?.p50 ?? 0,
      heavyRefused: (beside?.refused ?? 0) + (beside?.failed ?? 0),
    };
    const figures = { p50, p99, max, refused: refused + failed, ...heavyFigures };
    rows.push({ part, name, column: service.title, figures });
    if (beside?.firstError !== undefined) console.error(`  refused: ${beside.firstError.slice(0, 300)}`);
  }
  return rows;
}

const head = [
  '',
  'p50 / p99, ms',
  'refused',
  'heavy documents answered',
  'their p50, ms',
  'of them refused or given up',
];

export const neighbourPart: Part = {
  name: part,
  title: 'A second tenant beside the heaviest document',
  async run(bench) {
    const rows: Row[] = [];
    for (const service of bench.services.filter(isOwn)) {
      const measured = await withServices(bench, await bench.small(), [service], ([running]) =>
        running === undefined ? Promise.resolve([]) : measureService(bench, running),
      );
      rows.push(...measured);
    }
    const lines = rows.map(({ name, column, figures }) => {
      const { refused = 0, heavyAnswered = 0, heavyP50 = 0, heavyRefused = 0 } = figures;
      const counts = [refused, heavyAnswered, heavyP50, heavyRefused].map(whole);
      return [bench.isAgainst ? `${name}, ${column}` : name, latency(figures), ...counts];
    });
    const compared = bench.isAgainst ? [pivot(rows, { head: 'p50 / p99, ms', figure: latency })] : [];
    return { rows, markdown: [table(head, lines), ...compared].join('\n\n') };
  },
};
