import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const clockTicksPerSecond = 100;

/** Returns the fields of /proc/<pid>/stat after the name, because the name may contain spaces. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    // The process has ended.
    return [];
  }
}

/** Returns the CPU time of each process with its descendants in microseconds, ended descendants included. */
export function cpuUs(...roots: number[]): number[] {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const stats = pids.map((pid) => ({ pid, stat: statOf(pid) }));
  const ticksOf = (root: number): number =>
    stats.reduce((sum, { pid, stat }) => {
      const ofProcess = stat.slice(11, 15).reduce((ticks, field) => ticks + Number(field), 0);
      const below = Number(stat[1]) === root ? ticksOf(pid) : 0;
      return sum + below + (pid === root ? ofProcess : 0);
    }, 0);
  return roots.map((root) => (ticksOf(root) / clockTicksPerSecond) * 1e6);
}

/** Returns the memory of a process in megabytes: now (`VmRSS`) or its peak (`VmHWM`). */
export async function memoryMb(pid: number, which: 'VmRSS' | 'VmHWM' = 'VmRSS'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`${which}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
}

export interface Request {
  /** POST by default. */
  method?: string;
  path: string;
  body?: string;
}

/** A sender of requests, one after another and from the start again. Connections are shared out among clients. */
export interface Client {
  headers: Record<string, string>;
  requests: Request[];
}

export interface Job {
  url: string;
  clients: Client[];
  connections: number;
  seconds: number;
  /** Requests per second. Without it, each connection sends its next request when the last one is answered. */
  rate?: number;
  /** Spans of seconds whose latency is reported on its own. */
  windows?: [number, number][];
}

interface Latency {
  p50: number;
  p99: number;
  max: number;
}

export interface Load extends Latency {
  requests: number;
  seconds: number;
  /** Responses that tell the client to try again later, or that a timeout ended. */
  refused: number;
  failed: number;
  firstError?: string;
  windows: Latency[];
}

export type Loader = ReturnType<typeof startLoader>;

/** Starts a process that sends load, so that its CPU time is not counted with the service's. */
export function startLoader(script = 'load.js') {
  const child = spawn(process.execPath, [join(import.meta.dirname, script)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let jobs = 0;
  async function next<Result>(): Promise<Result> {
    const { value } = await lines.next();
    return JSON.parse(value) as Result;
  }
  return {
    /** Returns the next line that the process prints. */
    next,
    /** Runs a job and returns its result, failed responses included. */
    async run<Result = Load>(job: object): Promise<Result> {
      jobs += 1;
      child.stdin.write(`${JSON.stringify({ ...job, prefix: `${child.pid}_${jobs}` })}\n`);
      return next<Result>();
    },
    /** @throws if a response was an error other than a refusal. */
    async load(job: Job): Promise<Load> {
      const result = await this.run(job);
      if (result.failed > 0)
        throw new Error(`${result.failed} requests to ${job.url} failed: ${result.firstError}`);
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
