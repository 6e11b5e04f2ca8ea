import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerOptions,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { ignoreUpgrade, isWebSocket, type UpgradeListener } from './upgrade.ts';

const codes: Record<number, string> = {
  403: 'FORBIDDEN',
  500: 'INTERNAL_SERVER_ERROR',
  503: 'SERVICE_UNAVAILABLE',
};

/** The body of a refusal, readable by GraphQL and REST clients. */
function bodyOf(message: string, status = 400): string {
  const code = codes[status] ?? 'BAD_REQUEST';
  return JSON.stringify({ message, errors: [{ message, extensions: { code } }] });
}

/** Returns a host in the spelling of URLs; undefined for an invalid one. Excludes user names and escapes. */
function hostOf(host: string): string | undefined {
  if (!/^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d*)?$/i.test(host)) return undefined;
  try {
    return new URL(`http://${host}`).host;
  } catch {
    return undefined;
  }
}

/** Headers that must be sent once: a proxy and this service may read different ones. */
const onlyOnce = ['host', 'authorization'];

function comesTwice({ rawHeaders }: IncomingMessage): string | undefined {
  return onlyOnce.find((name) => {
    let count = 0;
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const given = rawHeaders[at] ?? '';
      if (given.length === name.length && given.toLowerCase() === name) count += 1;
    }
    return count > 1;
  });
}

/**
 * Rewrites the target of a request to origin form (a path with a query string), which the rest of the service expects.
 * Returns why the request is refused; undefined if it is well-formed.
 */
export function normaliseTarget(request: IncomingMessage): string | undefined {
  const { url = '', headers } = request;
  const twice = comesTwice(request);
  if (twice !== undefined) return `The header \`${twice}\` must be sent once.`;
  const [, host, path] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(url) ?? [];
  if (host !== undefined && path !== undefined) {
    request.url = path.startsWith('/') ? path : `/${path}`;
    headers.host = host;
  }
  const target = request.url ?? '';
  const isPath = /^\/[^?\\]*(?:\?|$)/.test(target);
  const known = hostOf(headers.host ?? '');
  if (!isPath || known === undefined)
    return 'The target must be a path, and `Host` a host name with or without a port.';
  headers.host = known;
  return undefined;
}

/** Answers a request that is refused before either API reads it. */
export function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) return void response.destroy();
  const body = bodyOf(message, status);
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, headers).end(body);
}

const refusals: Record<string, [status: string, message: string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not arrive in time.'],
};

function endWith(socket: Duplex, status: string, body: string, more: readonly string[] = []): void {
  const length = `content-length: ${Buffer.byteLength(body)}`;
  const lines = [status, 'content-type: application/json', length, 'connection: close', ...more];
  socket.end(`HTTP/1.1 ${lines.join('\r\n')}\r\n\r\n${body}`);
}

function endSocket(socket: Duplex, status: string, message: string): void {
  const written = 'bytesWritten' in socket ? Number(socket.bytesWritten) : 0;
  // After a response has begun, another would look like its rest.
  if (!socket.writable || written > 0) socket.destroy();
  else endWith(socket, status, bodyOf(message));
}

/** Refuses a WebSocket handshake, and closes its connection. */
export function refuseUpgrade(socket: Duplex, status: number, message: string): void {
  // Node.js has removed its own listeners, and an error without a listener would end the process.
  socket.on('error', () => socket.destroy()).once('finish', () => socket.destroy());
  const version = status === 400 ? ['sec-websocket-version: 13'] : [];
  endWith(socket, `${status} ${STATUS_CODES[status]}`, bodyOf(message, status), version);
}

/**
 * Returns a server that answers all invalid requests with JSON. Node's own responses to them would be empty. `upgrade`
 * gets the WebSocket handshakes.
 */
export function createHttpServer(
  options: ServerOptions,
  listener: RequestListener,
  upgrade?: UpgradeListener,
): Server {
  // `normaliseTarget` refuses a request without `Host`.
  const server = createServer({ ...options, requireHostHeader: false }, listener)
    .on('clientError', ({ code = '' }: NodeJS.ErrnoException, socket) => {
      endSocket(socket, ...(refusals[code] ?? ['400 Bad Request', 'This is not an HTTP request.']));
    })
    .on('checkExpectation', (_, response) => {
      refuse(response, 417, 'The only supported value of `Expect` is `100-continue`.');
    })
    .on('connect', (_, socket) => {
      endSocket(socket, '405 Method Not Allowed', 'This service is not a proxy.');
    });
  if (upgrade === undefined) return server;
  return server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isWebSocket(request)) upgrade(request, socket, head);
    else ignoreUpgrade(server, request, socket, head);
  });
}
