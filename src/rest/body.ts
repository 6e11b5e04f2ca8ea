import type { Context, MiddlewareHandler } from 'hono';
import {
  assertExact,
  assertJson,
  BodyError,
  decodeText,
  dropMs,
  excessIn,
  isPercentEncoded,
  maxBodyBytes,
  maxDroppedBytes,
} from '../http/body.ts';
import { RequestError } from './errors.ts';

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
async function readWhole(body: ReadableStream<Uint8Array>, onChunk?: () => void): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    onChunk?.();
    length += chunk.byteLength;
    if (length > maxBodyBytes + maxDroppedBytes) break;
    if (length <= maxBodyBytes) chunks.push(chunk);
  }
  return length > maxBodyBytes ? tooLarge() : Buffer.concat(chunks);
}

async function readText(c: Context, body: ReadableStream<Uint8Array>): Promise<string> {
  const bytes = await readWhole(body);
  // A request without a body can have any content type.
  if (bytes.length === 0) return '';
  assertJson(c.req.header('content-type'), c.req.header('content-encoding'));
  const text = decodeText(bytes);
  const excess = excessIn(text);
  if (excess !== undefined) tooLarge(excess);
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
export const readBody: MiddlewareHandler = async (c, next) => {
  const { url, method, body } = c.req.raw;
  if (['GET', 'HEAD', 'OPTIONS'].includes(method) || body === null) return next();
  const text = await readText(c, body).catch(throwBodyError);
  const headers = new Headers(c.req.raw.headers);
  // The validator does not understand all parameters that `assertJson` does.
  if (text !== '') headers.set('content-type', 'application/json');
  c.req.raw = new Request(url, { method, headers, ...(text !== '' && { body: text }) });
  return next();
};

/** Discards an unread body: a client whose connection closes while it sends may lose the response. */
export const receiveRest: MiddlewareHandler = async (c, next) => {
  const request = c.req.raw;
  await next();
  if (['GET', 'HEAD'].includes(request.method) || request.body === null || request.bodyUsed) return;
  const { body } = request;
  const isDropped = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => resolve(false), dropMs).unref();
    const drop = () => resolve(true);
    readWhole(body, () => timer.refresh()).then(drop, drop);
  });
  if (!isDropped) c.res.headers.set('connection', 'close');
};
