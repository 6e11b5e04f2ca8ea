import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkDisk } from '../../src/cli/checks/embedded.ts';
import { mustAct, runChecks } from '../../src/cli/doctor.ts';
import { openPlace, type Place } from '../support/embedded.ts';

let place: Place;
beforeAll(async () => {
  place = await openPlace();
});
afterAll(() => place.remove());

async function examine(DATA_DIR: string) {
  const checks = await runChecks({ DATA_DIR });
  return { checks, statuses: checks.map(({ name, status }) => `${name}: ${status}`), acts: mustAct(checks) };
}

/** Creates a directory below the place. */
async function directory(name: string, mode = 0o700): Promise<string> {
  const path = join(place.base, name);
  await mkdir(path, { recursive: true });
  await chmod(path, mode);
  return path;
}

describe('runChecks with the embedded PostgreSQL', { timeout: 60_000 }, () => {
  it('starts no server and creates no directory', async () => {
    const dataDir = join(place.base, 'absent', 'data');
    const { checks, acts } = await examine(dataDir);
    expect(acts).toBe(false);
    expect(checks.find(({ name }) => name === 'data directory')).toMatchObject({
      status: 'ok',
      message: `The data directory ${dataDir} can be used and has no database yet.`,
    });
    expect(checks.at(-1)).toMatchObject({
      name: 'database',
      status: 'ok',
      message: 'The embedded PostgreSQL is not running. `npm start` starts it.',
    });
    expect(await readdir(place.base)).not.toContain('absent');
  });

  it('checks a running server as a database, and lets it run', async () => {
    await place.start();
    const { statuses, acts } = await examine(place.dataDir);
    expect(statuses.filter((status) => !status.startsWith('disk'))).toEqual([
      'configuration: ok',
      'data directory: ok',
      'database: ok',
      'text: ok',
      'extensions: ok',
      'migrations: ok',
      'rights: ok',
      'clock: ok',
    ]);
    expect(acts).toBe(false);
    const again = await examine(place.dataDir);
    expect(again.checks.find(({ name }) => name === 'database')?.message).toMatch(
      /^The embedded PostgreSQL is reachable: PostgreSQL \d+\.\d+\.$/,
    );
  });

  it('warns about a directory that a start would close, and leaves it open', async () => {
    const dataDir = await directory('open', 0o755);
    const { checks } = await examine(dataDir);
    expect(checks.find(({ name }) => name === 'data directory')).toMatchObject({
      status: 'warning',
      message: `Other users can access the data directory ${dataDir} (mode 0755).`,
      advice: `Run "chmod 700 ${dataDir}". Otherwise, the next start does it.`,
    });
    expect((await stat(dataDir)).mode & 0o777).toBe(0o755);
  });

  it('reports an open directory with other files', async () => {
    const dataDir = await directory('shared', 0o755);
    await writeFile(join(dataDir, 'other.txt'), '');
    const { checks, statuses } = await examine(dataDir);
    expect(statuses).toEqual(['configuration: ok', 'data directory: problem']);
    expect(checks[1]).toMatchObject({
      message: expect.stringMatching(/ \(mode 0755\), which belongs to another user or has other files\.$/),
      advice: expect.stringMatching(/^Close it with "chmod 700 /),
    });
  });

  it('reports a file instead of a directory', async () => {
    await writeFile(join(place.base, 'file'), '');
    for (const path of ['file', 'file/data']) {
      const { checks } = await examine(join(place.base, path));
      expect(checks[1]).toMatchObject({
        status: 'problem',
        message: expect.stringMatching(/ cannot be used \(not a directory\)\.$/),
        advice: 'Make it writable for this user, or point DATA_DIR at another directory.',
      });
    }
  });

  it('reports a database of another version, and other files', async () => {
    const dataDir = await directory('version');
    const home = await directory('version/postgres');
    await writeFile(join(home, 'other.txt'), '');
    expect((await examine(dataDir)).checks[1]?.message).toMatch(
      / has files that are not a PostgreSQL database\.$/,
    );
    await writeFile(join(home, 'PG_VERSION'), '9\n');
    const { checks } = await examine(dataDir);
    expect(checks[1]).toMatchObject({
      status: 'problem',
      message: expect.stringContaining('was created by PostgreSQL 9, but this service includes PostgreSQL '),
      advice: 'Move the data with pg_dump, or point DATA_DIR at another directory.',
    });
  });
});

describe('checkDisk', () => {
  it.each([
    [2 * 1024 ** 3, 'ok'],
    [512 * 1024 ** 2, 'warning'],
    [1024 ** 2, 'problem'],
  ])('returns for %d free bytes: %s', (freeBytes, status) => {
    expect(checkDisk('.data', freeBytes)).toMatchObject({ name: 'disk', status });
  });
});
