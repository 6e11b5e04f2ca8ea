import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { StartupError } from '../lib/errors.ts';
import { serverAccount } from './account.ts';
import { packagedMajor, unlessCode } from './binaries.ts';
import { hasDatabase, openPermissions, requireUserName, unusable } from './cluster.ts';

/** What a start of the embedded PostgreSQL would find. */
export interface Inspection {
  hasDatabase: boolean;
  /** The permissions of a data directory that other users can access, and that a start would close. */
  openPermissions: string | undefined;
  /** The free space of the file system for this user. */
  freeBytes: number;
}

/** Returns the directory if it exists, otherwise its nearest ancestor that exists. */
async function nearestExisting(directory: string): Promise<string> {
  if ((await stat(directory).catch(unlessCode('ENOENT'))) !== undefined) return directory;
  return nearestExisting(dirname(directory));
}

/**
 * Checks whether a service of this user could start its PostgreSQL in a data directory. Changes nothing.
 * @throws StartupError if it could not
 */
export async function inspectDirectory(dataDir: string): Promise<Inspection> {
  const root = resolve(dataDir);
  const directory = join(root, 'postgres');
  const major = await packagedMajor();
  try {
    const place = await nearestExisting(root);
    // The dot makes the check fail for a file.
    await access(`${place}/.`, constants.R_OK | constants.W_OK | constants.X_OK);
    const found = await hasDatabase(directory, major);
    const account = await serverAccount(directory);
    if (!found && account === undefined) requireUserName();
    const { bavail, bsize } = await statfs(place);
    return {
      hasDatabase: found,
      openPermissions: place === root ? await openPermissions(root) : undefined,
      freeBytes: bavail * bsize,
    };
  } catch (error) {
    throw error instanceof StartupError ? error : unusable(root, error);
  }
}
