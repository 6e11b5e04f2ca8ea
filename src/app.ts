import type { IncomingMessage, ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { createContext } from './context.ts';
import type { Caller, Selects } from './ctx.ts';
import { type Database, type DatabaseOptions, openDatabase } from './db/client.ts';
import type { GraphiqlOptions } from './graphql/graphiql.ts';
import type { DocumentOptions } from './graphql/manifest.ts';
import { createGraphqlServer, endpoint } from './graphql/server.ts';
import { createFeed } from './history/feed.ts';
import { forgetExpired } from './idempotency/clean-up.ts';
import { createHealth } from './observe/health.ts';
import type { Tracing } from './observe/trace.ts';
import { createRouter } from './router.ts';
import { buildSchema } from './schema.ts';
import { createAuthenticator } from './tenant/authenticate.ts';
import type { VerifyJwt } from './tenant/jwt.ts';
import { createUseLog } from './tenant/use.ts';

export interface AppOptions extends DatabaseOptions {
  log: Logger;
  /** undefined: no GraphiQL. */
  graphiql: GraphiqlOptions | undefined;
  documents: DocumentOptions;
  /** undefined: JWTs are not taken. */
  verifyJwt?: VerifyJwt | undefined;
  /** undefined: nothing is traced. */
  tracing: Tracing | undefined;
}

const cleanUpEveryMs = 10 * 60 * 1000;

/** Forgets expired idempotency keys now and from time to time. Answers how to end that. */
function startCleanUp(database: Database, log: Logger): () => Promise<void> {
  const cleanUp = () =>
    forgetExpired(database).catch((error: unknown) =>
      log.warn({ err: error }, 'old idempotency keys stay for now'),
    );
  let running = cleanUp();
  const timer = setInterval(() => {
    running = cleanUp();
  }, cleanUpEveryMs).unref();
  return () => {
    clearInterval(timer);
    return running;
  };
}

/** Whether GraphQL answers a URL; everything else is for the REST facade. */
function isGraphql(url: string): boolean {
  const path = url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '');
  return path === '' || path === '/' || path === endpoint || path.startsWith(`${endpoint}/`);
}

/** Puts the service together: `fetch` answers requests, `listener` those of node:http. */
export function createApp({ log, graphiql, documents, tracing, verifyJwt, ...options }: AppOptions) {
  const pool = openDatabase(options);
  const database = tracing?.database(pool) ?? pool;
  const health = createHealth(pool);
  const feed = createFeed({ database: pool, log });
  const endCleanUp = startCleanUp(database, log);
  const uses = createUseLog(database, log);
  const callers = {
    log,
    authenticate: createAuthenticator({ database, noteUse: uses.note, verifyJwt }),
    createContext: (request: Caller & { selects: Selects }) =>
      createContext({ ...request, database, log, feed }),
  };
  const graphql = createGraphqlServer({ ...callers, buildSchema, graphiql, documents, tracing });
  const rest = createRouter(callers);
  const restListener = getRequestListener(rest.fetch, { overrideGlobalObjects: false });
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    if (isGraphql(request.url ?? '')) graphql.listener(request, response);
    else void restListener(request, response);
  };
  const fetch = async (request: Request): Promise<Response> =>
    isGraphql(request.url) ? graphql.fetch(request) : rest.fetch(request);
  return {
    listener: health.listener(tracing?.listener(listener) ?? listener),
    fetch: health.fetch(tracing?.fetch(fetch) ?? fetch),
    database,
    /** Says that it is not ready, and goes on serving; each answer closes its connection. */
    drain: health.drain,
    /** Ends the answers that would go on for ever, each with its last event, and begins no more. */
    endSubscriptions: feed.close,
    async close(): Promise<void> {
      feed.close();
      await Promise.all([endCleanUp(), uses.close()]);
      await database.close();
    },
  };
}
