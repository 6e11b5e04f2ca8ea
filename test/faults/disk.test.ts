import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runningEmbedded } from '../../src/embedded/postgres.ts';
import { ask, type Running, usePrograms } from '../cli/program.ts';
import { until } from '../db/processes.ts';
import { isRoot, query } from '../support/embedded.ts';

const programs = usePrograms();
const run = promisify(execFile);
const patience = { timeout: 90_000 };

/** Mounts a file system for the data of the service. Returns `undefined` if this user cannot mount one. */
let disk: string | undefined;
beforeAll(async () => {
  if (!isRoot || process.platform !== 'linux') return;
  const directory = await mkdtemp(join(tmpdir(), 'ag-disk-'));
  disk = await run('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'accountgraph', directory]).then(
    () => directory,
    () => undefined,
  );
});
afterAll(async () => {
  if (disk === undefined) return;
  await run('umount', ['-l', disk]);
  await rm(disk, { recursive: true });
});

/** Writes a file that fills the disk. */
async function fill(file: string): Promise<void> {
  const handle = await open(file, 'w');
  const endsFull = (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOSPC') throw error;
    return true;
  };
  for (const size of [1024 * 1024, 4096]) {
    const block = Buffer.alloc(size, 1);
    while (!(await handle.appendFile(block).then(() => false, endsFull)));
  }
  await handle.close();
}

const mutation = `mutation ($input: CreateAccountInput!) {
  createAccount(input: $input) { __typename ... on Error { message } }
}`;

/** The largest possible account, so that a few of them need new pages. */
const metadata = Object.fromEntries(
  Array.from({ length: 40 }, (_, number) => [`key-${number}`, `${number}`.padEnd(250, 'ab cd')]),
);

let last = 0;
async function create({ url, token }: Running) {
  last += 1;
  return ask(url, token, mutation, {
    input: { id: `a${last}`, name: 'Disk', customerId: 'C1234qwd', metadata },
  });
}

async function overRest({ url, token }: Running, method: string, path: string, body?: object) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const sent = body && { body: JSON.stringify(body) };
  const response = await fetch(new URL(path, url), { method, headers, ...sent });
  return { status: response.status, code: response.headers.get('x-error-code'), body: await response.json() };
}

async function health({ url }: Running, path: string) {
  const response = await fetch(new URL(`/health/${path}`, url));
  return { status: response.status, body: await response.json() };
}

const created = { data: { createAccount: { __typename: 'CreateAccountSuccess' } } };
const isReady = { status: 200, body: { status: 'ready' } };
const isFull = { status: 503, body: { status: 'disk full' } };
const message = "The database's disk is full. Nothing was written. Try again in a moment.";

/** Creates accounts until one fails. Returns its id and the response. */
async function createUntilRefused(running: Running) {
  return until(async () => {
    const answer = await create(running);
    return answer.body.errors && { id: `a${last}`, answer };
  });
}

async function expectRecovery(running: Running): Promise<void> {
  await rm(join(disk ?? '', 'filler'));
  await until(async () => (await health(running, 'ready')).status === 200);
  expect(await create(running)).toEqual({ status: 200, body: created });
}

async function serve(name: string): Promise<Running> {
  const DATA_DIR = join(disk ?? '', name);
  await mkdir(DATA_DIR, { mode: 0o700 });
  const running = await programs.serve({ DATA_DIR });
  expect(await create(running)).toEqual({ status: 200, body: created });
  expect(await health(running, 'ready')).toEqual(isReady);
  return running;
}

it('reports a full disk in responses, readiness and log, and recovers', patience, async (test) => {
  if (disk === undefined) return test.skip();
  const running = await serve('data');
  await fill(join(disk, 'filler'));
  const { id, answer } = await createUntilRefused(running);
  expect(answer.status).toBe(503);
  expect(answer.body.errors[0]).toMatchObject({ message, extensions: { code: 'SERVICE_UNAVAILABLE' } });
  const input = { id: 'rest', name: 'Disk', customerId: 'C1234qwd', metadata };
  const refused = { status: 503, code: 'SERVICE_UNAVAILABLE', body: { message } };
  expect(await overRest(running, 'POST', '/accounts', input)).toEqual(refused);
  for (let time = 0; time < 3; time += 1) {
    expect(await health(running, 'ready')).toEqual(isFull);
    await sleep(700);
  }
  expect((await health(running, 'live')).status).toBe(200);
  expect((await overRest(running, 'GET', '/customers/C1234qwd')).status).toBe(200);
  expect((await overRest(running, 'GET', `/accounts/${id}`)).status).toBe(404);
  await expectRecovery(running);
  const { stderr } = await running.stop('SIGTERM');
  expect(stderr).toContain(`"msg":"The database's disk is full: writes fail."`);
  expect(stderr).toContain(`"msg":"The database's disk works again."`);
  await rm(join(disk, 'data'), { recursive: true });
});

it('reports a full disk if PostgreSQL ends because of it', patience, async (test) => {
  if (disk === undefined) return test.skip();
  const running = await serve('log');
  const connection = await runningEmbedded(join(disk, 'log'));
  if (connection === undefined) throw new Error('not running');
  await fill(join(disk, 'filler'));
  // Starts a new log file each time until the disk is full.
  const fillLog = (sql: Sql) => sql`select pg_logical_emit_message(true, 'test', 'x'), pg_switch_wal()`;
  await until(() =>
    query(connection, fillLog).then(
      () => false,
      () => true,
    ),
  );
  await until(async () => (await create(running)).body.errors?.[0].message === message);
  expect(await health(running, 'ready')).toEqual(isFull);
  await expectRecovery(running);
  const { stderr } = await running.stop('SIGTERM');
  expect(stderr).toMatch(/PostgreSQL could not start in .*No space left on device/);
});
