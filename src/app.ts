import type { KeyObject } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { createAuthenticator } from './auth/authenticate.ts';
import type { VerifyJwt } from './auth/jwt.ts';
import { createSessions } from './auth/session-token.ts';
import { createContext, createPoolShares } from './context.ts';
import type { Caller, Selects } from './ctx.ts';
import { type Database, type DatabaseOptions, openDatabase } from './db/client.ts';
import { createFeed } from './history/feed.ts';
import { createBudgets } from './http/budget.ts';
import { withDeadline } from './http/deadline.ts';
import { guarded, type Listener } from './http/guard.ts';
import { createLanes, type RunOperation } from './http/lanes.ts';
import { normaliseTarget, refuse } from './http/malformed.ts';
import { createRequestBatcher } from './lib/request-batching.ts';
import { createHealth } from './observe/health.ts';
import type { Metrics } from './observe/metrics.ts';
import type { Tracing } from './observe/trace.ts';
import type { GraphiqlOptions } from './pipeline/graphiql.ts';
import { createGraphqlListener, endpoint } from './pipeline/listener.ts';
import type { DocumentOptions } from './pipeline/manifest.ts';
import { createRouter } from './router.ts';
import { buildSchema } from './schema.ts';
import { createUseLog } from './tenant/last-used.ts';
import { forgetExpired } from './writing/expiry.ts';

export interface AppOptions extends DatabaseOptions {
  log: Logger;
  /** undefined: no GraphiQL. */
  graphiql: GraphiqlOptions | undefined;
  documents: DocumentOptions;
  /** undefined: JWTs are not taken. */
  verifyJwt?: VerifyJwt | undefined;
  /** The keys of session tokens: the first one signs, and all verify. Empty: there are no session tokens. */
  sessionKeys: readonly KeyObject[];
  /** undefined: nothing is traced. */
  tracing: Tracing | undefined;
  /** undefined: nothing is counted. */
  metrics?: Metrics | undefined;
  /** Whether clients may ask for the schema, and messages suggest names of it. */
  exposesSchema: boolean;
  /** Whether `/docs` and `/openapi.json` are served. */
  restDocs: boolean;
  operationTimeoutMs: number;
  /** What one key may spend in a minute; 0: as much as it will. */
  costPerMinute: number;
  /** The origins whose scripts may send requests. */
  corsOrigins: readonly string[];
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

/** Whether GraphQL answers a path; everything else is for the REST facade. */
function isGraphql(url: string): boolean {
  const path = url.replace(/[?#].*$/s, '');
  return path === '/' || path === endpoint || path.startsWith(`${endpoint}/`);
}

const internalMessage = 'Internal error. Report the request, and when it was sent.';

type Fail = (response: ServerResponse) => (error: unknown) => void;

/** Logs what fails outside of an operation, and answers without a word of it. */
function createFail(log: Logger): Fail {
  return (response) => (error) => {
    log.error({ err: error }, 'Unexpected error while handling a request');
    refuse(response, 500, internalMessage);
  };
}

/** Answers every request: GraphQL at its path, and the REST facade at every other. */
function routed(
  graphql: (...args: Parameters<Listener>) => Promise<void>,
  rest: (request: Request) => Response | Promise<Response>,
  metrics: Metrics | undefined,
  fail: Fail,
): Listener {
  const toRest = getRequestListener(rest, {
    overrideGlobalObjects: false,
    errorHandler(error) {
      throw error;
    },
  });
  const toGraphql: Listener = (request, response) => void graphql(request, response).catch(fail(response));
  const restListener: Listener = (request, response) => void toRest(request, response).catch(fail(response));
  const onGraphql = metrics?.listener('graphql', toGraphql) ?? toGraphql;
  const onRest = metrics?.listener('rest', restListener) ?? restListener;
  return (request, response) => (isGraphql(request.url ?? '') ? onGraphql : onRest)(request, response);
}

function failingSafely(listener: Listener, fail: Fail): Listener {
  return (request, response) => {
    try {
      listener(request, response);
    } catch (error) {
      fail(response)(error);
    }
  };
}

/** Refuses malformed requests before anything reads them. */
function wellFormed(listener: Listener): Listener {
  return (request, response) => {
    const problem = normaliseTarget(request);
    if (problem === undefined) listener(request, response);
    else refuse(response, 400, problem);
  };
}

/** Requests with one token that are read and run at a time, for each connection of the database. */
const runningPerConnection = 20;
/** Requests with one token, and operations of one tenant, that may wait beside those that run. */
const maxWaiting = 2000;

/** Runs operations beside those of other tenants, each in bounded time. */
function createRunOperation({ poolSize, operationTimeoutMs }: AppOptions): RunOperation {
  // A large page for each connection, or some thirty small operations, which share statements: in place of four of any kind,
  // a tenth more look-ups go through at 1,024 connections.
  const inLane = createLanes<number>({ width: 3000 * poolSize, maxWaiting });
  return ({ caller: { viewer, cancel }, cost, arrivedAt }, work) =>
    withDeadline({ timeoutMs: operationTimeoutMs, since: arrivedAt }, cancel, () =>
      inLane(viewer.tenant.id, cost, work),
    );
}

/** Logs when the disk of the database begins to fail, and when it works again. */
function logDisk(log: Logger): DatabaseOptions['onDisk'] {
  return (error) => {
    if (error === undefined) log.info("The database's disk works again.");
    else if (error.reason === 'DISK_FULL')
      log.error({ err: error }, "The database's disk is full: writes fail.");
    else log.error({ err: error }, 'The database cannot read or write its disk.');
  };
}

/** Puts the service together: `listener` answers the requests of a server of node:http. */
export function createApp(options: AppOptions) {
  const { log, tracing, metrics, verifyJwt } = options;
  const pool = openDatabase({ ...options, onDisk: logDisk(log) });
  metrics?.watch(pool);
  const database = tracing?.database(pool) ?? pool;
  const health = createHealth(pool);
  const feed = createFeed({ database: pool, log });
  const endCleanUp = startCleanUp(database, log);
  const uses = createUseLog(database, log);
  const shares = createPoolShares(options.poolSize);
  const parts = { database, batcher: createRequestBatcher(), log, feed, shares };
  const { issue: issueSession, verify: verifySession } = createSessions(database, options.sessionKeys);
  const callers = {
    log,
    authenticate: createAuthenticator({ database, noteUse: uses.note, verifyJwt, verifySession }),
    issueSession,
    createContext: (caller: Caller, selects: Selects) => createContext(parts, caller, selects),
    spend: options.costPerMinute === 0 ? undefined : createBudgets(options.costPerMinute),
    runOperation: createRunOperation(options),
    restDocs: options.restDocs,
    inTurn: createLanes<string>({ width: runningPerConnection * options.poolSize, maxWaiting }),
  };
  const graphql = createGraphqlListener({ ...options, ...callers, buildSchema });
  const fail = createFail(log);
  const listener = routed(graphql, createRouter(callers).fetch, metrics, fail);
  const observed = health.listener(tracing?.listener(listener) ?? listener);
  return {
    listener: failingSafely(guarded(wellFormed(observed), options.corsOrigins), fail),
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
