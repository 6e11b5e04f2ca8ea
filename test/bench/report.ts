import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chart } from './chart.ts';
import { type Workload, workloads } from './workloads.ts';

export interface Result {
  workload: Workload;
  name: string;
  perSecond: number;
  p50: number;
  p99: number;
  serviceUs: number;
  databaseUs: number;
  statements: number;
}

export interface Report {
  results: Result[];
  services: { name: string; title: string; startMs: number; peakMb: number }[];
  machine: string;
  how: string;
}

const own = 'accountgraph';
const limit = 'limit';
const readme = join(import.meta.dirname, '..', '..', 'README.md');
const picture = 'test/bench/speed.svg';

const whole = (value: number) => Math.round(value).toLocaleString('en-US');
const cpuOf = ({ serviceUs, databaseUs }: Result) => serviceUs + databaseUs;

function table(head: string[], rows: string[][]): string {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`;
  return [row(head), row(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(row)].join(
    '\n',
  );
}

function ratio(a: number | undefined, b: number | undefined): string {
  return a === undefined || b === undefined || b === 0 ? '' : (a / b).toFixed(2);
}

/** All figures of all runs. */
function details({ results, services }: Report): string {
  const titleOf = (name: string) => services.find((one) => one.name === name)?.title ?? name;
  const rows = results.map((one) => [
    `${one.workload} ${titleOf(one.name)}`,
    whole(one.perSecond),
    one.p50.toFixed(1),
    one.p99.toFixed(1),
    whole(one.serviceUs),
    whole(one.databaseUs),
    one.statements.toFixed(2),
  ]);
  const head = ['', 'requests/s', 'p50 ms', 'p99 ms', 'service CPU µs', 'database CPU µs', 'statements'];
  return table(head, rows);
}

/** One figure of each service for each workload, and how this service's compares; `best` picks the best peer's. */
function comparison(
  { results, services }: Report,
  what: string,
  figure: (result: Result) => number,
  best: (...figures: number[]) => number,
): string {
  const names = services.map(({ name }) => name);
  const rows = [...new Set(results.map(({ workload }) => workload))].sort().map((workload) => {
    const of = (name: string) =>
      results.filter((one) => one.workload === workload && one.name === name).map(figure)[0];
    const peers = names.filter((name) => name !== own && name !== limit).flatMap((name) => of(name) ?? []);
    const shown = names.map((name) => whole(of(name) ?? 0));
    return [workload, ...shown, ratio(of(own), best(...peers)), ratio(of(own), of(limit))];
  });
  return table([what, ...services.map(({ title }) => title), 'to the best peer', 'to the limit'], rows);
}

function costs({ services }: Report): string {
  const head = ['', ...services.map(({ title }) => title)];
  return table(head, [
    ['start to first answer, ms', ...services.map(({ startMs }) => whole(startMs))],
    ['peak memory, MB', ...services.map(({ peakMb }) => whole(peakMb))],
  ]);
}

/** What the README shows. */
function section(measured: Report): string {
  const used = [...new Set(measured.results.map(({ workload }) => workload))].sort();
  return [
    `Measured with everything switched on: authentication, tenancy, history, typed errors, limits, metrics and logs. ${measured.how}`,
    `${measured.machine}, ${new Date().toISOString().slice(0, 10)}, by \`npm run bench\`.`,
    `![Requests per second of each workload and service](${picture})`,
    used.map((one) => `- **${one}**: ${workloads[one]}`).join('\n'),
    comparison(measured, 'Requests/s', ({ perSecond }) => perSecond, Math.max),
    comparison(measured, 'CPU µs of service and database', cpuOf, Math.min),
    costs(measured),
  ].join('\n\n');
}

const [begin, end] = ['<!-- bench -->', '<!-- /bench -->'];

/** Puts what was measured into the README, with its chart. */
export async function publish(measured: Report): Promise<void> {
  const page = await readFile(readme, 'utf8');
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from)
    throw new Error(`README.md has no place for the figures between ${begin} and ${end}.`);
  const names = measured.services.map(({ name, title }) => ({ name, title }));
  const groups = [...new Set(measured.results.map(({ workload }) => workload))].sort().map((label) => ({
    label,
    bars: names.map(({ name, title }) => ({
      name: title,
      value: measured.results.find((one) => one.workload === label && one.name === name)?.perSecond ?? 0,
    })),
  }));
  await writeFile(join(import.meta.dirname, 'speed.svg'), chart('Requests per second', groups));
  await writeFile(
    readme,
    `${page.slice(0, from + begin.length)}\n\n${section(measured)}\n\n${page.slice(to)}`,
  );
}

export function print(measured: Report): void {
  console.log([details(measured), section(measured)].join('\n\n'));
}
