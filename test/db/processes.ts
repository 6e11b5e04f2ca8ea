import { readdir, readlink } from 'node:fs/promises';
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
