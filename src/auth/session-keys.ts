import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '../lib/errors.ts';

const minLength = 32;
const form = new RegExp(`^[\\x21-\\x2b\\x2d-\\x7e]{${minLength},}$`);

/** The rule of `parseSessionKeys` for error messages and the docs. A key has no comma, because commas separate keys. */
export const sessionKeyRule = `keys of at least ${minLength} visible ASCII characters`;

/** Returns the keys, or undefined if there are none or one breaks the rule. The first key signs; all keys verify. */
export function parseSessionKeys(texts: readonly string[]): KeyObject[] | undefined {
  const secrets = texts.map((text) => text.trim()).filter((text) => text !== '');
  if (secrets.length === 0 || !secrets.every((secret) => form.test(secret))) return undefined;
  return secrets.map((secret) => createSecretKey(secret, 'utf8'));
}

/** Error messages never quote the content: it may be a key with a typing error. */
function parseFile(text: string, named: string): KeyObject[] {
  const keys = parseSessionKeys(text.split('\n'));
  if (keys === undefined)
    throw new StartupError(`${named} must hold ${sessionKeyRule} other than commas, one per line.`);
  return keys;
}

/** Writes a temporary file and renames it, so that a crash never leaves half a key. */
async function createFile(directory: string, path: string): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { force: true });
  await using(await open(temporary, 'wx', 0o600), async (file) => {
    await file.writeFile(`${randomBytes(32).toString('base64url')}\n`);
    await file.sync();
  });
  await rename(temporary, path);
  await using(await open(directory, 'r'), (handle) => handle.sync());
}

async function using<T>(file: FileHandle, work: (file: FileHandle) => Promise<T>): Promise<T> {
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A file of keys in the data directory, and what it is for. */
const keyFiles = {
  session: {
    file: 'session-key',
    named: 'session key file',
    advice: 'Correct it, or delete it: the next start creates another.',
  },
  webhook: {
    file: 'webhook-key',
    named: 'webhook key file',
    advice: 'Correct it. Do not delete it: without it, no webhook endpoint has a usable secret.',
  },
} as const;

interface KeyFile {
  /** The file in error messages. */
  named: string;
  /** What to do about a file that others can read. */
  advice: string;
}

/** Rejects a file that another user owns or can read, because that user could use the keys. */
async function readPrivateFile(file: FileHandle, { named, advice }: KeyFile): Promise<KeyObject[]> {
  const { uid, mode } = await file.stat();
  const user = process.getuid?.();
  if (user !== undefined && (uid !== user || (mode & 0o077) !== 0)) {
    throw new StartupError(
      `${named} must belong to the user of the service (uid ${user}) and have mode 0600. ${advice}`,
    );
  }
  return parseFile(await file.readFile('utf8'), named);
}

/**
 * Returns the keys in a file of the data directory, which is created with one random key if it is missing.
 * Call it only while holding the lock of the data directory.
 * @throws StartupError if the file is unusable
 */
export async function ensureKeys(directory: string, purpose: keyof typeof keyFiles): Promise<KeyObject[]> {
  const path = join(directory, keyFiles[purpose].file);
  const named = `The ${keyFiles[purpose].named} ${path}`;
  const { advice } = keyFiles[purpose];
  try {
    const found = await openIfPresent(path);
    if (found !== undefined) return await using(found, (file) => readPrivateFile(file, { named, advice }));
    await createFile(directory, path);
    return await using(await open(path, 'r'), (file) => readPrivateFile(file, { named, advice }));
  } catch (error) {
    if (error instanceof StartupError) throw error;
    throw new StartupError(`${named} cannot be used: ${(error as Error).message}.`, { cause: error });
  }
}
