import type { IncomingMessage } from 'node:http';
import { GraphQLError } from 'graphql';
import type { GraphQLParams, Plugin } from 'graphql-yoga';
import { excessIn, maxBodyBytes } from '../http/request.ts';

/** What a program may rely on in `extensions.code` of a top-level error. */
export const topLevelCodes = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'QUERY_TOO_COMPLEX',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
  'SERVICE_UNAVAILABLE',
  'TIMEOUT',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_REQUIRED',
  'INTERNAL_SERVER_ERROR',
] as const;

export type TopLevelCode = (typeof topLevelCodes)[number];

/** An error of the request as a whole. `status` is the HTTP status, whichever media type the answer has. */
export function requestError(
  code: TopLevelCode,
  message: string,
  status: number,
  headers: Record<string, string> = {},
): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status, headers } } });
}

function tooLarge(headers: Record<string, string> = {}): GraphQLError {
  const message = `The body must not be larger than ${maxBodyBytes} bytes.`;
  return requestError('PAYLOAD_TOO_LARGE', message, 413, headers);
}

/** Of a body that is too large, so much is read and dropped: a client that is cut off while it sends sees no answer. */
const maxDroppedBytes = 8 * maxBodyBytes;

/** Reads a body without a declared length, keeping no more than it may have. */
async function readChunks(request: Request): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.byteLength;
    if (length <= maxBodyBytes) chunks.push(chunk);
    else if (length > maxBodyBytes + maxDroppedBytes) break;
  }
  if (length > maxBodyBytes) throw tooLarge();
  return Buffer.concat(chunks).toString('utf8');
}

/** The body of a request, which the HTTP parser ends at its declared length. */
export async function readBody(request: Request): Promise<string> {
  const declared = request.headers.get('content-length');
  if (declared === null) return readChunks(request);
  if (Number(declared) > maxBodyBytes) throw tooLarge();
  return request.text();
}

function brokenOff(): GraphQLError {
  return requestError('BAD_REQUEST', 'The body broke off before its end.', 400);
}

/** The same of a request of node:http. */
function readIncoming(request: IncomingMessage): Promise<string> {
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) return Promise.reject(tooLarge());
  // Whoever left while his token was looked up sends nothing more, not even an end.
  if (request.destroyed) return Promise.reject(brokenOff());
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBodyBytes) chunks.push(chunk);
      else if (length > maxBodyBytes + maxDroppedBytes) {
        request.pause();
        reject(tooLarge({ connection: 'close' }));
      }
    });
    request.on('end', () => {
      if (length > maxBodyBytes) reject(tooLarge());
      else resolve(Buffer.concat(chunks).toString('utf8'));
    });
    request.on('error', () => reject(brokenOff()));
    request.on('close', () => {
      // Making an error takes a fifth of a small request, and every request closes.
      if (!request.complete) reject(brokenOff());
    });
  });
}

/**
 * How to read the body of a request of node:http. One that has arrived whole is read at once, for it may have to wait, and
 * its text is less to keep than the stream: that takes a twelfth off the service's time at 1,024 connections.
 */
export function bodyOf(request: IncomingMessage): () => Promise<string> {
  if (!request.complete || request.destroyed) return () => readIncoming(request);
  const body: Buffer | null = request.read();
  if (body !== null && body.length > maxBodyBytes) return () => Promise.reject(tooLarge());
  const text = body?.toString('utf8') ?? '';
  // The request itself is destroyed once it has been read; nobody waits for what is done for one who left.
  return () => (request.socket.destroyed ? Promise.reject(brokenOff()) : Promise.resolve(text));
}

/** Makes the parameters of a request of its body. */
export function parseJsonBody(body: string): GraphQLParams {
  if (body.trim() === '') {
    throw requestError('BAD_REQUEST', 'The body is empty; send a JSON object with a `query`.', 400);
  }
  const excess = excessIn(body);
  if (excess !== undefined) throw requestError('PAYLOAD_TOO_LARGE', excess, 413);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw requestError('BAD_REQUEST', 'The body is not JSON.', 400);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw requestError(
      'BAD_REQUEST',
      'The body must be one JSON object with a `query`; batches are not accepted.',
      400,
    );
  }
  return parsed as GraphQLParams;
}

export function isJson(contentType: string | null): boolean {
  return /^application\/(graphql\+)?json\s*(;|$)/i.test(contentType ?? '');
}

/** What a GET brings in its URL, which holds queries only. */
function parseUrl(request: Request): GraphQLParams {
  const values = new URL(request.url, 'http://localhost').searchParams;
  const json = (name: string) => JSON.parse(values.get(name) ?? '{}');
  try {
    const names = ['query', 'operationName', 'documentId'].filter((name) => values.has(name));
    return {
      ...Object.fromEntries(names.map((name) => [name, values.get(name)])),
      variables: json('variables'),
      extensions: json('extensions'),
    };
  } catch {
    throw requestError('BAD_REQUEST', 'The variables and extensions of the URL must be JSON.', 400);
  }
}

/**
 * POST bodies are JSON, of bounded size, and nothing else: a browser cannot send one across sites unasked. `params` are
 * those of a body that has been read already.
 */
export function useJsonBody(): Plugin<object, { params?: GraphQLParams }> {
  return {
    onRequestParse({ request, serverContext, setRequestParser }) {
      const { params } = serverContext as { params?: GraphQLParams };
      if (params !== undefined) return setRequestParser(() => params);
      if (request.method === 'GET') setRequestParser(parseUrl);
      if (request.method !== 'POST') return;
      if (!isJson(request.headers.get('content-type'))) {
        throw requestError('BAD_REQUEST', 'The content type must be application/json.', 415);
      }
      setRequestParser(async (whole) => parseJsonBody(await readBody(whole)));
    },
  };
}
