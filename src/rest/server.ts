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

/** Returns the path as it was sent. Ids may hold `%2F`, so segments are decoded after routing. */
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

function refusalOfBody(error: unknown): never {
  if (!(error instanceof BodyError)) throw new RequestError(400, 'BAD_REQUEST', brokenOff);
  const codes = { 400: 'BAD_REQUEST', 413: 'PAYLOAD_TOO_LARGE', 415: 'UNSUPPORTED_MEDIA_TYPE' } as const;
  throw new RequestError(error.status, codes[error.status], error.message);
}

const brokenOff = 'The connection closed before the end of the body.';

function tooLarge(message = `The body must have at most ${maxBodyBytes} bytes.`): never {
  throw new BodyError(413, message);
}

/** Reads a body. One that is too large is read and dropped, up to a limit. */
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
  // A call without a body may have any content type.
  if (bytes.length === 0) return '';
  assertJson(c.req.header('content-type'), c.req.header('content-encoding'));
  const text = decodeText(bytes);
  const excess = excessIn(text);
  return excess === undefined ? text : tooLarge(excess);
}

/** Refuses a body that is too large, not announced as JSON, or not UTF-8; hands on its text. */
const limited: MiddlewareHandler<RestEnv> = async (c, next) => {
  const { url, method, headers, body } = c.req.raw;
  if (['GET', 'HEAD', 'OPTIONS'].includes(method) || body === null) return next();
  const text = await readText(c, body).catch(refusalOfBody);
  c.req.raw = new Request(url, { method, headers, ...(text !== '' && { body: text }) });
  return next();
};

/** Compresses answers for clients that accept it. */
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
  // Or it would have those of the answer that it takes the place of.
  for (const name of ['x-error-code', 'content-type']) c.res.headers.delete(name);
  const allow = [...methods, 'OPTIONS'].join(', ');
  if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow });
  const message = `${c.req.method} is not a method of this path; it takes ${methods.join(', ')}.`;
  return refuse(c, refusalOf(new RequestError(405, 'METHOD_NOT_ALLOWED', message, { allow })));
}

/** The server of the facade, without its calls. */
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
    const message = `Nothing is at this path.${hint}`;
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
