import { createReadStream } from 'node:fs';
import { StartupError } from '../lib/errors.ts';

const byteOrderMark = Buffer.from('\uFEFF');

/** A file that is read once, from its start to its end. */
export interface SourceFile {
  /** The first bytes, which show what kind of file it is. */
  head: Buffer;
  /** The length of the byte order mark, which is left out. */
  start: number;
  chunks: AsyncGenerator<Buffer>;
  close(): Promise<unknown>;
}

/** Explains why a file cannot be read. */
export function unreadable(file: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new StartupError(`There is no file ${file}. Check the path.`);
  if (code === 'EISDIR') return new StartupError(`${file} is a directory. Name a file.`);
  if (code === 'EACCES') return new StartupError(`This user cannot read ${file}. Change its permissions.`);
  return code === undefined ? error : new StartupError(`Cannot read ${file}: ${message}.`);
}

async function* chunksOf(file: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(file)) yield chunk as Buffer;
  } catch (error) {
    throw unreadable(file, error);
  }
}

async function* prepend(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}

/** Opens a file, which the caller must close. Throws StartupError if it cannot be read. */
export async function openFile(file: string): Promise<SourceFile> {
  const rest = chunksOf(file);
  const { value } = await rest.next();
  const first: Buffer = value ?? Buffer.alloc(0);
  const isMarked = first.subarray(0, byteOrderMark.length).equals(byteOrderMark);
  const start = isMarked ? byteOrderMark.length : 0;
  const head = first.subarray(start);
  return { head, start, chunks: prepend(head, rest), close: () => rest.return(undefined) };
}
