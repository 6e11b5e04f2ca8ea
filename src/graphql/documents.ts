import { createHash } from 'node:crypto';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { LRUCache } from 'lru-cache';
import type { Viewer } from '../ctx.ts';
import { z } from '../lib/zod.ts';
import type { DocumentOptions } from './manifest.ts';
import { requestError } from './request.ts';

/** Of all remembered documents together. */
const maxRememberedCharacters = 16_000_000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const persistedQuery = z.object({ sha256Hash: z.string() });

/** The id by which a request names its document: the protocol's own parameter, or Apollo's extension. */
function documentIdOf({
  documentId,
  extensions,
}: GraphQLParams & { documentId?: unknown }): string | undefined {
  if (typeof documentId === 'string') return documentId;
  if (extensions?.persistedQuery === undefined) return undefined;
  const parsed = persistedQuery.safeParse(extensions.persistedQuery);
  return parsed.success ? parsed.data.sha256Hash : undefined;
}

function notFound() {
  // Apollo's clients know this message by heart, and answer it with the whole document.
  return requestError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', 200, {
    'cache-control': 'private, no-cache, must-revalidate',
  });
}

function required() {
  const message = 'Only trusted documents run here: send the `documentId` of one instead of a `query`.';
  return requestError('PERSISTED_QUERY_REQUIRED', message, 400);
}

/** Remembers the documents of each tenant by their hashes, the least recently used first to be forgotten. */
function createMemory() {
  const documents = new LRUCache<string, string>({
    maxSize: maxRememberedCharacters,
    sizeCalculation: (text, key) => text.length + key.length,
  });
  return {
    recall: (viewer: Viewer, hash: string) => documents.get(`${viewer.tenant.id}:${hash}`),
    remember(viewer: Viewer, hash: string, text: string) {
      if (sha256(text) !== hash) {
        throw requestError('BAD_REQUEST', 'The sha256Hash is not the SHA-256 of the query.', 400);
      }
      documents.set(`${viewer.tenant.id}:${hash}`, text);
    },
  };
}

/** The parameters of a request with its document in them. */
export type FindDocument = (params: GraphQLParams, viewer: Viewer) => GraphQLParams;

/** Finds the document of a request that names it by its id: a trusted one, or one that its tenant sent before. */
export function createFindDocument({ trusted, trustedOnly }: DocumentOptions): FindDocument {
  const { recall, remember } = createMemory();
  return (params, viewer) => {
    const id = documentIdOf(params);
    if (id === undefined) {
      if (trustedOnly) throw required();
      return params;
    }
    const { documentId: _, ...rest } = params as GraphQLParams & { documentId?: unknown };
    const known = trusted.get(id.replace(/^sha256:/, '')) ?? trusted.get(id);
    if (known !== undefined) return { ...rest, query: known };
    if (trustedOnly) throw notFound();
    if (params.query) {
      // What is no text is refused where it is read.
      if (typeof params.query === 'string') remember(viewer, id, params.query);
      return params;
    }
    const query = recall(viewer, id);
    if (query === undefined) throw notFound();
    return { ...rest, query };
  };
}

/** The same for every request of a server. */
export function usePersistedDocuments(find: FindDocument): Plugin<object, { caller: { viewer: Viewer } }> {
  return {
    onParams({ params, setParams, context: { caller } }) {
      setParams(find(params, caller.viewer));
    },
  };
}
