import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** The body of a refusal, readable by GraphQL and REST clients. */
function bodyOf(message: string, status = 400): string {
  const code = status >= 500 ? 'INTERNAL_SERVER_ERROR' : 'BAD_REQUEST';
  return JSON.stringify({ message, errors: [{ message, extensions: { code } }] });
}

function isHost(host: string): boolean {
  return host !== '' && URL.canParse(`http://${host}`);
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
  const isTarget = target.startsWith('/') && URL.canParse(`http://localhost${target}`);
  return isTarget && isHost(headers.host ?? '') ? undefined : 'The target and the host must make a URL.';
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

/** Answers input that is not a complete HTTP request. Node's own response would be empty. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  const written = 'bytesWritten' in socket ? Number(socket.bytesWritten) : 0;
  // After a response has begun, another would look like its rest.
  if (!socket.writable || written > 0) {
    socket.destroy();
    return;
  }
  const [status, message] = refusals[error.code ?? ''] ?? ['400 Bad Request', 'This is not an HTTP request.'];
  const body = bodyOf(message);
  const headers = ['content-type: application/json', `content-length: ${body.length}`, 'connection: close'];
  socket.end(`HTTP/1.1 ${[status, ...headers].join('\r\n')}\r\n\r\n${body}`);
}
