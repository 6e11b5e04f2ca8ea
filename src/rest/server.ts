import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { assertJson, BodyError, decodeText, excessIn, maxBodyBytes, maxDroppedBytes } from '../http/body.ts';
import { compress } from '../http/compression.ts';
import { requestIdFrom } from '../http/request.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import { logRequest } from '../observe/log.ts';
import { refuse } from './answer.ts';
import { RequestError, refusalOf } from './errors.ts';
import type { Rest, RestContext, RestEnv, RestOptions } from './route.ts';

/** Returns the path as it was sent. Ids can contain `%2F`, so segments are decoded after routing. */
function pathOf({ url }: Request): string {
  return /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] || '/';
}

const named: MiddlewareHandler<RestEnv> = async (c, next) => {
  const requestId = requestIdFrom(c.req.header('x-request-id'));
  c.set('requestId', requestId);
  await next();
  c.res.headers.set('x-request-id', requestId);
};

const logged: MiddlewareHandler<RestEnv> = async (c, next) => {
  const beganAt = performance.now();
  await next();
  const { options, requestId, ctx } = c.var;
  const { status, headers } = c.res;
  const code = headers.get('x-error-code');
  const codes = code === null ? [] : [code];
  logRequest(options.log, { requestId, method: c.req.method, status, viewer: ctx?.viewer, codes, beganAt });
};

function throwBodyError(error: unknown): never {
  if (!(error instanceof BodyError)) throw new RequestError(400, 'BAD_REQUEST', truncatedMessage);
  const codes = { 400: 'BAD_REQUEST', 413: 'PAYLOAD_TOO_LARGE', 415: 'UNSUPPORTED_MEDIA_TYPE' } as const;
  throw new RequestError(error.status, codes[error.status], error.message);
}

const truncatedMessage = 'The connection closed before the end of the body.';

function tooLarge(message = `The body must have at most ${maxBodyBytes} bytes.`): never {
  throw new BodyError(413, message);
}

/** Reads a body. Discards one that is too large, up to a limit, so that the client sees the response. */
async function readWhole(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > maxBodyBytes + maxDroppedBytes) break;
    if (length <= maxBodyBytes) chunks.push(chunk);
  }
  return length > maxBodyBytes ? tooLarge() : Buffer.concat(chunks);
}

async function readText(c: RestContext, body: ReadableStream<Uint8Array>): Promise<string> {
  const bytes = await readWhole(body);
  // A request without a body can have any content type.
  if (bytes.length === 0) return '';
  assertJson(c.req.header('content-type'), c.req.header('content-encoding'));
  const text = decodeText(bytes);
  const excess = excessIn(text);
  return excess === undefined ? text : tooLarge(excess);
}

/** Rejects a body that is too large, not declared as JSON, or not UTF-8. Passes the text on. */
const limited: MiddlewareHandler<RestEnv> = async (c, next) => {
  const { url, method, headers, body } = c.req.raw;
  if (['GET', 'HEAD', 'OPTIONS'].includes(method) || body === null) return next();
  const text = await readText(c, body).catch(throwBodyError);
  c.req.raw = new Request(url, { method, headers, ...(text !== '' && { body: text }) });
  return next();
};

/** Compresses responses for clients that accept it. */
const compressed: MiddlewareHandler<RestEnv> = async (c, next) => {
  await next();
  const accepted = c.req.header('accept-encoding');
  if (accepted === undefined || c.res.body === null || c.res.headers.has('content-encoding')) return;
  const { status, headers } = c.res;
  const plain = Buffer.from(await c.res.arrayBuffer());
  const small = await compress(accepted, plain);
  c.res = undefined;
  const body = new Uint8Array(small?.body ?? plain);
  c.res = new Response(body, { status, headers });
  if (small !== undefined) c.res.headers.set('content-encoding', small.encoding);
  c.res.headers.set('content-length', String(body.length));
};

function methodRefusal(c: RestContext, methods: string[]): Response {
  // These headers belong to the 404 that this response replaces.
  for (const name of ['x-error-code', 'content-type']) c.res.headers.delete(name);
  const allow = [...methods, 'OPTIONS'].join(', ');
  if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow });
  const message = `This path does not support ${c.req.method}. Use ${methods.join(', ')}.`;
  return refuse(c, refusalOf(new RequestError(405, 'METHOD_NOT_ALLOWED', message, { allow })));
}

/** Creates the server of the REST API, without routes. */
export function createRest(options: RestOptions): Rest {
  const rest: Rest = new OpenAPIHono<RestEnv>({
    getPath: pathOf,
    defaultHook: (result) => {
      if (!result.success) throw new InvalidInputError(issuesOf(result.error as never));
    },
  });
  rest.use(compressed);
  rest.use(named);
  rest.use(async (c, next) => {
    c.set('options', options);
    await next();
  });
  if (options.log.isLevelEnabled('debug')) rest.use(logged);
  rest.use(methodNotAllowed({ app: rest, onMethodNotAllowed: methodRefusal }));
  rest.use(limited);
  rest.notFound((c) => {
    const hint = options.restDocs ? ' `/openapi.json` lists all paths.' : '';
    const message = `This path does not exist.${hint}`;
    return refuse(c, refusalOf(new RequestError(404, 'UNKNOWN_PATH', message)));
  });
  rest.onError((error, c) => {
    const refusal = refusalOf(error);
    if (refusal.code === 'INTERNAL_SERVER_ERROR') {
      const { requestId } = c.var;
      options.log.error({ err: error, requestId }, 'Unexpected error while handling a request');
    }
    return refuse(c, refusal);
  });
  return rest;
}
