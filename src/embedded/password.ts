import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';
import { chmod, chown, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { StartupError } from '../lib/errors.ts';
import { unlessCode } from './binaries.ts';

/** The user and the database of the service. */
export const NAME = 'accountgraph';

/** PostgreSQL's code `invalid_password`. */
const passwordRefused = '28P01';
const RELOAD_PATIENCE_MS = 5000;

/** How to reach a cluster before its password is known. */
interface Socket {
  path: string;
  user: string;
  database: string;
}

function fileOf(dataDir: string): string {
  return join(dataDir, 'postgres-password');
}

/** Returns the password of the cluster in a data directory; `undefined` before it has one. */
export async function readPassword(dataDir: string): Promise<string | undefined> {
  const text = await readFile(fileOf(dataDir), 'utf8').catch(unlessCode('ENOENT'));
  return /^\*:\*:\*:\w+:([\w-]+)$/m.exec(text ?? '')?.[1];
}

/**
 * Makes a password and keeps it in a file that only the owner of the data directory can read, in the format of
 * libpq's PGPASSFILE. Returns what PostgreSQL stores of it.
 */
export async function makePassword(dataDir: string): Promise<{ password: string; verifier: string }> {
  const password = randomBytes(32).toString('base64url');
  const file = fileOf(dataDir);
  await replaceFile(file, `*:*:*:${NAME}:${password}\n`, await stat(dataDir));
  return { password, verifier: scramVerifier(password) };
}

/** Returns the verifier of RFC 5803: PostgreSQL, its log and its statistics never see the password. */
function scramVerifier(password: string): string {
  const iterations = 4096;
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256');
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest();
  const stored = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  const serverKey = keyOf('Server Key').toString('base64');
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${serverKey}`;
}

/** Returns the statement that gives the service's user a password by its verifier. */
export function alterPassword(verifier: string): string {
  return `ALTER ROLE ${NAME} PASSWORD '${verifier}'`;
}

/**
 * Replaces the cluster's rules for connections. `trust` is only for a cluster whose password is not known yet; its
 * socket lets in nobody but root and the account that PostgreSQL runs as.
 */
export async function writeRules(directory: string, method: 'scram-sha-256' | 'trust'): Promise<void> {
  const rules = ['all', 'replication'].map((database) => `local ${database} all ${method}\n`).join('');
  const file = join(directory, 'pg_hba.conf');
  if ((await readFile(file, 'utf8').catch(unlessCode('ENOENT'))) === rules) return;
  await replaceFile(file, rules, await stat(directory));
}

/** Replaces a file by a new one, so that a link in its place leads root nowhere. */
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

/** Whether the running cluster accepts a password; without one, whether it trusts the service. */
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
 * Returns the password of a running cluster. A cluster of an earlier version or from a backup has none, or another than
 * the file says, and gets a new one.
 * @param reload has PostgreSQL read its rules again
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
    throw new StartupError(`PostgreSQL in ${directory} does not read its pg_hba.conf again: see its log.`);
  }
}
