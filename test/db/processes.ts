import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** Calls `look` until it returns a value, and returns that. */
export async function until<T>(look: () => Promise<T | undefined | false>, patienceMs = 15_000): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; ) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > deadline) throw new Error('The condition was not met in time.');
    await sleep(20);
  }
}

/** Returns the processes whose working directory is in a directory. Returns none except on Linux. */
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

/** Returns the resident memory of a process in megabytes. Linux only. */
export async function memoryOf(pid = 0): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}

/** Returns the number of open file descriptors of a process. Linux only. */
export async function descriptorsOf(pid = 0): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}
