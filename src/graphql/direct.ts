import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { type FetchAPI, type GraphQLParams, isAsyncIterable, processRegularResult } from 'graphql-yoga';
import type { Caller } from '../ctx.ts';
import { logRequest } from '../observe/log.ts';
import { compress } from './compression.ts';
import type { FindDocument } from './documents.ts';
import { type Part, type ShownErrors, showErrors } from './mask.ts';
import type { Asking, Known } from './operate.ts';
import { costHeader } from './protection.ts';
import { isJson, parseJsonBody, requestError } from './request.ts';

/** A POST of JSON, by whichever server it comes. Nothing else is asked of its request, by plugins either. */
export interface Asked {
  request: Pick<Request, 'method' | 'url'> & { headers: Pick<Headers, 'get'> };
  read(): Promise<string>;
}

type Result = ExecutionResult & Part;

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

const inParts = /text\/event-stream|multipart\/mixed/;
/** What may be answered in parts. */
const mayBeInParts = /\bsubscription\b|@(defer|stream)\b/;
const types = ['application/json', 'application/graphql-response+json'];

/** The first media type for an answer in one part that a client accepts. */
function mediaTypeFor(accept: string | null): string | undefined {
  if (accept === null) return types[0];
  for (const entry of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = entry.split(';').map((part) => part.trim());
    if (parameters.some((one) => one.startsWith('charset=') && one !== 'charset=utf-8')) continue;
    if (type === '*/*' || type === 'application/*') return types[0];
    if (types.includes(type)) return type;
  }
  return undefined;
}

/** Whether a request for a path is one that is answered directly, as nearly all are. */
export function isDirect(request: Asked['request'], path: string): boolean {
  const { method, url, headers } = request;
  return (
    method === 'POST' &&
    url === path &&
    isJson(headers.get('content-type')) &&
    mediaTypeFor(headers.get('accept')) !== undefined
  );
}

function errorOf(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

/** As yoga makes an answer, without the web's Response. */
const plain = {
  Response: function answer(body: string, { status, headers }: Answer) {
    return { body, status, headers };
  },
} as unknown as FetchAPI;

/** The body as its reader wants it, and how long it is. */
async function encoded(answer: Answer, accepted: string | null): Promise<Answer> {
  const { headers } = answer;
  const small = accepted === null ? undefined : await compress(accepted, Buffer.from(answer.body));
  if (small !== undefined) headers['content-encoding'] = small.encoding;
  const body = small?.body ?? answer.body;
  headers['content-length'] = String(Buffer.byteLength(body));
  return { ...answer, body };
}

/** What is asked of a request of node:http. */
export function requestOf({ method = '', url = '', headers }: IncomingMessage): Asked['request'] {
  return { method, url, headers: { get: (name) => (headers[name] as string | undefined) ?? null } };
}

/** Writes an answer to a request of node:http. */
export function write({ status, headers, body }: Answer, response: ServerResponse): void {
  response.writeHead(status, headers).end(body);
}

const isMap = (value: unknown): boolean =>
  value == null || (typeof value === 'object' && !Array.isArray(value));
const names = new Set(['query', 'variables', 'operationName', 'extensions']);

/** Whether a request is one of those of which there are most: well-formed, and with one answer. */
function isPlain(params: GraphQLParams): params is Asking['params'] {
  const { query, variables, operationName, extensions } = params;
  if (typeof query !== 'string' || mayBeInParts.test(query)) return false;
  if (!isMap(variables) || !isMap(extensions)) return false;
  if (operationName != null && typeof operationName !== 'string') return false;
  return Object.keys(params).every((name) => names.has(name));
}

export interface DirectOptions extends ShownErrors {
  letIn(authorization: string | null, requestId: string): Promise<Caller>;
  findDocument: FindDocument;
  /** The way of plain requests from parameters to a result. */
  operate(request: Request, asking: Asking): Result | Promise<Result>;
  /** The way of all others: yoga's. */
  run(
    request: Request,
    asking: Known & { params: GraphQLParams },
  ): Promise<Result | AsyncIterable<Result> | undefined>;
}

/** Runs a request; undefined when its answer may come in parts. */
async function resultOf(
  { letIn, findDocument, operate, run }: DirectOptions,
  { request, read }: Asked,
  known: Known,
): Promise<Result | undefined> {
  const { headers } = request;
  try {
    const caller = await letIn(headers.get('authorization'), known.requestId);
    known.caller = caller;
    const given = parseJsonBody(await read());
    const params = findDocument(given, caller.viewer);
    if (isPlain(params) && headers.get(costHeader) === null)
      return await operate(request as Request, Object.assign(known, { caller, params }));
    const asking = Object.assign(known, { params: given });
    if (inParts.test(headers.get('accept') ?? '')) return undefined;
    const result = (await run(request as Request, asking)) ?? {};
    if (!isAsyncIterable(result)) return result;
    await result[Symbol.asyncIterator]().return?.();
    const message = 'A subscription is answered by events: send `Accept: text/event-stream`.';
    throw requestError('BAD_REQUEST', message, 406, { accept: 'text/event-stream' });
  } catch (error) {
    return { errors: [errorOf(error)] };
  }
}

/**
 * Answers requests without the web's Request and Response around them, which take two fifths of the time of a small one.
 * `undefined`: the answer may come in parts, and yoga must give it.
 */
export function createDirect(options: DirectOptions) {
  const { log, exposesSchema, metrics } = options;
  return async (asked: Asked, known: Known): Promise<Answer | undefined> => {
    const beganAt = known.arrivedAt ?? performance.now();
    const { headers } = asked.request;
    const result = await resultOf(options, asked, known);
    if (result === undefined) return undefined;
    const accept = headers.get('accept');
    const { requestId, budget, caller } = known;
    const shown = showErrors(result, { log, exposesSchema, metrics, requestId, accept });
    const type = mediaTypeFor(accept) ?? '';
    const answer = processRegularResult(shown as never, plain, type) as unknown as Answer;
    Object.assign(answer.headers, budget?.headers(), { 'x-request-id': requestId });
    if (log.isLevelEnabled('debug')) {
      const codes = (shown.errors ?? []).map(({ extensions }) => String(extensions.code));
      const { status } = answer;
      logRequest(log, { requestId, method: 'POST', status, viewer: caller?.viewer, codes, beganAt });
    }
    return encoded(answer, headers.get('accept-encoding'));
  };
}
