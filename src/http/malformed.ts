import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** What is wrong, for clients of GraphQL and of the REST facade. */
function bodyOf(message: string): string {
  return JSON.stringify({ message, errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] });
}

/** Whether a request is to a URL; those behind this would fail over one that is none. */
export function isToUrl({ url = '', headers: { host = '' } }: IncomingMessage): boolean {
  const target = url.startsWith('/') ? `http://${host}${url}` : url;
  return host !== '' && URL.canParse(`http://${host}`) && /^https?:/i.test(target) && URL.canParse(target);
}

export function refuseTarget(response: ServerResponse): void {
  const message = 'The target and the host of the request make no URL.';
  response.writeHead(400, { 'content-type': 'application/json' }).end(bodyOf(message));
}

const refusals: Record<string, [status: string, message: string]> = {
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request did not come to its end in time.'],
};

/** Answers what is not HTTP, or not to its end, before a request is made of it; Node's own answer would be empty. */
export function answerMalformed(error: NodeJS.ErrnoException, socket: Duplex): void {
  const written = 'bytesWritten' in socket ? Number(socket.bytesWritten) : 0;
  // Behind an answer that has begun, another would be taken for its rest.
  if (!socket.writable || written > 0) {
    socket.destroy();
    return;
  }
  const [status, message] = refusals[error.code ?? ''] ?? [
    '400 Bad Request',
    'This is not a request of HTTP.',
  ];
  const body = bodyOf(message);
  const headers = ['content-type: application/json', `content-length: ${body.length}`, 'connection: close'];
  socket.end(`HTTP/1.1 ${[status, ...headers].join('\r\n')}\r\n\r\n${body}`);
}
