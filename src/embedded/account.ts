import { randomInt } from 'node:crypto';
import { lchown, lstat, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../lib/errors.ts';
import { unlessCode } from './binaries.ts';

/** The user and group that PostgreSQL runs as. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * Ids that distributions, systemd and container engines do not assign. A user namespace may have only 65,536 ids, which
 * the second range fits.
 */
const unassignedIds = [
  { first: 70_000, last: 99_999 },
  { first: 60_578, last: 61_183 },
];

/**
 * Returns the account of the cluster in `directory`; `undefined` for the user of this process. PostgreSQL refuses to
 * run as root. Root uses the owner of an existing cluster, or a new account if that owner may run other programs.
 * @throws StartupError if the cluster belongs to another user
 */
export async function serverAccount(directory: string): Promise<Account | undefined> {
  const user = process.getuid?.();
  const owner = await stat(directory).catch(unlessCode('ENOENT'));
  if (user === 0) {
    if (!owner || (await isShared(owner.uid, directory))) return ownAccount();
    return { uid: owner.uid, gid: owner.gid };
  }
  if (!owner || owner.uid === user) return undefined;
  throw new StartupError(
    `The database in ${directory} belongs to another user (uid ${owner.uid}; as root, each database gets its own user). Start the service as the same user as before, or point DATA_DIR at another directory.`,
  );
}

/** Returns whether an owner is root or, in a data directory of root, `nobody`, which earlier versions used. */
async function isShared(owner: number, directory: string): Promise<boolean> {
  // Other systems cannot tell whether a server of that user is still running.
  if (owner === 0 || process.platform !== 'linux') return owner === 0;
  const { uid } = await stat(join(directory, '..'));
  return uid === 0 && owner === (await nobody()).uid;
}

/** Returns an account that no user, group or process has. */
async function ownAccount(): Promise<Account> {
  const range = await mappedRange();
  if (range === undefined) return idleAccount();
  const [users, groups, used] = await Promise.all([entriesOf('passwd'), entriesOf('group'), usedIds()]);
  const taken = new Set([...users, ...groups].map(({ id }) => id).concat([...used]));
  for (;;) {
    const id = randomInt(range.first, range.last + 1);
    if (!taken.has(id)) return { uid: id, gid: id };
  }
}

/** Returns the range of unassigned ids that exists in this user namespace. */
async function mappedRange() {
  const maps = await Promise.all(['uid_map', 'gid_map'].map((name) => readText(`/proc/self/${name}`)));
  const isMapped = ({ first, last }: { first: number; last: number }) =>
    maps.every((map) => {
      const blocks = [...map.matchAll(/^\s*(\d+)\s+\d+\s+(\d+)$/gm)];
      const holds = ([, start, length]: string[]) =>
        Number(start) <= first && last < Number(start) + Number(length);
      return blocks.length === 0 || blocks.some(holds);
    });
  return unassignedIds.find(isMapped);
}

/**
 * Returns an account for initdb, which needs a user with a name. It is a system account without processes, so that no
 * other process can access the files before they get their final owner.
 */
export async function idleAccount(): Promise<Account> {
  const [users, used, fallback] = await Promise.all([entriesOf('passwd'), usedIds(), nobody()]);
  const idle = users.filter(({ id, line }) => /\/(nologin|false)$/.test(line) && !used.has(id));
  const found = idle.find(({ id }) => id === fallback.uid) ?? idle[0];
  return found ? { uid: found.id, gid: Number(found.line.split(':')[3]) } : fallback;
}

async function nobody(): Promise<Account> {
  const found = /^nobody:[^:]*:(-?\d+):(-?\d+):/m.exec(await readText('/etc/passwd'));
  return { uid: Number(found?.[1] ?? 65534) >>> 0, gid: Number(found?.[2] ?? 65534) >>> 0 };
}

/** Returns the entries of `/etc/passwd` or `/etc/group`, except those of root. */
async function entriesOf(name: 'passwd' | 'group'): Promise<{ id: number; line: string }[]> {
  const lines = (await readText(`/etc/${name}`))
    .split('\n')
    .filter((line) => /^[^#:]+:[^:]*:\d+:/.test(line));
  return lines.map((line) => ({ id: Number(line.split(':')[2]), line })).filter(({ id }) => id !== 0);
}

/** Returns the ids of the users that processes run as. */
async function usedIds(): Promise<Set<number>> {
  const names = await readdir('/proc').catch(() => []);
  const ids = names.map(async (name) => {
    const status = /^\d+$/.test(name) ? await readText(`/proc/${name}/status`) : '';
    return (/^Uid:\s+(.*)$/m.exec(status)?.[1] ?? '').split('\t').filter((id) => id !== '');
  });
  return new Set((await Promise.all(ids)).flat().map(Number));
}

function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/**
 * Changes the owner of a directory and of its files that belong to root or to an earlier account. Root owns the
 * directory meanwhile, so a start after a crash repeats the work.
 */
export async function changeOwner(directory: string, { uid, gid }: Account): Promise<void> {
  const { uid: owner } = await lstat(directory);
  const earlier = [0, owner, (await nobody()).uid];
  await lchown(directory, 0, 0);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (earlier.includes((await lstat(path)).uid)) await lchown(path, uid, gid);
  }
  await lchown(directory, uid, gid);
}
