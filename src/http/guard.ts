import type { IncomingMessage, ServerResponse } from 'node:http';
import { createHeaders } from './headers.ts';

/** A way in: `fetch` answers requests, `listener` those of node:http. */
export interface Handler {
  fetch(request: Request): Promise<Response>;
  listener(request: IncomingMessage, response: ServerResponse): void;
}

/** The same way in, whose answers carry the headers that protect them. */
export function guarded({ fetch, listener }: Handler, corsOrigins: readonly string[]): Handler {
  const headersFor = createHeaders(corsOrigins);
  return {
    async fetch(request) {
      const header = (name: string) => request.headers.get(name) ?? undefined;
      const { headers, isPreflight } = headersFor({
        method: request.method,
        origin: header('origin'),
        requestedMethod: header('access-control-request-method'),
        requestedHeaders: header('access-control-request-headers'),
      });
      const response = isPreflight ? new Response(null, { status: 204 }) : await fetch(request);
      for (const [name, value] of Object.entries(headers)) {
        if (!response.headers.has(name)) response.headers.set(name, value);
      }
      return response;
    },
    listener(request, response) {
      const { headers, isPreflight } = headersFor({
        method: request.method,
        origin: request.headers.origin,
        requestedMethod: request.headers['access-control-request-method'],
        requestedHeaders: request.headers['access-control-request-headers'],
      });
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      if (isPreflight) response.writeHead(204).end();
      else listener(request, response);
    },
  };
}
