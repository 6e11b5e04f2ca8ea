import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartupError } from '../lib/errors.ts';
import { serverAccount } from './account.ts';
import { findBinaries, packagedFiles, reachableByOthers } from './binaries.ts';
import { type Cluster, ensureDatabase, prepareDirectory, reasonOf } from './cluster.ts';
import { acquireLock, isListening, socketPath } from './lock.ts';
import { ensurePassword, NAME, readPassword, writeRules } from './password.ts';
import { launch, readyPid, type ServerState, SOCKET, takeOver, terminate } from './server.ts';

/** The connection options of postgres.js. `path` is the Unix socket of the server. */
export interface EmbeddedConnection {
  path: string;
  user: string;
  database: string;
  password: string;
}

export interface EmbeddedPostgres {
  connection: EmbeddedConnection;
  /** Returns whether the server cannot start because its disk is full. The start is retried every second. */
  isDiskFull: () => boolean;
  /** Stops the server within 3 s and closes all connections. Can be called again. */
  stop: () => Promise<void>;
}

export interface EmbeddedOptions {
  dataDir: string;
  /** Called with a notice about the data directory. */
  onNotice?: (text: string) => void;
  /** Called each time the server exits unexpectedly or fails to restart. It is restarted. */
  onExit?: (reason: string) => void;
}

const READY_PATIENCE_MS = 10_000;
const LONGEST_RESTART_DELAY_MS = 1000;
const STABLE_MS = 10_000;

/**
 * Starts a PostgreSQL server in `<dataDir>/postgres`, created on first use, and restarts it until `stop`. It stops
 * within seconds if this process dies. Its log is `<dataDir>/postgres.log`.
 * @throws StartupError if the directory is in use, unusable, or of another version or user
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  // First, because without the package a usable data directory would not help.
  packagedFiles();
  const places = pathsOf(options.dataDir);
  await prepareDirectory(places.dataDir, options.onNotice);
  const socket = socketOf(places.directory);
  const state: ServerState = { stopping: false, isDiskFull: false };
  let cluster: Cluster | undefined;
  let release: (() => Promise<void>) | undefined;
  let password: string;
  try {
    release = await acquireLock(socketPath(places.lock), places.dataDir);
    cluster = await openCluster(places);
    await ensureDatabase(cluster);
    await takeOver(cluster);
    const hasPassword = (await readPassword(places.dataDir)) !== undefined;
    await writeRules(places.directory, hasPassword ? 'scram-sha-256' : 'trust');
    await launch(cluster, state);
    password = await ensurePassword(places, socket, () => state.server?.child.kill('SIGHUP'));
  } catch (error) {
    if (cluster && state.server) await terminate(cluster, state.server);
    await release?.();
    throw toStartupError(error, places.dataDir);
  }
  const stop = keepRunning(cluster, state, options.onExit);
  let stopped: Promise<void> | undefined;
  return {
    connection: { ...socket, password },
    isDiskFull: () => state.isDiskFull,
    stop: () => {
      stopped ??= stop().then(release);
      return stopped;
    },
  };
}

/**
 * Returns the connection of the server of a running service; undefined if none is running. Waits up to 10 s for a
 * service that is starting.
 * @throws StartupError if its data belongs to another user or it does not become ready
 */
export async function runningEmbedded(dataDir: string): Promise<EmbeddedConnection | undefined> {
  const places = pathsOf(dataDir);
  const socket = socketOf(places.directory);
  const lock = socketPath(places.lock);
  const deadline = Date.now() + READY_PATIENCE_MS;
  while (await isListening(lock)) {
    const pid = await readyPid(places.directory).catch((error: unknown) => {
      throw toStartupError(error, places.dataDir);
    });
    const password = pid === undefined ? undefined : await readPassword(places.dataDir);
    if (password !== undefined && (await isListening(socket.path))) return { ...socket, password };
    if (Date.now() > deadline) {
      throw new StartupError(
        `The database of the service in the data directory ${places.dataDir} is not ready. See ${places.log}.`,
      );
    }
    await sleep(20);
  }
  return undefined;
}

function pathsOf(dataDir: string) {
  const root = resolve(dataDir);
  return {
    dataDir: root,
    directory: join(root, 'postgres'),
    log: join(root, 'postgres.log'),
    lock: join(root, 'service.sock'),
  };
}

function socketOf(directory: string): Omit<EmbeddedConnection, 'password'> {
  return { path: socketPath(join(directory, SOCKET)), user: NAME, database: NAME };
}

async function openCluster(places: ReturnType<typeof pathsOf>): Promise<Cluster> {
  const account = await serverAccount(places.directory);
  if (account && process.platform !== 'linux' && !(await reachableByOthers(places.dataDir))) {
    throw new StartupError(
      `PostgreSQL cannot run as root, and other users cannot enter ${places.dataDir}. Start the service as an ordinary user, or point DATA_DIR at another directory.`,
    );
  }
  // Removed instead of truncated, because the old log may belong to another user.
  await rm(places.log, { force: true });
  return { ...places, account, binaries: await findBinaries(account !== undefined) };
}

/** Restarts the server when it exits, with a growing delay while it keeps exiting. Returns a function that stops it. */
function keepRunning(cluster: Cluster, state: ServerState, onExit?: (reason: string) => void) {
  const interrupt = new AbortController();
  const relaunch = async (delay: number): Promise<number> => {
    await sleep(delay, undefined, { signal: interrupt.signal, ref: false }).catch(() => undefined);
    try {
      await launch(cluster, state);
      state.isDiskFull = false;
      return delay;
    } catch (error) {
      if (state.stopping) return delay;
      state.isDiskFull = reasonOf(error).includes('No space left on device');
      onExit?.(reasonOf(error));
      return relaunch(nextDelay(delay));
    }
  };
  const keep = async () => {
    let delay = 0;
    for (let begun = Date.now(); ; begun = Date.now()) {
      const reason = await state.server?.ended;
      if (state.stopping) return;
      onExit?.(`PostgreSQL ended unexpectedly (${reason}) and is being restarted.`);
      delay = await relaunch(Date.now() - begun > STABLE_MS ? 0 : nextDelay(delay));
    }
  };
  const kept = keep();
  return async () => {
    state.stopping = true;
    interrupt.abort();
    if (state.server) await terminate(cluster, state.server);
    await kept;
  };
}

function nextDelay(delay: number): number {
  return Math.min(delay * 2 + 50, LONGEST_RESTART_DELAY_MS);
}

/** Turns system errors into a StartupError. Other errors are bugs. */
function toStartupError(error: unknown, dataDir: string): unknown {
  if (error instanceof StartupError || !(error instanceof Error) || !('errno' in error)) return error;
  return new StartupError(
    `The data directory ${dataDir} cannot be used (${reasonOf(error)}). Make it usable for this user, or point DATA_DIR at another directory.`,
    { cause: error },
  );
}
