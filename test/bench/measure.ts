import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const clockTicksPerSecond = 100;

/** The fields of /proc/<pid>/stat behind the name, which may hold anything. */
async function statOf(pid: number): Promise<string[]> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function processTree(root: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const parents = await Promise.all(pids.map(async (pid) => [pid, Number((await statOf(pid))[1])] as const));
  const below = (parent: number): number[] =>
    parents.flatMap(([pid, of]) => (of === parent ? [pid, ...below(pid)] : []));
  return [root, ...below(root)];
}

/** Microseconds of processor time that a process and all below it have used, those that have ended included. */
export async function cpuUs(root: number): Promise<number> {
  const stats = await Promise.all((await processTree(root)).map(statOf));
  const ticks = stats.map((stat) => stat.slice(11, 15).reduce((sum, field) => sum + Number(field), 0));
  return (ticks.reduce((sum, some) => sum + some, 0) / clockTicksPerSecond) * 1e6;
}

/** Megabytes of memory that a process holds, or held at most. */
export async function memoryMb(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

export interface Job {
  url: string;
  headers: Record<string, string>;
  bodies: string[];
  /** Tells the new things of one run from those of another. */
  prefix: string;
  connections: number;
  seconds: number;
}

export interface Load {
  requests: number;
  seconds: number;
  p50: number;
  p99: number;
  failed: number;
}

export type Loader = ReturnType<typeof startLoader>;

/** What loads services, in a process of its own. */
export function startLoader() {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'load.js')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async load(job: Job): Promise<Load> {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      const { value } = await lines.next();
      const result = JSON.parse(value) as Load;
      if (result.failed > 0) throw new Error(`${result.failed} requests to ${job.url} failed.`);
      return result;
    },
    stop: () => child.kill(),
  };
}

export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}
