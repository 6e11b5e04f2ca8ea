import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { MiddlewareHandler } from 'hono';
import {
  assertExact,
  assertJson,
  BodyError,
  bodyOf,
  decodeText,
  dropRest,
  excessIn,
  isPercentEncoded,
} from '../http/body.ts';
import { RequestError } from './errors.ts';

function throwBodyError(error: unknown): never {
  if (!(error instanceof BodyError)) throw error;
  const codes = { 400: 'BAD_REQUEST', 413: 'PAYLOAD_TOO_LARGE', 415: 'UNSUPPORTED_MEDIA_TYPE' } as const;
  throw new RequestError(error.status, codes[error.status], error.message);
}

interface OfNode {
  Bindings: HttpBindings;
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const bytes = await bodyOf(incoming)();
  // A request without a body can have any content type.
  if (bytes.length === 0) return '';
  const { headers } = incoming;
  assertJson(headers['content-type'], headers['content-encoding']);
  const text = decodeText(bytes);
  const excess = excessIn(text);
  if (excess !== undefined) throw new BodyError(413, excess);
  assertExact(text);
  return text;
}

/** Rejects a URL whose percent-encoding is broken or not UTF-8: decoded leniently, it could name something else. */
export const checkUrl: MiddlewareHandler = (c, next) => {
  if (isPercentEncoded(c.req.url)) return next();
  const message = 'The URL is not UTF-8 in percent-encoding. Send `%` as `%25`.';
  throw new RequestError(400, 'BAD_REQUEST', message);
};

/** Rejects a body that is too large, not declared as JSON, or not UTF-8. Passes the text on. */
export const readBody: MiddlewareHandler<OfNode> = async (c, next) => {
  if (['GET', 'HEAD', 'OPTIONS'].includes(c.req.method)) return next();
  const { incoming } = c.env;
  const text = await readText(incoming).catch(throwBodyError);
  const type = 'application/json';
  // The validator does not understand all parameters that `assertJson` does.
  if (text !== '' && incoming.headers['content-type'] !== type) c.req.raw.headers.set('content-type', type);
  // Hono's own way through a Request of the web costs more than the rest of the facade.
  c.req.bodyCache.text = Promise.resolve(text) as never;
  return next();
};

/** Discards an unread body: a client whose connection closes while it sends may lose the response. */
export const receiveRest: MiddlewareHandler<OfNode> = async (c, next) => {
  await next();
  const { incoming } = c.env;
  if (!incoming.complete && !(await dropRest(incoming))) c.res.headers.set('connection', 'close');
};
