import { readFile } from 'node:fs/promises';
import { StartupError } from '../lib/errors.ts';
import { z } from '../lib/zod.ts';

export interface DocumentOptions {
  /** Documents by id. */
  trusted: ReadonlyMap<string, string>;
  /** Whether only trusted documents run. */
  trustedOnly: boolean;
}

/** A JSON object of documents by id, or Apollo's manifest. */
const manifest = z.union([
  z
    .object({
      format: z.literal('apollo-persisted-query-manifest'),
      operations: z.array(z.object({ id: z.string(), body: z.string() })),
    })
    .transform(({ operations }) => new Map(operations.map(({ id, body }) => [id, body]))),
  z.record(z.string(), z.string()).transform((documents) => new Map(Object.entries(documents))),
]);

/** Reads the trusted documents of a manifest file. Throws StartupError if it is not one. */
export async function readTrustedDocuments(path: string | undefined): Promise<ReadonlyMap<string, string>> {
  if (path === undefined) return new Map();
  try {
    return manifest.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch (error) {
    const malformed = error instanceof z.ZodError || error instanceof SyntaxError;
    throw new StartupError(
      malformed
        ? `TRUSTED_DOCUMENTS names ${path}, which is neither a JSON object of documents by id nor an Apollo manifest.`
        : `TRUSTED_DOCUMENTS names ${path}, which cannot be read: ${(error as Error).message}.`,
    );
  }
}
