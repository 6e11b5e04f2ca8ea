import { chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, runningEmbedded, startEmbedded } from '../../src/embedded/postgres.ts';
import { until } from '../db/processes.ts';
import {
  endlessStatement,
  isRoot,
  nobody,
  openPlace,
  type Place,
  query,
  refusal,
} from '../support/embedded.ts';

let place: Place;

// The tests share one server and depend on their order, because a server for each would take a minute.
describe('startEmbedded', () => {
  const reasons: string[] = [];
  let server: EmbeddedPostgres;
  beforeAll(async () => {
    place = await openPlace();
    expect(await runningEmbedded(place.dataDir)).toBeUndefined();
    server = await place.start((reason) => reasons.push(reason));
  });
  afterAll(() => place.remove());

  it('listens only on the socket in its closed directory', async () => {
    const [row] = await query(
      server.connection,
      (sql) => sql`
        select current_setting('listen_addresses') as addresses, current_setting('TimeZone') as zone,
          current_setting('fsync') as fsync, current_setting('server_encoding') as encoding`,
    );
    expect(row).toEqual({ addresses: '', zone: 'UTC', fsync: 'on', encoding: 'UTF8' });
    expect((await stat(join(place.dataDir, 'postgres'))).mode & 0o777).toBe(0o700);
  });

  it('extracts trigrams of other scripts', async () => {
    await query(server.connection, (sql) => sql`create extension pg_trgm`);
    const [row] = await query(server.connection, (sql) => sql`select show_trgm('日本') <> '{}' as known`);
    expect(row).toEqual({ known: true });
  });

  it('accepts 100 connections', async () => {
    const sql = postgres({ ...server.connection, max: 100 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => sql`select pg_sleep(0.1)`));
    expect(answers).toHaveLength(100);
    await sql.end();
  });

  it('is found by runningEmbedded', async () => {
    expect(await runningEmbedded(place.dataDir)).toEqual(server.connection);
  });

  it('rejects a second start on the same data', async () => {
    const begun = Date.now();
    const sentence = await refusal(startEmbedded({ dataDir: place.dataDir }));
    expect(sentence).toContain(`${place.dataDir} is in use by another accountgraph process`);
    expect(Date.now() - begun).toBeLessThan(3000);
  });

  it.runIf(process.platform === 'linux')(
    'restarts with its data after a crash, despite a busy orphan',
    async () => {
      await query(server.connection, (sql) => sql`create table committed as select 'ü' as word`);
      const endless = await endlessStatement(server.connection);
      process.kill(await place.postmaster(), 'SIGKILL');
      const rows = await until(() =>
        query(server.connection, (sql) => sql`select word from committed`).catch(() => undefined),
      );
      expect(rows).toEqual([{ word: 'ü' }]);
      expect(await endless.cut).toBe('cut');
      await endless.close();
      expect(reasons).toEqual(['PostgreSQL ended unexpectedly (SIGKILL) and is being restarted.']);
    },
  );

  it('stops within 5 s during a statement and keeps its data', async () => {
    const endless = await endlessStatement(server.connection);
    const begun = Date.now();
    await server.stop();
    await server.stop();
    expect(Date.now() - begun).toBeLessThan(5000);
    expect(await endless.cut).toBe('cut');
    await endless.close();
    await place.isEmpty();
    expect(await runningEmbedded(place.dataDir)).toBeUndefined();
    const next = await place.start();
    const rows = await query(next.connection, (sql) => sql`select word, current_database() from committed`);
    expect(rows).toEqual([{ word: 'ü', current_database: 'accountgraph' }]);
  });
});

describe('startEmbedded with an unusable directory', () => {
  beforeEach(async () => {
    place = await openPlace();
    return () => place.remove();
  });

  async function madeBefore(name: string, content: string): Promise<void> {
    const directory = join(place.dataDir, 'postgres');
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, name), content);
    if (isRoot) await chown(directory, nobody, nobody);
  }

  it('names a directory that cannot be created', async () => {
    await writeFile(join(place.base, 'file'), '');
    place.dataDir = join(place.base, 'file', 'data');
    expect(await refusal(place.start())).toContain(`${place.dataDir} cannot be used (not a directory)`);
  });

  it('names a path that is a file', async () => {
    await writeFile(place.dataDir, '');
    expect(await refusal(place.start())).toContain(`${place.dataDir} cannot be used (not a directory)`);
  });

  it('names a directory with data of another PostgreSQL version', async () => {
    await madeBefore('PG_VERSION', '17\n');
    expect(await refusal(place.start())).toMatch(
      `${place.dataDir}/postgres was created by PostgreSQL 17, but`,
    );
  });

  it('names a directory with other files', async () => {
    await madeBefore('other.txt', '');
    const sentence = await refusal(place.start());
    expect(sentence).toContain(`${place.dataDir}/postgres has files that are not a PostgreSQL`);
  });

  it('names DATA_DIR if the path is too long for a socket', async () => {
    place.dataDir = join(place.base, 'x'.repeat(120));
    expect(await refusal(place.start())).toContain('DATA_DIR');
  });
});
