import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { chmod, chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { StartupError } from '../lib/errors.ts';
import { unlessCode } from './binaries.ts';

/** The name of the user and of the database. */
export const NAME = 'accountgraph';

/** SQLSTATE `invalid_password`. */
const passwordRefused = '28P01';
const RELOAD_PATIENCE_MS = 5000;

/** The address of a cluster whose password is not known yet. */
interface Socket {
  path: string;
  user: string;
  database: string;
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'postgres-password');
}

/** Returns the password of the cluster in a data directory; `undefined` if it has none yet. */
export async function readPassword(dataDir: string): Promise<string | undefined> {
  const text = await readFile(fileOf(dataDir), 'utf8').catch(unlessCode('ENOENT'));
  return /^\*:\*:\*:\w+:([\w-]+)$/m.exec(text ?? '')?.[1];
}

/**
 * Creates a password, and stores it in the format of PGPASSFILE in a file that only the owner of the data directory can
 * read. Returns the verifier that PostgreSQL stores.
 */
export async function makePassword(dataDir: string): Promise<{ password: string; verifier: string }> {
  const password = randomBytes(32).toString('base64url');
  const file = fileOf(dataDir);
  await replaceFile(file, `*:*:*:${NAME}:${password}\n`, await stat(dataDir));
  return { password, verifier: scramVerifier(password) };
}

/** Returns the verifier of RFC 5803, so that PostgreSQL, its log and its statistics never contain the password. */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${serverKey}`;
}

/** Returns the statement that sets the password of the service's user. */
export function alterPassword(verifier: string): string {
  return `ALTER ROLE ${NAME} PASSWORD '${verifier}'`;
}

/**
 * Replaces the connection rules of the cluster. `trust` is only for a cluster whose password is not known yet: only
 * root and the account of PostgreSQL can open its socket.
 */
export async function writeRules(directory: string, method: 'scram-sha-256' | 'trust'): Promise<void> {
  const rules = ['all', 'replication'].map((database) => `local ${database} all ${method}\n`).join('');
  const file = join(directory, 'pg_hba.conf');
  if ((await readFile(file, 'utf8').catch(unlessCode('ENOENT'))) === rules) return;
  await replaceFile(file, rules, await stat(directory));
}

/** Replaces a file with a new one. As root, it must not follow a link in its place. */
async function replaceFile(file: string, text: string, owner: { uid: number; gid: number }): Promise<void> {
  const fresh = `${file}.new`;
  await rm(fresh, { force: true });
  await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
  await chmod(fresh, 0o600);
  if (process.getuid?.() === 0) await chown(fresh, owner.uid, owner.gid);
  await rename(fresh, file);
}

function open(socket: Socket, password = ''): postgres.Sql {
  return postgres({
    ...socket,
    password,
    max: 1,
    fetch_types: false,
    connect_timeout: 5,
    onnotice: () => undefined,
  });
}

/** Returns whether the running cluster accepts a password or, without one, trusts the service. */
async function accepts(socket: Socket, password = ''): Promise<boolean> {
  const sql = open(socket, password);
  try {
    await sql`select 1`;
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== passwordRefused) throw error;
    return false;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

/**
 * Returns the password of a running cluster. If a cluster of an earlier version or from a backup has none, or not that
 * of the file, sets a new one.
 * @param reload makes PostgreSQL reload its rules
 */
export async function ensurePassword(
  { dataDir, directory }: { dataDir: string; directory: string },
  socket: Socket,
  reload: () => void,
): Promise<string> {
  const known = await readPassword(dataDir);
  if (known !== undefined && (await accepts(socket, known))) return known;
  await writeRules(directory, 'trust');
  reload();
  await waitUntil(() => accepts(socket), directory);
  const { password, verifier } = await makePassword(dataDir);
  const sql = open(socket);
  try {
    await sql.unsafe(alterPassword(verifier));
  } finally {
    await sql.end({ timeout: 1 });
  }
  await writeRules(directory, 'scram-sha-256');
  reload();
  await waitUntil(async () => !(await accepts(socket)), directory);
  return password;
}

async function waitUntil(look: () => Promise<boolean>, directory: string): Promise<void> {
  for (const deadline = Date.now() + RELOAD_PATIENCE_MS; !(await look()); await sleep(20)) {
    if (Date.now() < deadline) continue;
    throw new StartupError(`PostgreSQL in ${directory} did not reload its pg_hba.conf. See its log.`);
  }
}
