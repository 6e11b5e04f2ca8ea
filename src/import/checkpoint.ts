import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { StartupError } from '../lib/errors.ts';
import { z } from '../lib/zod.ts';

const counts = z.object({
  created: z.number(),
  updated: z.number(),
  unchanged: z.number(),
  skipped: z.number(),
  refused: z.number(),
});

export type Counts = z.output<typeof counts>;

export const noCounts: Counts = { created: 0, updated: 0, unchanged: 0, skipped: 0, refused: 0 };

const checkpoint = z.object({
  /** SHA-256 of the file, the mapping and the options that change what is written. */
  hash: z.string(),
  /** The beginning of the request ids of the changes of this import. Each window adds its offset. */
  requestId: z.string(),
  /** The byte offset of the first record that may not have been written. */
  offset: z.number(),
  /** The size of the file of refused records. */
  refusedBytes: z.number(),
  counts,
});

export type Checkpoint = z.output<typeof checkpoint>;

const pathOf = (file: string): string => `${file}.checkpoint.json`;

/** Returns a hash of the content of a file and of the options. */
export async function hashImport(file: string, options: object): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return createHash('sha256').update(hash.digest()).update(JSON.stringify(options)).digest('hex');
}

/** Returns the checkpoint of an import that ended early; undefined if there is none. Throws StartupError. */
export async function readCheckpoint(file: string): Promise<Checkpoint | undefined> {
  const path = pathOf(file);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new StartupError(`The checkpoint ${path} cannot be read: ${error.message}.`);
  });
  if (text === undefined) return undefined;
  try {
    return checkpoint.parse(JSON.parse(text));
  } catch {
    throw new StartupError(`${path} is not a checkpoint. Delete it to import the file from its beginning.`);
  }
}

/** Replaces the checkpoint, so that a crash leaves the old one or the new one. Throws StartupError. */
export async function writeCheckpoint(file: string, value: Checkpoint): Promise<void> {
  const path = pathOf(file);
  const handle = await open(`${path}.new`, 'w', 0o600).catch((error: Error) => {
    throw new StartupError(
      `The checkpoint ${path} cannot be written: ${error.message}. Copy the file to a directory where you can write.`,
    );
  });
  try {
    await handle.writeFile(JSON.stringify(value));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
}

export async function removeCheckpoint(file: string): Promise<void> {
  await rm(pathOf(file), { force: true });
}
