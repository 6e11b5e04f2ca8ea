import { OpenAPIHono } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { compress } from '../http/compression.ts';
import { requestIdFrom } from '../http/request.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import { logRequest } from '../observe/log.ts';
import { refuse } from './answer.ts';
import { receiveRest } from './body.ts';
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
  rest.use(receiveRest);
  rest.use(compressed);
  rest.use(named);
  rest.use(async (c, next) => {
    c.set('options', options);
    await next();
  });
  if (options.log.isLevelEnabled('debug')) rest.use(logged);
  rest.use(methodNotAllowed({ app: rest, onMethodNotAllowed: methodRefusal }));
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
