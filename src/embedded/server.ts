import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../lib/errors.ts';
import { giveAway } from './account.ts';
import {
  type Cluster,
  directoryArguments,
  firstComplaint,
  openLog,
  reasonOf,
  spawnOptions,
} from './cluster.ts';
import { NAME } from './password.ts';

/** The server's socket, in its data directory. */
export const SOCKET = '.s.PGSQL.5432';

const CONFLICT_PATIENCE_MS = 5000;

const SETTINGS = {
  // Reachable only through the socket in the closed data directory: no port on any network.
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  cluster_name: NAME,
  max_connections: '100',
  shared_buffers: '64MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // While a backup is being restored it takes no connections: it could only read.
  hot_standby: 'off',
  // The service reports failed statements itself; here they would only carry personal data into a file.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/**
 * After a hard end, the next start makes sure that everything is on the disk. File by file, as it does unless told, that
 * takes many seconds where others write to the same disk; as a whole it takes a fraction. Since Linux 5.8 that reports
 * every failure, too.
 */
function syncMethod(): Record<string, string> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const reports = process.platform === 'linux' && (major > 5 || (major === 5 && minor >= 8));
  return reports ? { recovery_init_sync_method: 'syncfs' } : {};
}

/** Runs until its standard input ends: by a line, when the server has ended, or without, when the service has died. */
const WATCHDOG = `
read -r line && exit
ours() { read -r pid <postmaster.pid && [ "$pid" = "$1" ]; }
for signal in QUIT QUIT KILL; do
  ours "$1" && kill -"$signal" "$1"
  sleep 1
  kill -0 "$1" || exit
done
`;

export interface Server {
  child: ChildProcess;
  /** Where in the log, in bytes, its own messages begin. */
  logStart: number;
  /** Settles with the reason once the process has ended. */
  ended: Promise<string>;
}

/** The one server of a cluster at a time; `stopping` forbids a new one. */
export interface ServerState {
  stopping: boolean;
  /** Whether the last start failed because the disk is full. */
  isDiskFull: boolean;
  server?: Server;
}

/**
 * Starts the server and waits until it accepts connections. Call it only while holding the lock: a server that
 * is still there then has lost its service, and is waited for (at most 5 s) or ended.
 * @throws StartupError when it does not come up
 */
export async function launch(cluster: Cluster, state: ServerState): Promise<void> {
  const begun = Date.now();
  while (!state.stopping) {
    const server = spawnServer(cluster);
    state.server = server;
    const failure = await untilReady(server, cluster);
    if (failure === undefined) return;
    const message = await firstComplaint(cluster.log, server.logStart);
    const conflict = /lock file|shared memory block/.test(message);
    if (!conflict || state.stopping) {
      throw new StartupError(
        `PostgreSQL could not start in ${cluster.directory} (${message || failure}): see ${cluster.log}.`,
      );
    }
    if (Date.now() - begun > CONFLICT_PATIENCE_MS) {
      throw inUse(cluster);
    }
    await clearLeftovers(cluster, Date.now() - begun > 1000 ? 'SIGKILL' : 'SIGQUIT');
    await sleep(100);
  }
}

function inUse({ directory }: Cluster): StartupError {
  return new StartupError(
    `The database in ${directory} is in use by another PostgreSQL server: stop that one or point DATA_DIR at another directory.`,
  );
}

/**
 * Gives an existing cluster to the account that will run it, once no server runs there as the earlier one. Call it only
 * while holding the lock.
 * @throws StartupError if a server of somebody else runs there
 */
export async function takeOver(cluster: Cluster): Promise<void> {
  const { account, directory } = cluster;
  if (!account || (await stat(directory)).uid === account.uid) return;
  const begun = Date.now();
  while ((await serverProcesses(directory))?.length) {
    if (Date.now() - begun > CONFLICT_PATIENCE_MS) throw inUse(cluster);
    await clearLeftovers(cluster, Date.now() - begun > 1000 ? 'SIGKILL' : 'SIGQUIT');
    await sleep(100);
  }
  await giveAway(directory, account);
}

function spawnServer(cluster: Cluster): Server {
  const log = openLog(cluster.log);
  const settings = Object.entries({ ...SETTINGS, ...syncMethod() }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const child = spawn(cluster.binaries.postgres, [...directoryArguments(cluster), ...settings], {
    ...spawnOptions(cluster),
    stdio: ['ignore', log.file, log.file],
  });
  closeSync(log.file);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(reasonOf(error)));
    child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
  child.unref();
  if (child.pid !== undefined) watch(cluster, child.pid, ended);
  return { child, logStart: log.start, ended };
}

/** Keeps a small process that ends the server should this one die; it reads a pipe that dies with us. */
function watch(cluster: Cluster, pid: number, ended: Promise<string>): void {
  const dog = spawn('/bin/sh', ['-c', WATCHDOG, `${NAME}-watchdog`, String(pid)], {
    ...spawnOptions(cluster),
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  dog.on('error', () => undefined);
  dog.stdin.on('error', () => undefined);
  dog.unref();
  if (dog.stdin instanceof Socket) dog.stdin.unref();
  let over = false;
  void ended.then(() => {
    over = true;
    dog.stdin.end('\n');
  });
  dog.once('exit', (_code, signal) => {
    if (signal && !over) watch(cluster, pid, ended);
  });
}

/** Undefined once the server accepts connections, else why it ended. */
async function untilReady(server: Server, cluster: Cluster): Promise<string | undefined> {
  let failure: string | undefined;
  void server.ended.then((reason) => {
    failure = reason;
  });
  while (failure === undefined) {
    if ((await readyPid(cluster.directory)) === server.child.pid) return undefined;
    await sleep(10);
  }
  return failure;
}

/**
 * The id of the server process that says in its pid file that it accepts connections.
 * @throws a system error when this user may not read the file
 */
export async function readyPid(directory: string): Promise<number | undefined> {
  const lines = await readFile(join(directory, 'postmaster.pid'), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '';
      throw error;
    },
  );
  const [pid, , , , , , , status] = lines.split('\n');
  return status?.trim() === 'ready' ? Number(pid) : undefined;
}

/** Ends the server within 3 s, harder as time passes; what a hard end leaves undone, the next start recovers. */
export async function terminate(cluster: Cluster, server: Server): Promise<void> {
  const { child } = server;
  child.kill('SIGINT');
  const harder = setTimeout(() => child.kill('SIGQUIT'), 1500);
  const hardest = setTimeout(() => {
    child.kill('SIGKILL');
    void clearLeftovers(cluster, 'SIGKILL');
  }, 2000);
  await server.ended;
  clearTimeout(harder);
  clearTimeout(hardest);
}

/**
 * Ends what an earlier server of this service left running. When a pid file blocks the start although no server
 * runs, its number has come to another process (usual after a container restart), so the file goes.
 */
async function clearLeftovers(cluster: Cluster, signal: NodeJS.Signals): Promise<void> {
  const found = await serverProcesses(cluster.directory);
  for (const { pid, ours } of found ?? []) {
    if (!ours) continue;
    try {
      process.kill(pid, signal);
    } catch {
      // It has just ended by itself.
    }
  }
  if (found?.length !== 0) return;
  await rm(join(cluster.directory, 'postmaster.pid'), { force: true });
  await rm(join(cluster.directory, `${SOCKET}.lock`), { force: true });
}

/** PostgreSQL processes working in the directory; undefined where the system has no way to tell. */
async function serverProcesses(directory: string): Promise<{ pid: number; ours: boolean }[] | undefined> {
  if (process.platform !== 'linux') return undefined;
  const home = await stat(directory);
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const looks = pids.map(async (pid) => {
    try {
      const cwd = await stat(`/proc/${pid}/cwd`);
      if (cwd.ino !== home.ino || cwd.dev !== home.dev) return [];
      const title = await readFile(`/proc/${pid}/cmdline`, 'utf8');
      const ours = title.includes(`cluster_name=${NAME}`) || title.startsWith(`postgres: ${NAME}: `);
      return ours || title.includes('postgres') ? [{ pid: Number(pid), ours }] : [];
    } catch {
      return []; // It has ended, or is another user's and so cannot be a server on this data.
    }
  });
  return (await Promise.all(looks)).flat();
}
