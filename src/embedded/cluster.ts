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
} from 'node:fs/promises';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { StartupError } from '../lib/errors.ts';
import { type Account, giveAway, idleAccount } from './account.ts';
import { type Binaries, unlessCode } from './binaries.ts';
import { alterPassword, makePassword, NAME, writeRules } from './password.ts';

const LARGEST_LOG_BYTES = 1024 * 1024;

/** Where everything of one embedded server is, and as whom it runs. */
export interface Cluster {
  dataDir: string;
  directory: string;
  log: string;
  binaries: Binaries;
  /** Set when this process is root, as whom PostgreSQL refuses to run. */
  account: Account | undefined;
}

/** What the service keeps in its data directory, and what a file system adds to its root. */
const ownEntries =
  /^(postgres|postgres\.log|postgres-password(\.new)?|session-key|demo-token|service\.\w+|initdb-\w+|lost\+found)$/;

/**
 * Makes the data directory if need be, and closes it to other users.
 * @param onNotice is told that the directory has been closed
 * @throws StartupError if that fails or this user cannot write to the directory
 */
export async function prepareDirectory(dataDir: string, onNotice?: (text: string) => void): Promise<void> {
  try {
    await makeDirectory(dataDir);
    // The dot has the system say so when it is not a directory.
    await access(`${dataDir}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
    await closeDirectory(dataDir, onNotice);
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(
      `The data directory ${dataDir} cannot be used (${reasonOf(error)}): make it writable for this user or point DATA_DIR at another directory.`,
      { cause: error },
    );
  }
}

/** Closes a directory that others can access, unless other programs may need it open. */
async function closeDirectory(dataDir: string, onNotice?: (text: string) => void): Promise<void> {
  const { mode, uid } = await stat(dataDir);
  if ((mode & 0o077) === 0) return;
  const permissions = (mode & 0o7777).toString(8).padStart(4, '0');
  const isOwn = uid === process.getuid?.() && (await readdir(dataDir)).every((name) => ownEntries.test(name));
  if (!isOwn) {
    throw new StartupError(
      `Other users can access the data directory ${dataDir} (mode ${permissions}), which belongs to another user or holds other files: close it with "chmod 700 ${dataDir}" or point DATA_DIR at a directory of its own.`,
    );
  }
  await chmod(dataDir, 0o700);
  onNotice?.(
    `Other users could access the data directory ${dataDir} (mode ${permissions}): it is now closed.`,
  );
}

/** Node's own `recursive` never returns below a directory that takes no entries, such as /proc. */
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
 * Makes the database on first use. A start killed half-way leaves only a temporary directory behind.
 * Call it only while holding the lock.
 * @throws StartupError when there is data of another PostgreSQL version, or the database cannot be made
 */
export async function ensureDatabase(cluster: Cluster): Promise<void> {
  const { dataDir, directory, binaries } = cluster;
  const version = await readFile(join(directory, 'PG_VERSION'), 'utf8').catch(unlessCode('ENOENT'));
  if (version !== undefined && version.trim() !== binaries.major) {
    throw new StartupError(
      `The database in ${directory} was made by PostgreSQL ${version.trim()}, but this service brings PostgreSQL ${binaries.major}: move the data over with pg_dump, or point DATA_DIR at another directory.`,
    );
  }
  if (version !== undefined) return;
  const stale = (await readdir(dataDir)).filter((name) => name.startsWith('initdb-'));
  await Promise.all(
    stale.map((name) => rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 })),
  );
  if ((await readdir(directory).catch(unlessCode('ENOENT')))?.length) {
    throw new StartupError(
      `The directory ${directory} holds files that are not a PostgreSQL database: move them away or point DATA_DIR at another directory.`,
    );
  }
  await initialise(cluster);
}

async function initialise(cluster: Cluster): Promise<void> {
  if (!cluster.account) requireUserName();
  const temporary = await mkdtemp(join(cluster.dataDir, 'initdb-'));
  try {
    // initdb and single-user mode refuse a user without a name, as the server's is.
    const maker = cluster.account && (await idleAccount());
    if (maker) await chown(temporary, maker.uid, maker.gid);
    const here = { ...cluster, account: maker, directory: temporary };
    await initdb(here);
    // Renaming the default database takes a fraction of the time that making another one does.
    const { verifier } = await makePassword(cluster.dataDir);
    const statements = `ALTER DATABASE postgres RENAME TO ${NAME}\n${alterPassword(verifier)}\n`;
    const quiet = ['-c', 'exit_on_error=on', '-c', 'log_checkpoints=off'];
    const single = ['--single', ...directoryArguments(here), ...quiet, 'template1'];
    await run(here, here.binaries.postgres, single, statements);
    await writeRules(temporary, 'scram-sha-256');
    if (cluster.account) await giveAway(temporary, cluster.account);
    await rename(temporary, cluster.directory);
    await syncDirectory(cluster.dataDir);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true, maxRetries: 5 });
    throw new StartupError(
      `PostgreSQL could not make its database in ${cluster.directory} (${reasonOf(error)}): see ${cluster.log}.`,
      { cause: error },
    );
  }
}

/** Locales of the system that know what is a letter in other scripts, as the search for three in a row has to; C knows ASCII. */
const characterTypes = ['C.UTF-8', 'en_US.UTF-8', 'C'];

async function initdb(cluster: Cluster, [characterType, ...others] = characterTypes): Promise<void> {
  // Nothing listens yet: the rules for connections are written before the first server starts.
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

/** initdb refuses a user without a name, as a container's `--user 1234` may be. */
function requireUserName(): void {
  try {
    userInfo();
  } catch (error) {
    throw new StartupError(
      `PostgreSQL cannot make a database as user ${process.getuid?.()}, who has no name: give that user an entry in /etc/passwd or start the service as another.`,
      { cause: error },
    );
  }
}

/** Runs one of PostgreSQL's programs on the cluster to its end. */
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
  if (code !== 0) throw new Error((await firstComplaint(cluster.log, log.start)) || `exit code ${code}`);
}

/**
 * How to name the directory to PostgreSQL. Its account may be unable to reach the directory by its path (a closed
 * home), but it inherits it as working directory, which Linux lets it open without the way there.
 */
export function directoryArguments(cluster: Cluster): string[] {
  return ['-D', process.platform === 'linux' ? '/proc/self/cwd' : cluster.directory];
}

/** Options common to all child processes: in a session of their own, so that Ctrl-C does not reach them. */
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
 * Opens the server's log for appending, emptied first when it has grown large; the caller closes it.
 * `start` is the byte at which what is written from now on begins.
 */
export function openLog(log: string): { file: number; start: number } {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  const start = size > LARGEST_LOG_BYTES ? 0 : size;
  return { file: openSync(log, start === size ? 'a' : 'w', 0o600), start };
}

/** What it tells clients that come while it starts, and what the leftovers of a killed server say as they go. */
const saidToClients = /FATAL: {2}(the database system is|terminating connection)/;

/** PostgreSQL's first complaint in its log after the given byte (later ones tend to follow from it), empty if none. */
export async function firstComplaint(log: string, after: number): Promise<string> {
  const text = (await readFile(log)).subarray(after).toString();
  const lines = text.split('\n').filter((line) => !saidToClients.test(line));
  const complaint = lines.find((line) => /\b(FATAL|PANIC|ERROR|error):/.test(line));
  const line = complaint ?? lines.findLast((any) => any.trim() !== '') ?? '';
  return line.replace(/^.*?\b(FATAL|PANIC|ERROR|error):\s*/, '').trim();
}

/** A system error in words ("permission denied"), any other by its message. */
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
