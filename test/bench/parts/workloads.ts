import { type Bench, manyAccounts, type Part, type Row, withServices } from '../bench.ts';
import { type Case, compare } from '../compare.ts';
import { memoryMb } from '../measure.ts';
import { checkResponses, requestsOf } from '../requests.ts';
import type { Running } from '../services.ts';
import { comparisonTables, pivot, serviceRatios } from '../tables.ts';
import type { Workload } from '../workloads.ts';

/** Reads first, because writes change the pages that are read. */
const smallWorkloads: Workload[] = ['W5', 'W2', 'W6', 'W3', 'W4', 'W7', 'W7 plain', 'W1', 'W1 plain'];
const part = 'workloads';

/** These are measured at the fewest and the most connections only, for the sake of time. */
const fewer = new Set<Workload>(['W1 plain', 'W7 plain', 'W8']);
const extremes = [1, 32];

async function measureWorkload(
  bench: Bench,
  running: Running[],
  workload: Workload,
  size?: number,
): Promise<Row[]> {
  await checkResponses(running, workload, size);
  const entries = running.map((service) => ({
    column: service.title,
    service,
    requests: requestsOf(service, workload, size),
  }));
  const counts = bench.connections.filter((count) => !fewer.has(workload) || extremes.includes(count));
  const cases: Case[] = counts.map((connections) => ({ name: workload, connections, entries }));
  const rows = await compare(bench, part, cases);
  console.error(`  ${workload} is done.`);
  return rows;
}

async function costsOf(running: Running[]): Promise<Row[]> {
  return Promise.all(
    running.map(async ({ title, startMs, pid }) => ({
      ...{ part: 'costs', name: 'costs', column: title },
      figures: { startMs, peakMb: await memoryMb(pid, 'VmHWM') },
    })),
  );
}

/** Only peers have a plain write path. */
const isNeeded = ({ isAgainst, isQuick }: Bench, workload: Workload) =>
  !((isAgainst || isQuick) && workload.endsWith('plain'));

async function measureAll(bench: Bench): Promise<Row[]> {
  const rows = await withServices(bench, await bench.small(), bench.services, async (running) => {
    const all: Row[] = [];
    for (const workload of smallWorkloads.filter((one) => isNeeded(bench, one))) {
      all.push(...(await measureWorkload(bench, running, workload)));
    }
    return [...all, ...(await costsOf(running))];
  });
  if (bench.isQuick) return rows;
  const template = await bench.million();
  const search = await withServices(
    bench,
    template,
    bench.services,
    (running) => measureWorkload(bench, running, 'W8', manyAccounts),
    true,
  );
  return [...rows, ...search];
}

export const workloadsPart: Part = {
  name: part,
  title: 'Workloads at 1 to 32 connections',
  async run(bench) {
    const rows = await measureAll(bench);
    const ofWorkloads = rows.filter((row) => row.part === part);
    ofWorkloads.sort((a, b) => a.name.localeCompare(b.name) || (a.connections ?? 0) - (b.connections ?? 0));
    const ratios = serviceRatios(
      bench.services.map(({ title }) => title),
      bench.isAgainst,
    );
    const costs = rows.filter((row) => row.part === 'costs');
    const markdown = [
      comparisonTables(ofWorkloads, ratios),
      pivot(
        costs.flatMap((row) => [
          { ...row, name: 'start to first response, ms', figures: { value: row.figures.startMs ?? 0 } },
          { ...row, name: 'peak memory, MB', figures: { value: row.figures.peakMb ?? 0 } },
        ]),
        { head: '', figure: 'value' },
      ),
    ].join('\n\n');
    return { rows: [...ofWorkloads, ...costs], markdown };
  },
};
