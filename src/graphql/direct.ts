import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { type FetchAPI, type GraphQLParams, isAsyncIterable, processRegularResult } from 'graphql-yoga';
import type { Caller } from '../ctx.ts';
import type { Decision } from '../http/budget.ts';
import { logRequest } from '../observe/log.ts';
import { compress } from './compression.ts';
import { type Part, type ShownErrors, showErrors } from './mask.ts';
import { isJson, parseJsonBody, requestError } from './request.ts';

/** A POST of JSON, by whichever server it comes. */
export interface Asked {
  request: Pick<Request, 'method' | 'url'> & { headers: Pick<Headers, 'get'> };
  read(): Promise<string>;
}

/** What becomes known of a request on its way. */
export interface Known {
  requestId: string;
  caller?: Caller;
  params?: GraphQLParams;
  budget?: Decision;
}

type Result = ExecutionResult & Part;

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: string | Buffer;
}

const inParts = /text\/event-stream|multipart\/mixed/;
/** What may be answered in parts; what a request names by an id is not known yet. */
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

export interface DirectOptions extends ShownErrors {
  /** Yoga's way from parameters to a result. */
  run(
    params: GraphQLParams,
    request: Request,
    known: Known,
  ): Promise<Result | AsyncIterable<Result> | undefined>;
  letIn(authorization: string | null, requestId: string): Promise<Caller>;
}

/**
 * Answers requests by yoga's way from parameters to a result, without the web's Request and Response around it, which
 * take half of the time of a small request. `undefined`: the answer may come in parts, and yoga must give it.
 */
export function createDirect({ run, letIn, log, exposesSchema }: DirectOptions) {
  async function resultOf({ request, read }: Asked, known: Known): Promise<Result | undefined> {
    const { headers } = request;
    try {
      known.caller = await letIn(headers.get('authorization'), known.requestId);
      known.params = parseJsonBody(await read());
      const { query } = known.params;
      const isKnownWhole = typeof query === 'string' && !mayBeInParts.test(query);
      if (!isKnownWhole && inParts.test(headers.get('accept') ?? '')) return undefined;
      const result = (await run(known.params, request as Request, known)) ?? {};
      if (!isAsyncIterable(result)) return result;
      await result[Symbol.asyncIterator]().return?.();
      const message = 'A subscription is answered by events: send `Accept: text/event-stream`.';
      throw requestError('BAD_REQUEST', message, 406, { accept: 'text/event-stream' });
    } catch (error) {
      return { errors: [errorOf(error)] };
    }
  }
  return async (asked: Asked, known: Known): Promise<Answer | undefined> => {
    const beganAt = performance.now();
    const { headers } = asked.request;
    const result = await resultOf(asked, known);
    if (result === undefined) return undefined;
    const accept = headers.get('accept');
    const { requestId, budget, caller } = known;
    const shown = showErrors(result, { log, exposesSchema, requestId, accept });
    const answer = processRegularResult(
      shown as never,
      plain,
      mediaTypeFor(accept) ?? '',
    ) as unknown as Answer;
    Object.assign(answer.headers, budget?.headers, { 'x-request-id': requestId });
    if (log.isLevelEnabled('debug')) {
      const codes = shown.errors?.map(({ extensions }) => String(extensions.code));
      logRequest(log, {
        requestId,
        method: 'POST',
        status: answer.status,
        viewer: caller?.viewer,
        codes,
        beganAt,
      });
    }
    return encoded(answer, headers.get('accept-encoding'));
  };
}
