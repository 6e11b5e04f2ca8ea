import { chown, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type EmbeddedPostgres, runningEmbedded, startEmbedded } from '../../src/embedded/postgres.ts';
import { endlessStatement, isRoot, nobody, openPlace, type Place, query, refusal } from './embedded.ts';
import { until } from './processes.ts';

let place: Place;

// The tests share one server and follow its life: a server of its own for each would take a minute.
describe('an embedded server', () => {
  const reasons: string[] = [];
  let server: EmbeddedPostgres;
  beforeAll(async () => {
    place = await openPlace();
    expect(await runningEmbedded(place.dataDir)).toBeUndefined();
    server = await place.start((reason) => reasons.push(reason));
  });
  afterAll(() => place.remove());

  it('listens on nothing but the socket in its closed directory', async () => {
    const [row] = await query(
      server.connection,
      (sql) => sql`
        select current_setting('listen_addresses') as addresses, current_setting('TimeZone') as zone,
          current_setting('fsync') as fsync, current_setting('server_encoding') as encoding`,
    );
    expect(row).toEqual({ addresses: '', zone: 'UTC', fsync: 'on', encoding: 'UTF8' });
    expect((await stat(join(place.dataDir, 'postgres'))).mode & 0o777).toBe(0o700);
  });

  it('knows the letters of other scripts', async () => {
    await query(server.connection, (sql) => sql`create extension pg_trgm`);
    const [row] = await query(server.connection, (sql) => sql`select show_trgm('日本') <> '{}' as known`);
    expect(row).toEqual({ known: true });
  });

  it('takes a hundred connections', async () => {
    const sql = postgres({ ...server.connection, max: 100 });
    const answers = await Promise.all(Array.from({ length: 100 }, () => sql`select pg_sleep(0.1)`));
    expect(answers).toHaveLength(100);
    await sql.end();
  });

  it('is found by commands', async () => {
    expect(await runningEmbedded(place.dataDir)).toEqual(server.connection);
  });

  it('keeps others off its data', async () => {
    const begun = Date.now();
    const sentence = await refusal(startEmbedded({ dataDir: place.dataDir }));
    expect(sentence).toContain(`${place.dataDir} is in use by another accountgraph process`);
    expect(Date.now() - begun).toBeLessThan(3000);
  });

  it.runIf(process.platform === 'linux')('comes back with its data, past a busy leftover', async () => {
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
  });

  it('stops within 5 s although a statement is running, and keeps its data', async () => {
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

describe('a refused start names the directory', () => {
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

  it('when it cannot be made', async () => {
    await writeFile(join(place.base, 'file'), '');
    place.dataDir = join(place.base, 'file', 'data');
    expect(await refusal(place.start())).toContain(`${place.dataDir} cannot be used (not a directory)`);
  });

  it('when it is a file', async () => {
    await writeFile(place.dataDir, '');
    expect(await refusal(place.start())).toContain(`${place.dataDir} cannot be used (not a directory)`);
  });

  it('when it holds data of another PostgreSQL version', async () => {
    await madeBefore('PG_VERSION', '17\n');
    expect(await refusal(place.start())).toMatch(
      `${place.dataDir}/postgres was created by PostgreSQL 17, but`,
    );
  });

  it('when it holds something else', async () => {
    await madeBefore('letter.txt', '');
    const sentence = await refusal(place.start());
    expect(sentence).toContain(`${place.dataDir}/postgres has files that are not a PostgreSQL`);
  });

  it('when its path is too long for a socket', async () => {
    place.dataDir = join(place.base, 'x'.repeat(120));
    expect(await refusal(place.start())).toContain('DATA_DIR');
  });
});
