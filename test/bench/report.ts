import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import type { Part, PartResult, Row, Timing } from './bench.ts';
import { chart } from './chart.ts';
import { root } from './services.ts';
import { table, whole } from './tables.ts';

export interface Circumstances {
  date: string;
  machine: string;
  command: string;
  timing: Timing;
}

export function describeMachine(): string {
  const [cpu] = cpus();
  return `${cpus().length} cores of ${cpu?.model.trim()}, Node.js ${process.versions.node}, PostgreSQL 18`;
}

export const commandOf = (args: string[]): string =>
  args.length === 0 ? 'npm run bench' : `npm run bench -- ${args.join(' ')}`;

/** Replaces the text between two comments. */
function between(page: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`The page has no place between ${begin} and ${end}.`);
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`;
}

function describe({ date, machine, command, timing }: Circumstances): string {
  const { rounds, seconds, warmUpSeconds } = timing;
  return `${date.slice(0, 10)}, ${machine}, \`${command}\`. Warm-up: ${warmUpSeconds} s. Medians of ${rounds} runs of ${seconds} s in turns.`;
}

const titlesOf = (rows: Row[]) => [...new Set(rows.map(({ column }) => column))];

const chartConnections = [1, 32];

async function drawCharts(rows: Row[]): Promise<void> {
  const names = [...new Set(rows.map(({ name }) => name))];
  for (const connections of chartConnections) {
    const at = rows.filter((row) => row.connections === connections);
    const groups = names.map((label) => ({
      label,
      bars: titlesOf(rows).map((title) => ({
        name: title,
        value: at.find((row) => row.name === label && row.column === title)?.figures.perSecond ?? 0,
      })),
    }));
    const file = join(root, 'docs', `performance-${connections}.svg`);
    await writeFile(file, chart(`Requests per second at ${connections} connections`, groups));
  }
}

const shownInReadme = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8'];

/** The small table of the README: this service and the best peer at 1 and at 32 connections. */
function readmeTable(rows: Row[], { date, machine, command }: Circumstances): string {
  const [own = ''] = titlesOf(rows);
  const lines = shownInReadme.map((name) => [
    name,
    ...chartConnections.flatMap((connections) => {
      const at = rows.filter((row) => row.name === name && row.connections === connections);
      const figureOf = ({ figures: { perSecond = 0 } }: Row) => perSecond;
      const figure = at.filter(({ column }) => column === own).map(figureOf)[0] ?? 0;
      const peers = at.filter(({ column }) => column !== own && column !== 'the limit').map(figureOf);
      const best = Math.max(...peers);
      return [whole(figure), whole(best), (figure / best).toFixed(2)];
    }),
  ]);
  const head = ['1 connection', '32 connections'].flatMap((at) => [
    `requests/s, ${at}`,
    'best peer',
    'ratio',
  ]);
  return [table(['', ...head], lines), `${date.slice(0, 10)}, ${machine}, \`${command}\`.`].join('\n\n');
}

/** Writes results into docs/performance.md, and those of the workloads also into the README and the charts. */
export async function publish(
  { name }: Part,
  { rows, markdown }: PartResult,
  circumstances: Circumstances,
): Promise<void> {
  const file = join(root, 'docs', 'performance.md');
  const page = await readFile(file, 'utf8');
  await writeFile(file, between(page, name, `${describe(circumstances)}\n\n${markdown}`));
  if (name !== 'workloads') return;
  const measured = rows.filter(({ part }) => part === 'workloads');
  await drawCharts(measured);
  const readme = join(root, 'README.md');
  const text = between(await readFile(readme, 'utf8'), 'bench', readmeTable(measured, circumstances));
  await writeFile(readme, text);
}
