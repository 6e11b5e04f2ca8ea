import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** What `look` finds, as soon as it finds something. */
export async function until<T>(look: () => Promise<T | undefined | false>, patienceMs = 15_000): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; ) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error('it did not happen in time');
    await sleep(20);
  }
}

/** Processes that work in a directory or below it: PostgreSQL's and the watchdog. Linux only; elsewhere none is found. */
export async function processesIn(directory: string): Promise<number[]> {
  if (process.platform !== 'linux') return [];
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '');
      return cwd.startsWith(directory) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** How much memory a process has, in whole megabytes. Linux only. */
export async function memoryOf(pid = 0): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

/** How many files and sockets a process has open. Linux only. */
export async function descriptorsOf(pid = 0): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}
