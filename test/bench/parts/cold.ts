import { type Bench, type Part, type Row, withServices } from '../bench.ts';
import { mixedRequests } from '../mix.ts';
import { clientsOf } from '../requests.ts';
import type { Service } from '../services.ts';
import { latency, milliseconds, pivot } from '../tables.ts';

const part = 'cold';
const rate = 50;
const connections = 16;

/** The spans of seconds that are reported: the first second, the next four, and the rest. */
function windowsOf(seconds: number): [number, number][] {
  return [
    [0, 1],
    [1, Math.min(5, seconds)],
    [Math.min(5, seconds - 1), seconds],
    [0, seconds],
  ];
}

/** Loads a service from its first response on. */
async function measure(bench: Bench, service: Service): Promise<Row[]> {
  const seconds = bench.timing.coldSeconds;
  return withServices(bench, await bench.small(), [service], async ([running]) => {
    if (running === undefined) return [];
    const clients = await clientsOf(bench.database, running, mixedRequests(running));
    const windows = windowsOf(seconds);
    const done = await bench.loader.load({ url: running.url, clients, connections, seconds, rate, windows });
    return done.windows.map((figures, index) => {
      const [from, until] = windows[index] ?? [0, seconds];
      return { part, name: `second ${from} to ${until}`, column: service.title, figures: { ...figures } };
    });
  });
}

export const coldPart: Part = {
  name: part,
  title: 'A cold process at 50 requests/s',
  async run(bench) {
    const rows: Row[] = [];
    for (const service of bench.services) rows.push(...(await measure(bench, service)));
    const markdown = [
      pivot(rows, { head: 'p50 / p99, ms', figure: latency }),
      pivot(rows, { head: 'slowest, ms', figure: ({ max = 0 }) => milliseconds(max) }),
    ].join('\n\n');
    return { rows, markdown };
  },
};
