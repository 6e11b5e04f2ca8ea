import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../lib/errors.ts';
import { changeOwner } from './account.ts';
import {
  type Cluster,
  directoryArguments,
  firstComplaint,
  openLog,
  reasonOf,
  spawnOptions,
} from './cluster.ts';
import { NAME } from './password.ts';

/** The name of the socket in the data directory. */
export const SOCKET = '.s.PGSQL.5432';

const CONFLICT_PATIENCE_MS = 5000;

const SETTINGS = {
  // Only the socket in the closed data directory accepts connections, no TCP port.
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  cluster_name: NAME,
  max_connections: '100',
  shared_buffers: '64MB',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // Refuse connections while a backup is restored: they would be read-only.
  hot_standby: 'off',
  // The service logs failed statements itself. Here, they would write personal data to a file.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/**
 * Returns the setting for a faster sync after a crash: one syncfs per file system instead of one fsync per file. On a
 * busy disk, the latter takes many seconds. Since Linux 5.8, syncfs reports all errors.
 */
function syncMethod(): Record<string, string> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const reports = process.platform === 'linux' && (major > 5 || (major === 5 && minor >= 8));
  return reports ? { recovery_init_sync_method: 'syncfs' } : {};
}

/** Runs until its standard input closes: with a line if the server has exited, without one if the service has died. */
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
  /** The position in the log where the messages of this server begin. */
  logStart: number;
  /** Resolves with the reason when the process has exited. */
  ended: Promise<string>;
}

/** The current server of a cluster. `stopping` prevents a restart. */
export interface ServerState {
  stopping: boolean;
  /** Whether the last start failed because the disk is full. */
  isDiskFull: boolean;
  server?: Server;
}

/**
 * Starts the server, and waits until it accepts connections. The caller must hold the lock. A server that outlived its
 * service is given up to 5 s to stop, or is killed.
 * @throws StartupError if it does not start
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
        `PostgreSQL could not start in ${cluster.directory} (${message || failure}). See ${cluster.log}.`,
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
    `The database in ${directory} is in use by another PostgreSQL server. Stop that server, or point DATA_DIR at another directory.`,
  );
}

/**
 * Changes the owner of an existing cluster to the account that will run it, once no server of the earlier account is
 * running. The caller must hold the lock.
 * @throws StartupError if another server is using the cluster
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
  await changeOwner(directory, account);
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

/** Starts a watchdog process that stops the server if this process dies: its input pipe closes then. */
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

/** Resolves with undefined when the server accepts connections, or with the reason of its exit. */
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
 * Returns the process id of a server whose pid file says that it accepts connections.
 * @throws a system error if this user cannot read the file
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

/** Stops the server within 3 s, with ever stronger signals. The next start recovers from an immediate shutdown. */
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
 * Kills the processes that an earlier server of this service left running. If no server is running, removes its pid
 * file: another process has that id now, as is usual after a container restart.
 */
async function clearLeftovers(cluster: Cluster, signal: NodeJS.Signals): Promise<void> {
  const found = await serverProcesses(cluster.directory);
  for (const { pid, ours } of found ?? []) {
    if (!ours) continue;
    try {
      process.kill(pid, signal);
    } catch {
      // It has already exited.
    }
  }
  if (found?.length !== 0) return;
  await rm(join(cluster.directory, 'postmaster.pid'), { force: true });
  await rm(join(cluster.directory, `${SOCKET}.lock`), { force: true });
}

/** Returns the PostgreSQL processes in the directory; undefined on systems that cannot tell. */
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
      return []; // It has exited, or belongs to another user and so cannot use this data.
    }
  });
  return (await Promise.all(looks)).flat();
}
