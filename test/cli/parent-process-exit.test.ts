import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { processesIn, until } from '../db/processes.ts';
import { usePrograms } from './program.ts';

const programs = usePrograms();
const patience = { timeout: 90_000 };

/** Whether a process is running. A zombie is not. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tX');
  return !/^State:\s+[XZ]/m.test(status);
}

async function childOf(pid: number | undefined): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim());
}

describe.runIf(process.platform === 'linux')('the service', patience, () => {
  it('stops with its PostgreSQL after the npm that started it is killed', async () => {
    const data = programs.path('killed');
    const { child, url, ended } = await programs.serve({ DATA_DIR: data }, ['npm', 'start']);
    const node = await childOf(child.pid);
    expect(await readFile(`/proc/${node}/cmdline`, 'utf8')).toContain('dist/main.js');
    child.kill('SIGKILL');
    expect((await ended).stderr).toBe('');
    await until(async () => !(await isRunning(node)));
    await expect(fetch(url)).rejects.toThrow();
    expect(await processesIn(data)).toEqual([]);
    expect(await readFile(join(data, 'postgres.log'), 'utf8')).toContain('received fast shutdown request');
  });

  it.each([0, 50, 150])('stops if npm is killed %s ms after it started node', async (delayMs) => {
    const data = programs.path(`early-${delayMs}`);
    const child = programs.start(['npm', 'start'], { DATA_DIR: data });
    const node = await until(async () => (await childOf(child.pid)) || undefined);
    await sleep(delayMs);
    child.kill('SIGKILL');
    await until(async () => !(await isRunning(node)), 30_000);
    await until(async () => (await processesIn(data)).length === 0);
  });

  it.each([
    ['node', 'nohup dist/main.js'],
    ['npm', 'nohup npm start'],
  ])('keeps running after the shell that started %s in the background ends', async (name, command) => {
    const output = programs.path(`${name}.txt`);
    const env = { DATA_DIR: programs.path(name), OUTPUT: output };
    const { stdout } = await programs.shell(`${command} > "$OUTPUT" 2>&1 & echo $!`, env);
    const printed = await until(async () => {
      const text = await readFile(output, 'utf8');
      return text.includes('is ready.') && text;
    }, 60_000);
    const url = /GraphQL +(\S+)/.exec(printed)?.[1] ?? '';
    await sleep(1500);
    expect((await fetch(new URL('/health/ready', url))).status).toBe(200);
    process.kill(Number(stdout), 'SIGTERM');
    await until(async () => !(await isRunning(Number(stdout))));
    await until(async () => (await processesIn(programs.path(name))).length === 0);
  });
});
