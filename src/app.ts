import type { Logger } from 'pino';
import { createContext } from './context.ts';
import { type Connection, type Database, openDatabase } from './db/client.ts';
import type { GraphiqlOptions } from './graphql/graphiql.ts';
import type { DocumentOptions } from './graphql/manifest.ts';
import { createGraphqlServer } from './graphql/server.ts';
import { forgetExpired } from './idempotency/clean-up.ts';
import type { Tracing } from './observe/trace.ts';
import { buildSchema } from './schema.ts';
import { createAuthenticator } from './tenant/authenticate.ts';
import type { VerifyJwt } from './tenant/jwt.ts';
import { createUseLog } from './tenant/use.ts';

export interface AppOptions {
  connection: Connection;
  poolSize: number;
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

/** Puts the service together: `fetch` answers requests, `listener` those of node:http. */
export function createApp({
  connection,
  poolSize,
  log,
  graphiql,
  documents,
  tracing,
  verifyJwt,
}: AppOptions) {
  const pool = openDatabase({ connection, poolSize });
  const database = tracing?.database(pool) ?? pool;
  const endCleanUp = startCleanUp(database, log);
  const uses = createUseLog(database, log);
  const authenticate = createAuthenticator({ database, noteUse: uses.note, verifyJwt });
  const server = createGraphqlServer({
    buildSchema,
    log,
    graphiql,
    documents,
    tracing,
    authenticate,
    createContext: (caller) => createContext({ ...caller, database, log }),
  });
  return {
    listener: tracing?.listener(server.listener) ?? server.listener,
    fetch: tracing?.fetch(server.fetch) ?? server.fetch,
    database,
    async close(): Promise<void> {
      await Promise.all([endCleanUp(), uses.close()]);
      await database.close();
    },
  };
}
