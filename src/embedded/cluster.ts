import { spawn } from 'node:child_process';
import { closeSync, constants, openSync, statSync } from 'node:fs';
import {
  access,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
} from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { StartupError } from '../lib/errors.ts';
import { type Account, changeOwner, idleAccount } from './account.ts';
import { type Binaries, unlessCode } from './binaries.ts';
import { alterPassword, makePassword, NAME, writeRules } from './password.ts';

const LARGEST_LOG_BYTES = 1024 * 1024;

/** The paths and the account of an embedded server. */
export interface Cluster {
  dataDir: string;
  directory: string;
  log: string;
  binaries: Binaries;
  /** Set if this process is root, because PostgreSQL refuses to run as root. */
  account: Account | undefined;
}

/** The entries of the data directory that the service creates, and `lost+found`. */
const ownEntries =
  /^(postgres|postgres\.log|postgres-password(\.new)?|session-key|webhook-key|demo-token|service\.\w+|initdb-\w+|lost\+found)$/;

/**
 * Creates the data directory if it is missing, and closes it to other users.
 * @param onNotice is called if the directory was closed
 * @throws StartupError if that fails or this user cannot write to the directory
 */
export async function prepareDirectory(dataDir: string, onNotice?: (text: string) => void): Promise<void> {
  try {
    await makeDirectory(dataDir);
    // The dot makes the check fail for a file.
    await access(`${dataDir}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
    await closeDirectory(dataDir, onNotice);
  } catch (error) {
    throw error instanceof StartupError ? error : unusable(dataDir, error);
  }
}

export function unusable(dataDir: string, error: unknown): StartupError {
  return new StartupError(
    `The data directory ${dataDir} cannot be used (${reasonOf(error)}). Make it writable for this user, or point DATA_DIR at another directory.`,
    { cause: error },
  );
}

/**
 * Returns the permissions of a directory that other users can access; undefined if it is closed.
 * @throws StartupError if other programs may need access
 */
export async function openPermissions(dataDir: string): Promise<string | undefined> {
  const { mode, uid } = await stat(dataDir);
  if ((mode & 0o077) === 0) return undefined;
  const permissions = (mode & 0o7777).toString(8).padStart(4, '0');
  const isOwn = uid === process.getuid?.() && (await readdir(dataDir)).every((name) => ownEntries.test(name));
  if (isOwn) return permissions;
  throw new StartupError(
    `Other users can access the data directory ${dataDir} (mode ${permissions}), which belongs to another user or has other files. Close it with "chmod 700 ${dataDir}", or point DATA_DIR at a directory used only by the service.`,
  );
}

/** Closes a directory to other users, unless other programs may need access. */
async function closeDirectory(dataDir: string, onNotice?: (text: string) => void): Promise<void> {
  const permissions = await openPermissions(dataDir);
  if (permissions === undefined) return;
  await chmod(dataDir, 0o700);
  onNotice?.(
    `Other users could access the data directory ${dataDir} (mode ${permissions}). It is now closed.`,
  );
}

/** The `recursive` option of Node never returns below a directory that allows no entries, such as /proc. */
async function makeDirectory(path: string, parentMade = false): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || parentMade || dirname(path) === path) throw error;
    await makeDirectory(dirname(path));
    await makeDirectory(path, true);
  }
}

/**
 * Returns whether a directory has a database.
 * @throws StartupError if it has one of another PostgreSQL version, or other files
 */
export async function hasDatabase(directory: string, major: string): Promise<boolean> {
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(unlessCode('ENOENT'));
  if (version !== undefined && version.trim() !== major) {
    throw new StartupError(
      `The database in ${directory} was created by PostgreSQL ${version.trim()}, but this service includes PostgreSQL ${major}. Move the data with pg_dump, or point DATA_DIR at another directory.`,
    );
  }
  if (version === undefined && (await readdir(directory).catch(unlessCode('ENOENT')))?.length) {
    throw new StartupError(
      `The directory ${directory} has files that are not a PostgreSQL database. Remove them, or point DATA_DIR at another directory.`,
    );
  }
  return version !== undefined;
}

/**
 * Creates the database on first use. An interrupted start leaves only a temporary directory behind. The caller must
 * hold the lock.
 * @throws StartupError if the directory is unusable, or the database cannot be created
 */
export async function ensureDatabase(cluster: Cluster): Promise<void> {
  const { dataDir, directory, binaries } = cluster;
  if (await hasDatabase(directory, binaries.major)) return;
  const stale = (await readdir(dataDir)).filter((name) => name.startsWith('initdb-'));
  await Promise.all(
    stale.map((name) => rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 })),
  );
  await initialise(cluster);
}

async function initialise(cluster: Cluster): Promise<void> {
  if (!cluster.account) requireUserName();
  const temporary = await mkdtemp(join(cluster.dataDir, 'initdb-'));
  try {
    // initdb and single-user mode refuse a user without a name, and the user of the server has none.
    const maker = cluster.account && (await idleAccount());
    if (maker) await chown(temporary, maker.uid, maker.gid);
    const here = { ...cluster, account: maker, directory: temporary };
    await initdb(here);
    // Renaming the default database is much faster than creating another one.
    const { verifier } = await makePassword(cluster.dataDir);
    const statements = `ALTER DATABASE postgres RENAME TO ${NAME}\n${alterPassword(verifier)}\n`;
    const quiet = ['-c', 'exit_on_error=on', '-c', 'log_checkpoints=off'];
    const single = ['--single', ...directoryArguments(here), ...quiet, 'template1'];
    await run(here, here.binaries.postgres, single, statements);
    await writeRules(temporary, 'scram-sha-256');
    if (cluster.account) await changeOwner(temporary, cluster.account);
    await rename(temporary, cluster.directory);
    await syncDirectory(cluster.dataDir);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
    throw new StartupError(
      `PostgreSQL could not create its database in ${cluster.directory} (${reasonOf(error)}). See ${cluster.log}.`,
      { cause: error },
    );
  }
}

/** Locales that know the letters of all scripts, which trigram searches need. C knows only ASCII. */
const characterTypes = ['C.UTF-8', 'en_US.UTF-8', 'C'];

async function initdb(cluster: Cluster, [characterType, ...others] = characterTypes): Promise<void> {
  // `trust` is safe: no server listens until the connection rules are written.
  const rules = ['-A', 'trust', '-E', 'UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const args = [...rules, `--lc-ctype=${characterType}`, '-U', NAME, '--no-instructions'];
  try {
    await run(cluster, cluster.binaries.initdb, [...directoryArguments(cluster), ...args], '');
  } catch (error) {
    const isMissing = error instanceof Error && error.message.startsWith('invalid locale name');
    if (!isMissing || others.length === 0) throw error;
    await initdb(cluster, others);
  }
}

/** Throws StartupError if the user has no name, which initdb needs. A container's `--user 1234` has none. */
export function requireUserName(): void {
  try {
    userInfo();
  } catch (error) {
    throw new StartupError(
      `PostgreSQL cannot create a database as user ${process.getuid?.()}, who has no name. Add the user to /etc/passwd, or start the service as another user.`,
      { cause: error },
    );
  }
}

/** Runs one of PostgreSQL's programs on the cluster, and waits for its end. */
async function run(cluster: Cluster, program: string, args: string[], input: string): Promise<void> {
  const log = openLog(cluster.log);
  const child = spawn(program, args, { ...spawnOptions(cluster), stdio: ['pipe', log.file, log.file] });
  closeSync(log.file);
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
  if (code === 0) return;
  const complaint = await firstComplaint(cluster.log, log.start);
  throw new Error(complaint || (await noSpace(cluster.dataDir)) || `exit code ${code}`);
}

/** Returns a complaint if the disk is full: then the log has none. */
async function noSpace(directory: string): Promise<string | undefined> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize < LARGEST_LOG_BYTES ? 'No space left on device' : undefined;
}

/**
 * Returns the arguments that name the directory. On Linux, the account opens it as the working directory, because it
 * may be unable to reach the path, such as one below a closed home.
 */
export function directoryArguments(cluster: Cluster): string[] {
  return ['-D', process.platform === 'linux' ? '/proc/self/cwd' : cluster.directory];
}

/** Returns the options of all child processes. Each has its own session, so that Ctrl-C does not reach it. */
export function spawnOptions(cluster: Cluster) {
  const { account } = cluster;
  return {
    cwd: cluster.directory,
    env: { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    detached: true,
    ...(account && { uid: account.uid | 0, gid: account.gid | 0 }),
  };
}

/**
 * Opens the server's log for appending, and truncates it if it is large. The caller closes it. `start` is the position
 * of the next byte.
 */
export function openLog(log: string): { file: number; start: number } {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  const start = size > LARGEST_LOG_BYTES ? 0 : size;
  return { file: openSync(log, start === size ? 'a' : 'w', 0o600), start };
}

/** Messages to clients that connect during the start, and messages of processes that outlived a killed server. */
const saidToClients = /FATAL: {2}(the database system is|terminating connection)/;

/**
 * Returns PostgreSQL's first error in its log after a position, because later errors often follow from it. Returns an
 * empty string if there is none.
 */
export async function firstComplaint(log: string, after: number): Promise<string> {
  const text = (await readFile(log)).subarray(after).toString();
  const lines = text.split('\n').filter((line) => !saidToClients.test(line));
  const complaint = lines.find((line) => /\b(FATAL|PANIC|ERROR|error):/.test(line));
  const line = complaint ?? lines.findLast((any) => any.trim() !== '') ?? '';
  return line.replace(/^.*?\b(FATAL|PANIC|ERROR|error):\s*/, '').trim();
}

/** Returns the description of a system error, such as "permission denied", or the message of any other error. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const number = 'errno' in error && typeof error.errno === 'number' ? error.errno : 0;
  return getSystemErrorMap().get(number)?.[1] ?? error.message;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
