import type { ChildProcess } from 'node:child_process';
import { chmod, chown, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { runningEmbedded } from '../../src/embedded/postgres.ts';
import { processesIn, until } from '../db/processes.ts';
import {
  endlessStatement,
  isRoot,
  killHard,
  nobody,
  openPlace,
  type Place,
  query,
} from '../support/embedded.ts';

const onLinux = process.platform === 'linux';

let place: Place;

beforeEach(async () => {
  place = await openPlace();
  return () => place.remove();
});

async function watchdogs(): Promise<number[]> {
  const pids = await processesIn(place.base);
  const titles = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return pids.filter((_pid, index) => titles[index]?.includes('accountgraph-watchdog'));
}

async function works(): Promise<void> {
  const server = await place.start();
  expect(await query(server.connection, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
}

async function untilEnded(child: ChildProcess): Promise<void> {
  await until(async () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
}

describe('startEmbedded', () => {
  it('starts after an interrupted first start and with a stale pid file', async () => {
    await mkdir(join(place.dataDir, 'initdb-killed', 'base'), { recursive: true });
    await (await place.start()).stop();
    // The pid of another running process, because pids repeat after a container restart.
    const file = join(place.dataDir, 'postgres', 'postmaster.pid');
    await writeFile(file, `${process.pid}\n${place.dataDir}\n1\n5432\n.\n\n  1 1\nready   \n`);
    if (isRoot) await chown(file, nobody, nobody);
    await works();
    expect((await readdir(place.dataDir)).filter((name) => name.startsWith('initdb-'))).toEqual([]);
  });

  it('does not keep its process running after it is stopped', async () => {
    const [child, line] = await place.startElsewhere({ next: 'await server.stop();' });
    expect(line).toBe('ready');
    await untilEnded(child);
  });

  it('succeeds for one of three concurrent starts in one process', async () => {
    const starts = await Promise.allSettled([place.start(), place.start(), place.start()]);
    expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const attempt of starts) {
      if (attempt.status === 'rejected') expect(String(attempt.reason)).toContain('is in use by another');
    }
  });

  it('succeeds for one of two processes', async () => {
    const starts = await Promise.all([place.startElsewhere(), place.startElsewhere()]);
    expect(starts.map(([, line]) => line).sort()).toEqual([
      expect.stringMatching(/^StartupError: .* is in use by another/),
      'ready',
    ]);
  });

  it.runIf(isRoot)('fails on data of another user', async () => {
    await (await place.start()).stop();
    await chmod(place.base, 0o755);
    await chown(place.dataDir, 1234, 1234);
    const [, line] = await place.startElsewhere({ uid: 1234 });
    expect(line).toMatch(/^StartupError: The database in .*\/postgres belongs to another user/);
  });
});

describe.runIf(onLinux)('startEmbedded after a crash', () => {
  it('finds no running PostgreSQL and the committed data if the service was killed', async () => {
    const [child] = await place.startElsewhere();
    const connection = await runningEmbedded(place.dataDir);
    if (!connection) throw new Error('not running');
    await query(connection, (sql) => sql`create table committed as select 42 as answer`);
    const endless = await endlessStatement(connection);
    await killHard(child);
    await place.isEmpty(5000);
    expect(await endless.cut).toBe('cut');
    await endless.close();
    const next = await place.start();
    const rows = await query(next.connection, (sql) => sql`select answer from committed`);
    expect(rows).toEqual([{ answer: 42 }]);
  });

  it('starts immediately if the service was killed', async () => {
    for (let round = 0; round < 3; round += 1) {
      const [child, line] = await place.startElsewhere();
      expect(line).toBe('ready');
      await killHard(child);
    }
    await works();
  });

  it('ends the orphaned PostgreSQL if the service and the watchdog were killed', async () => {
    const [child] = await place.startElsewhere();
    const orphan = await place.postmaster();
    const dogs = await watchdogs();
    expect(dogs).toHaveLength(1);
    const killed = killHard(child);
    for (const pid of dogs) process.kill(pid, 'SIGKILL');
    await killed;
    await works();
    expect(await place.postmaster()).not.toBe(orphan);
  });

  it('starts another watchdog if the watchdog was killed', async () => {
    const [child] = await place.startElsewhere();
    const [first] = await watchdogs();
    if (first === undefined) throw new Error('no watchdog');
    process.kill(first, 'SIGKILL');
    await until(async () => (await watchdogs()).some((pid) => pid !== first));
    await killHard(child);
    await place.isEmpty(5000);
  });
});

it.runIf(onLinux)('stops within 5 s even if the server hangs', async () => {
  const server = await place.start();
  process.kill(await place.postmaster(), 'SIGSTOP');
  const begun = Date.now();
  await server.stop();
  expect(Date.now() - begun).toBeLessThan(5000);
  await place.isEmpty();
});
