import { execFile } from 'node:child_process';
import { chmod, chown, lchown, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type postgres from 'postgres';
import { beforeEach, describe, expect, it } from 'vitest';
import type { EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { processesIn } from '../db/processes.ts';
import { isRoot, nobody, openPlace, type Place, query, refusal } from '../support/embedded.ts';

const patience = { timeout: 60_000 };

let place: Place;
beforeEach(async () => {
  place = await openPlace();
  return () => place.remove();
});

const cluster = () => join(place.dataDir, 'postgres');
const passwordFile = () => join(place.dataDir, 'postgres-password');
const rules = () => readFile(join(cluster(), 'pg_hba.conf'), 'utf8');

async function codeWithout({ connection }: EmbeddedPostgres, password = ''): Promise<string> {
  const failed: { code?: string } = await query({ ...connection, password }, (sql) => sql`select 1`).then(
    () => ({ code: 'accepted' }),
    (error: postgres.PostgresError) => error,
  );
  return failed.code ?? '';
}

/** Runs a shell command as `nobody` and returns its output, including errors. */
async function asNobody(line: string): Promise<string> {
  const options = { uid: nobody, gid: nobody, cwd: '/' };
  const { stdout } = await promisify(execFile)('sh', ['-c', `exec 2>&1; ${line}; true`], options);
  return stdout;
}

async function giveTo(owner: number): Promise<void> {
  const names = await readdir(cluster(), { recursive: true });
  for (const name of ['', ...names]) await lchown(join(cluster(), name), owner, owner);
}

/** Creates the data of an earlier version: without a password, owned by `nobody`. */
async function makeEarlier(): Promise<void> {
  const server = await place.start();
  await query(server.connection, (sql) => sql`create table kept as select 42 as number`);
  await query(server.connection, (sql) => sql`alter role accountgraph password null`);
  await server.stop();
  await rm(passwordFile());
  await writeFile(join(cluster(), 'pg_hba.conf'), 'local all all trust\n');
  if (isRoot) await giveTo(nobody);
}

const scram = 'local all all scram-sha-256\nlocal replication all scram-sha-256\n';

async function expectKept(server: EmbeddedPostgres): Promise<void> {
  const rows = await query(server.connection, (sql) => sql`select number from kept`);
  expect(rows).toEqual([{ number: 42 }]);
  expect(await codeWithout(server)).toBe('28P01');
  expect(await rules()).toBe(scram);
}

describe('the embedded PostgreSQL', patience, () => {
  it('accepts only the password in the file of the service', async () => {
    const server = await place.start();
    const { password } = server.connection;
    expect(await codeWithout(server)).toBe('28P01');
    expect(await codeWithout(server, 'accountgraph')).toBe('28P01');
    expect(await rules()).toBe(scram);
    const { mode, uid } = await stat(passwordFile());
    expect({ mode: mode & 0o777, uid }).toEqual({ mode: 0o600, uid: process.getuid?.() });
    expect(await readFile(passwordFile(), 'utf8')).toBe(`*:*:*:accountgraph:${password}\n`);
  });

  it.runIf(process.platform === 'linux')(
    'has no password in its arguments, environment and log',
    async () => {
      const { connection } = await place.start();
      const pids = await processesIn(cluster());
      expect(pids.length).toBeGreaterThan(2);
      const files = pids.flatMap((pid) => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`]);
      for (const file of [...files, join(place.dataDir, 'postgres.log')]) {
        expect(await readFile(file, 'utf8').catch(() => '')).not.toContain(connection.password);
      }
    },
  );

  it.runIf(isRoot)(
    'runs as its own user with files and a socket that other users cannot access',
    async () => {
      // The parent directories are open, as for a service in /srv.
      await chmod(place.base, 0o755);
      const server = await place.start();
      const { uid, gid } = await stat(cluster());
      expect(uid).toBeGreaterThan(1000);
      expect([uid, gid]).not.toContain(nobody);
      expect(await readFile('/etc/passwd', 'utf8')).not.toMatch(new RegExp(`^[^:]*:[^:]*:${uid}:`, 'm'));
      const found = await readdir(cluster(), { recursive: true });
      const owners = await Promise.all(found.map(async (name) => (await stat(join(cluster(), name))).uid));
      expect(new Set(owners)).toEqual(new Set([uid]));

      expect(await asNobody(`ls ${cluster()}`)).toContain('Permission denied');
      expect(await asNobody(`cat ${passwordFile()}`)).toContain('Permission denied');
      for (const pid of await processesIn(cluster())) {
        expect(await asNobody(`ls /proc/${pid}/cwd/`)).toContain('Permission denied');
        expect(await asNobody(`cat /proc/${pid}/environ`)).toContain('Permission denied');
      }
      // Even in an open data directory, the socket and the files are closed.
      await chmod(place.dataDir, 0o755);
      expect(await asNobody(`ls ${cluster()}`)).toContain('Permission denied');
      await server.stop();
      await place.start();
      expect((await stat(cluster())).uid).toBe(uid);
    },
  );

  it('adds a password and its own user to the data of an earlier version', async () => {
    await makeEarlier();
    await expectKept(await place.start());
    if (isRoot) expect([0, nobody]).not.toContain((await stat(cluster())).uid);
  });

  it.runIf(isRoot)('accepts a cluster that root copied', async () => {
    await makeEarlier();
    await giveTo(0);
    await expectKept(await place.start());
  });

  it('sets a new password if the cluster has another one, as after a restore', async () => {
    const first = await place.start();
    await query(first.connection, (sql) => sql`create table kept as select 42 as number`);
    await first.stop();
    await writeFile(passwordFile(), '*:*:*:accountgraph:another\n');
    const second = await place.start();
    await expectKept(second);
    expect(second.connection.password).not.toBe(first.connection.password);
  });
});

describe('an existing data directory that other users can access', patience, () => {
  it.each(['755', '701', '770'])('is closed if its mode is %s', async (permissions) => {
    await mkdir(place.dataDir);
    await chmod(place.dataDir, permissions);
    const notices: string[] = [];
    await place.start(undefined, (text) => notices.push(text));
    expect((await stat(place.dataDir)).mode & 0o7777).toBe(0o700);
    expect(notices).toEqual([
      `Other users could access the data directory ${place.dataDir} (mode 0${permissions}). It is now closed.`,
    ]);
  });

  it('is rejected and not changed if it holds other files', async () => {
    await mkdir(place.dataDir);
    await chmod(place.dataDir, 0o755);
    await writeFile(join(place.dataDir, 'other.txt'), '');
    expect(await refusal(place.start())).toContain(`Close it with "chmod 700 ${place.dataDir}"`);
    expect((await stat(place.dataDir)).mode & 0o777).toBe(0o755);
  });

  it.runIf(isRoot)('is rejected if it belongs to another user', async () => {
    await mkdir(place.dataDir);
    await chmod(place.dataDir, 0o755);
    await chown(place.dataDir, 1234, 1234);
    expect(await refusal(place.start())).toContain(
      `Other users can access the data directory ${place.dataDir}`,
    );
  });
});
