import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Viewer } from '../ctx.ts';
import { z } from '../lib/zod.ts';
import type { Params } from './exchange.ts';
import type { DocumentOptions } from './manifest.ts';
import type { RawParams } from './receive.ts';
import { requestError } from './request-error.ts';

/** The total characters of cached documents. */
const maxRememberedCharacters = 16_000_000;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const persistedQuery = z.object({ sha256Hash: z.string() });

/** Returns the id by which a request names its document: `documentId`, or Apollo's extension. */
function documentIdOf({ documentId, extensions }: RawParams): string | undefined {
  if (typeof documentId === 'string' && documentId !== '') return documentId;
  const given = (extensions as { persistedQuery?: unknown } | null | undefined)?.persistedQuery;
  if (given === undefined) return undefined;
  const parsed = persistedQuery.safeParse(given);
  return parsed.success ? parsed.data.sha256Hash : undefined;
}

function notFound() {
  // Apollo's clients recognise this message, and send the whole document.
  return requestError('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', 200, {
    'cache-control': 'private, no-cache, must-revalidate',
  });
}

function required() {
  const message = 'Only trusted documents are allowed. Send a `documentId` instead of a `query`.';
  return requestError('PERSISTED_QUERY_REQUIRED', message, 400);
}

/** Caches the documents of each tenant by hash. */
function createMemory() {
  const documents = new LRUCache<string, string>({
    maxSize: maxRememberedCharacters,
    sizeCalculation: (text, key) => text.length + key.length,
  });
  return {
    recall: (viewer: Viewer, hash: string) => documents.get(`${viewer.tenant.id}:${hash}`),
    remember(viewer: Viewer, hash: string, text: string) {
      if (sha256(text) !== hash) {
        throw requestError('BAD_REQUEST', '`sha256Hash` is not the SHA-256 of the `query`.', 400);
      }
      documents.set(`${viewer.tenant.id}:${hash}`, text);
    },
  };
}

/** Returns the parameters of a request with the text of its document, which may be named by its id. */
export type FindDocument = (params: RawParams, viewer: Viewer) => Params;

function withText(params: RawParams): Params {
  if (params.query) return params as unknown as Params;
  throw requestError('BAD_REQUEST', 'The request has no `query`.', 400);
}

/** Finds documents by their ids: trusted ones, and those that the tenant sent before. */
export function createFindDocument({ trusted, trustedOnly }: DocumentOptions): FindDocument {
  const { recall, remember } = createMemory();
  return (params, viewer) => {
    const id = documentIdOf(params);
    if (id === undefined) {
      if (trustedOnly) throw required();
      return withText(params);
    }
    const { query: text, ...rest } = params;
    const known = trusted.get(id.replace(/^sha256:/, '')) ?? trusted.get(id);
    if (known !== undefined) return { ...rest, query: known };
    if (trustedOnly) throw notFound();
    if (typeof text === 'string' && text !== '') {
      remember(viewer, id, text);
      return withText(params);
    }
    const query = recall(viewer, id);
    if (query === undefined) throw notFound();
    return { ...rest, query };
  };
}
