import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHeaders } from './headers.ts';

/** Answers requests of a server of node:http. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Adds the protective headers to every response, and answers CORS preflights. */
export function guarded(listener: Listener, corsOrigins: readonly string[]): Listener {
  const headersFor = createHeaders(corsOrigins);
  return (request, response) => {
    const { headers, isPreflight } = headersFor({
      method: request.method,
      origin: request.headers.origin,
      requestedMethod: request.headers['access-control-request-method'],
      requestedHeaders: request.headers['access-control-request-headers'],
    });
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (isPreflight) response.writeHead(204).end();
    else listener(request, response);
  };
}
