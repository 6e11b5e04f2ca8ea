import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Viewer } from '../ctx.ts';
import { logRequest } from '../observe/log.ts';

interface ServerContext {
  requestId: string;
  caller?: { viewer: Viewer };
  beganAt?: number;
  codes?: string[];
}

/** Logs a line for each request. */
export function useRequestLog(log: Logger): Plugin<object, ServerContext> {
  return {
    onRequest({ serverContext }) {
      (serverContext as ServerContext).beganAt = performance.now();
    },
    onResultProcess({ result, serverContext }) {
      if (isAsyncIterable(result) || Array.isArray(result)) return;
      const errors = result.errors ?? [];
      (serverContext as ServerContext).codes = errors.map(({ extensions }) => String(extensions.code));
    },
    onResponse({ request, response, serverContext }) {
      const { requestId, caller, beganAt = 0, codes } = serverContext as ServerContext;
      const { method } = request;
      logRequest(log, { requestId, method, status: response.status, viewer: caller?.viewer, codes, beganAt });
    },
  };
}
