import { isAsyncIterable, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Viewer } from '../ctx.ts';

interface ServerContext {
  requestId: string;
  caller?: { viewer: Viewer };
  beganAt?: number;
  codes?: string[];
}

/**
 * Logs a line for each request: who sent it, how it ended, how long it took. Nothing of what it says, neither of its
 * address nor of its body. A line costs as much as a tenth of a small request, so it is one for debugging.
 */
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
      const viewer = caller?.viewer;
      const ms = Math.round((performance.now() - beganAt) * 1000) / 1000;
      const key = viewer && { tenant: viewer.tenant.id, actor: viewer.actor };
      log.debug(
        { requestId, method: request.method, status: response.status, ...key, codes, ms },
        'answered a request',
      );
    },
  };
}
