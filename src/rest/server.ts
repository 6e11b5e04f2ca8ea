import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { excessIn, maxBodyBytes, requestIdFrom } from '../http/request.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import { logRequest } from '../observe/log.ts';
import { refuse } from './answer.ts';
import { RequestError, refusalOf } from './errors.ts';
import type { Rest, RestContext, RestEnv, RestOptions } from './route.ts';

/**
 * The path as it was sent, for ids may hold `%2F`: its parts are decoded once they are known. Ruby's client writes a
 * space as `+` and a plus as `%2B`; a plus at either end of a part is one, for no id begins or ends with a space.
 */
function pathOf({ url }: Request): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] || '/';
  return path.replaceAll(/(?<=[^/+])\+(?=[^/+])/g, '%20');
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

function tooLarge(message = `The body must not be larger than ${maxBodyBytes} bytes.`): never {
  throw new RequestError(413, 'PAYLOAD_TOO_LARGE', message);
}

function brokenOff(error: unknown): never {
  if (error instanceof RequestError) throw error;
  throw new RequestError(400, 'BAD_REQUEST', 'The body broke off before its end.');
}

/** Reads a body without a declared length, giving up as soon as it is too large. */
async function readWhole(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.byteLength;
    if (length > maxBodyBytes) tooLarge();
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

/** Refuses a body by its declared length, which the HTTP parser enforces, one that has none by counting, and by its structure. */
const limited: MiddlewareHandler<RestEnv> = async (c, next) => {
  const declared = c.req.header('content-length');
  if (Number(declared ?? 0) > maxBodyBytes) tooLarge();
  if (declared === undefined && c.req.method !== 'GET' && c.req.raw.body !== null) {
    const { url, method, headers, body } = c.req.raw;
    c.req.raw = new Request(url, { method, headers, body: await readWhole(body).catch(brokenOff) });
  }
  const excess = c.req.raw.body === null ? undefined : excessIn(await c.req.text().catch(brokenOff));
  if (excess !== undefined) tooLarge(excess);
  return next();
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
  rest.use(named);
  rest.use(async (c, next) => {
    c.set('options', options);
    await next();
  });
  if (options.log.isLevelEnabled('debug')) rest.use(logged);
  rest.use(methodNotAllowed({ app: rest, onMethodNotAllowed: methodRefusal }));
  rest.use(limited);
  rest.notFound((c) => {
    const message = 'Nothing is at this path; /openapi.json lists those there are.';
    return refuse(c, refusalOf(new RequestError(404, 'UNKNOWN_PATH', message)));
  });
  rest.onError((error, c) => {
    const refusal = refusalOf(error);
    if (refusal.code === 'INTERNAL_SERVER_ERROR') {
      const { requestId } = c.var;
      options.log.error({ err: error, requestId }, 'a request failed of a bug');
    }
    return refuse(c, refusal);
  });
  return rest;
}
