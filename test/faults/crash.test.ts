import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, inject, it } from 'vitest';
import { runningEmbedded } from '../../src/embedded/postgres.ts';
import { readyPid } from '../../src/embedded/server.ts';
import { usePostgres } from '../cli/postgres.ts';
import { type Running, usePrograms } from '../cli/program.ts';
import { until } from '../db/processes.ts';
import { killHard } from '../support/embedded.ts';
import { templateName } from '../support/global-setup.ts';
import { createWriters, damage, openTenant, scale, spread } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const { kills, creates, seed, random } = scale({ kills: 3, creates: 0 }, { kills: 50, creates: 20_000 });
const patience = { timeout: 3_600_000 };
const whole = { lost: 0, duplicated: 0, unknown: 0, halfWritten: 0 };

type Writers = ReturnType<typeof createWriters>;

function report(fault: string, times: number[], writers: Writers, found: object): void {
  const counts = Object.entries(found).map(([name, count]) => `${count} ${name}`);
  console.log(
    `${fault}: ${times.length} times (FAULTS_SEED=${seed}); ${writers.acknowledged.size} creates acknowledged, ${writers.overRest()} of them over REST, ${writers.unanswered()} requests sent again; ${counts.join(', ')}; good answers again after ${spread(times)}`,
  );
}

/**
 * Runs `once`, which causes a failure, at random moments under load. Returns the times until the first later request
 * succeeded.
 */
async function harm(writers: Writers, count: number, enough: number, once: () => Promise<void>) {
  const times: number[] = [];
  while (times.length < count || writers.acknowledged.size < enough) {
    await sleep(100 + random() * 900);
    const begun = performance.now();
    await once();
    await writers.goodAnswer();
    times.push(performance.now() - begun);
  }
  return times;
}

it('loses, duplicates and splits no write if the service is killed', patience, async () => {
  const url = await server.create(templateName);
  const database = new URL(url).pathname.slice(1);
  const tenant = await openTenant({ ...inject('server'), database });
  const env = { DATABASE_URL: url, LOG_LEVEL: 'silent' };
  let running = await programs.serve(env);
  const PORT = new URL(running.url).port;
  const writers = createWriters(() => running.url, tenant.token);
  const end = await writers.begin();
  const times = await harm(writers, kills, creates, async () => {
    await killHard(running.child);
    running = await programs.serve({ ...env, PORT });
  });
  await end();
  expect(writers.problems).toEqual([]);
  const found = await damage(tenant, writers.acknowledged);
  report('kill -9 of the service', times, writers, found);
  expect(found).toEqual(whole);
  expect(writers.acknowledged.size).toBe(writers.sent());
  await tenant.database.close();
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
});

/** Returns the pid of the server that accepts connections; `undefined` if none does. */
function readyServer(dataDir: string): Promise<number | undefined> {
  return readyPid(join(dataDir, 'postgres'));
}

/** Returns the last log lines of a service and its PostgreSQL, to debug a failed recovery. */
async function lastWords(running: Running, dataDir: string): Promise<string> {
  const log = await readFile(join(dataDir, 'postgres.log'), 'utf8');
  return [running.output.stderr, log].map((text) => text.split('\n').slice(-100).join('\n')).join('\n\n');
}

async function embeddedTenant(dataDir: string) {
  const connection = await runningEmbedded(dataDir);
  if (connection === undefined) throw new Error('no database');
  return openTenant(connection);
}

/** Stops the embedded PostgreSQL repeatedly with a signal under load. */
async function crashDatabase(signal: NodeJS.Signals, name: string): Promise<void> {
  const dataDir = programs.path(name);
  const running: Running = await programs.serve({ DATA_DIR: dataDir, LOG_LEVEL: 'error' });
  const tenant = await embeddedTenant(dataDir);
  const writers = createWriters(() => running.url, tenant.token);
  const end = await writers.begin();
  const killed = async () => {
    const pid = await readyServer(dataDir);
    if (pid === undefined) throw new Error('no server to kill');
    process.kill(pid, signal);
    // Remaining processes of the killed server may respond for a moment.
    await until(async () => ![pid, undefined].includes(await readyServer(dataDir)), 60_000);
  };
  const times = await harm(writers, Math.ceil(kills * 0.6), creates / 10, killed).catch(async (error) => {
    console.log(await lastWords(running, dataDir));
    throw error;
  });
  await end();
  expect(running.child.exitCode).toBeNull();
  expect(writers.problems).toEqual([]);
  await tenant.database.close();
  const after = await embeddedTenant(dataDir);
  const found = await damage({ ...tenant, database: after.database }, writers.acknowledged);
  report(`${signal} to PostgreSQL`, times, writers, found);
  expect(found).toEqual(whole);
  await after.database.close();
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
}

it('loses no write and keeps running if PostgreSQL is stopped immediately', patience, () =>
  crashDatabase('SIGQUIT', 'stopped'),
);

it.runIf(process.platform === 'linux')(
  'loses no write and keeps running if PostgreSQL is killed',
  patience,
  () => crashDatabase('SIGKILL', 'killed'),
);
