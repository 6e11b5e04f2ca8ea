import type { Config } from '../../config.ts';
import type { Connection } from '../../db/client.ts';
import { inspectDirectory } from '../../embedded/inspect.ts';
import { runningEmbedded } from '../../embedded/postgres.ts';
import { attempt, type Check, isProblem, ok, problem, warning } from './check.ts';

const megabyte = 1024 ** 2;
/** PostgreSQL stops if its log, which grows in segments of 16 MB, cannot grow. */
const leastFree = 128 * megabyte;
/** PostgreSQL's log can have 1 GB between checkpoints. */
const comfortableFree = 1024 * megabyte;

/** Checks the free space of the file system of a directory. */
export function checkDisk(dataDir: string, freeBytes: number): Check {
  const message = `The file system of ${dataDir} has ${Math.floor(freeBytes / megabyte)} MB of free space.`;
  if (freeBytes >= comfortableFree) return ok('disk', message);
  const advice = 'Free space until there is at least 1 GB. If the disk is full, writes are refused.';
  return freeBytes < leastFree ? problem('disk', message, advice) : warning('disk', message, advice);
}

async function checkDirectory({ dataDir }: Config): Promise<Check[]> {
  const { hasDatabase, openPermissions, freeBytes } = await inspectDirectory(dataDir);
  const disk = checkDisk(dataDir, freeBytes);
  const name = 'data directory';
  if (openPermissions !== undefined) {
    const message = `Other users can access the data directory ${dataDir} (mode ${openPermissions}).`;
    return [warning(name, message, `Run "chmod 700 ${dataDir}". Otherwise, the next start does it.`), disk];
  }
  const state = hasDatabase ? 'holds a database' : 'can be used and has no database yet';
  return [ok(name, `The data directory ${dataDir} ${state}.`), disk];
}

/** Checks the data directory, and returns the connection of the embedded PostgreSQL if a service runs it. */
export async function checkEmbedded(
  config: Config,
): Promise<{ checks: Check[]; connection: Connection | undefined }> {
  const advice = 'Point DATA_DIR at another directory.';
  const directory = await attempt('data directory', { config, advice }, () => checkDirectory(config));
  if (directory.some(isProblem)) return { checks: directory, connection: undefined };
  let connection: Connection | undefined;
  const server = await attempt('database', { config, advice }, async () => {
    connection = await runningEmbedded(config.dataDir);
    if (connection !== undefined) return [];
    return ok('database', 'The embedded PostgreSQL is not running. `npm start` starts it.');
  });
  return { checks: [...directory, ...server], connection };
}
