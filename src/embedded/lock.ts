import { randomBytes } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { dirname, join, relative } from 'node:path';
import { StartupError } from '../lib/errors.ts';
import { unlessCode } from './binaries.ts';

/** The longest Unix socket path, in bytes, that every supported system accepts. */
const LONGEST_SOCKET_PATH = 103;

/**
 * Returns a path of a socket that fits the limit of the system: absolute, or relative to the working directory.
 * @throws StartupError if neither is short enough
 */
export function socketPath(path: string): string {
  const short = [path, relative(process.cwd(), path)].find(
    (spelling) => Buffer.byteLength(spelling) <= LONGEST_SOCKET_PATH,
  );
  if (short === undefined) {
    throw new StartupError(
      `The path ${dirname(path)} is too long for a Unix socket. Point DATA_DIR at a directory with a shorter path.`,
    );
  }
  return short;
}

/** Returns whether a process listens on a Unix socket. Unlike a pid file, the kernel cannot be wrong about that. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'ENOTDIR');
    });
  });
}

/**
 * Locks the data directory until the returned function is called or the process ends. The lock is a listening socket:
 * after a crash, only a file without a listener remains.
 * @throws StartupError if another process holds the lock
 */
export async function acquireLock(path: string, dataDir: string): Promise<() => Promise<void>> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const server = await listen(path);
    if (server) return () => new Promise((resolve) => server.close(() => resolve()));
    if (await isListening(path)) break;
    await removeStale(path);
  }
  throw new StartupError(
    `The data directory ${dataDir} is in use by another accountgraph process. Stop that process, or point DATA_DIR at another directory.`,
  );
}

function listen(path: string): Promise<Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') resolve(undefined);
      else reject(error);
    });
    // Other users can connect, to find out whether the owner is running. The socket carries no data.
    server.listen({ path, writableAll: true }, () => resolve(server));
    server.unref();
  });
}

/**
 * Removes a socket without a listener. Checks it again under another name, because another process may have replaced
 * it.
 */
async function removeStale(path: string): Promise<void> {
  const aside = join(dirname(path), `service.${randomBytes(2).toString('hex')}`);
  try {
    await rename(path, aside);
  } catch (error) {
    return unlessCode('ENOENT')(error);
  }
  if (await isListening(aside)) await rename(aside, path);
  else await rm(aside, { force: true });
}
