import { type FileHandle, open, rm } from 'node:fs/promises';
import { AliasTakenError } from '../alias/rules.ts';
import { type AppError, InvalidInputError, type Issue, NotFoundError, StartupError } from '../lib/errors.ts';
import { IdTakenError } from '../writing/errors.ts';

/** One line of the file of refused records. */
export interface Refusal {
  /** The line of the record in the source. */
  line: number;
  /** The path from the record to the value. */
  path: string[];
  code: string;
  message: string;
  /** Further problems of the record. */
  more?: { path: string[]; code: string; message: string }[];
  /** The record as it was read, to correct it and import it again. */
  record: unknown;
}

function pathOf(error: AppError): string[] {
  if (error instanceof IdTakenError) return ['id'];
  if (error instanceof AliasTakenError) return ['aliases'];
  if (error instanceof NotFoundError && error.type === 'Customer') return ['customerId'];
  return [];
}

function sentence({ path, message }: Issue): string {
  return `${path.join('.') || 'The record'} ${message}.`;
}

/** Returns the line for an error of a record. */
export function refusalOf(line: number, error: AppError, record: unknown): Refusal {
  if (!(error instanceof InvalidInputError))
    return { line, path: pathOf(error), code: error.code, message: error.message, record };
  const [first, ...more] = error.issues.map((issue) => ({
    path: issue.path,
    code: issue.code,
    message: sentence(issue),
  }));
  if (first === undefined) throw new Error('An invalid input has no issue.');
  return { line, ...first, ...(more.length > 0 && { more }), record };
}

/** The file of the refused records of an import, `<file>.rejected.ndjson`. It exists only if there are any. */
export interface RefusedFile {
  path: string;
  size(): number;
  /** Appends lines, and waits until they are on disk. */
  append(refusals: readonly Refusal[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens a file. Throws StartupError if it cannot be written. */
async function openToWrite(path: string, flags: string): Promise<FileHandle> {
  return open(path, flags, 0o600).catch((error: Error) => {
    throw new StartupError(`The file of refused records ${path} cannot be written: ${error.message}.`);
  });
}

/**
 * Returns the file with its first `size` bytes: those of a resumed import, or none. Throws StartupError if it cannot be
 * written.
 */
export async function openRefused(source: string, size: number): Promise<RefusedFile> {
  const path = `${source.replace(/\.(ndjson|jsonl|json|csv)$/i, '')}.rejected.ndjson`;
  let handle: FileHandle | undefined;
  let written = size;
  if (size === 0) await rm(path, { force: true });
  else {
    handle = await openToWrite(path, 'r+');
    await handle.truncate(size);
  }
  return {
    path,
    size: () => written,
    async append(refusals) {
      if (refusals.length === 0) return;
      handle ??= await openToWrite(path, 'w');
      const text = refusals.map((one) => `${JSON.stringify(one)}\n`).join('');
      const { bytesWritten } = await handle.write(text, written);
      written += bytesWritten;
      await handle.sync();
    },
    close: async () => handle?.close(),
  };
}
