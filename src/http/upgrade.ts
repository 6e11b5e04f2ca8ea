import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';

/** Handles the upgrade requests of a server of node:http. `head` holds the bytes after the request. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

/** Returns whether a request is a WebSocket handshake. */
export function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

/** Returns a header line without the request for an upgrade; undefined if nothing remains. */
function withoutUpgrade(name: string, value: string): string | undefined {
  if (/^(upgrade|http2-settings)$/i.test(name)) return undefined;
  if (!/^connection$/i.test(name)) return `${name}: ${value}`;
  const kept = value.split(',').filter((token) => !/^\s*(upgrade|http2-settings)\s*$/i.test(token));
  return kept.length === 0 ? undefined : `${name}: ${kept.join(',')}`;
}

/**
 * Serves a request as if it had not requested an upgrade. Node.js passes every upgrade request to the listener, but
 * clients such as that of Java request HTTP/2 in ordinary requests, and expect an ordinary response.
 */
export function ignoreUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request;
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const line = withoutUpgrade(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
    if (line !== undefined) lines.push(line);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit('connection', socket);
}

/**
 * Returns whether scripts of an origin can open a WebSocket: those of the host itself, and of the allowed origins.
 * Browsers let a script connect to any host, and only programs that are no browser send no origin.
 */
export function canConnect(
  { origin, host }: IncomingMessage['headers'],
  allowed: readonly string[],
): boolean {
  if (origin === undefined || allowed.includes(origin)) return true;
  try {
    // The scheme of the origin decides whether the port of the host is the default one.
    return new URL(`${new URL(origin).protocol}//${host}`).origin === origin;
  } catch {
    return false;
  }
}
