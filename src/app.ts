import type { KeyObject } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { createAuthenticator } from './auth/authenticate.ts';
import type { VerifyJwt } from './auth/jwt.ts';
import { createNewestTenants } from './auth/newest-tenants.ts';
import { createSessions } from './auth/session-token.ts';
import { createBackground, createContext, createInDryRun, createPoolShares } from './context.ts';
import type { Caller, Selects } from './ctx.ts';
import { type Database, type DatabaseOptions, openDatabase } from './db/client.ts';
import { findBacklog, findDeliveryStatus, forgetAttempts } from './delivery/backlog.ts';
import { type Deliverer, startDeliverer } from './delivery/deliverer.ts';
import type { Schedule } from './delivery/schedule.ts';
import { createWebhookTools, type WebhookToolsOptions } from './delivery/tools.ts';
import { createAppend } from './feed/append.ts';
import { createLiveFeed } from './feed/live.ts';
import { createBudgets } from './http/budget.ts';
import { withDeadline } from './http/deadline.ts';
import { guarded, type Listener } from './http/guard.ts';
import { createLanes, type RunOperation } from './http/lanes.ts';
import { normaliseTarget, refuse, refuseUpgrade } from './http/malformed.ts';
import type { UpgradeListener } from './http/upgrade.ts';
import { createRequestBatcher } from './lib/request-batching.ts';
import { createHealth } from './observe/health.ts';
import type { Metrics } from './observe/metrics.ts';
import type { Tracing } from './observe/trace.ts';
import type { GraphiqlOptions } from './pipeline/graphiql.ts';
import { createGraphqlTransports, endpoint } from './pipeline/listener.ts';
import type { DocumentOptions } from './pipeline/manifest.ts';
import { createRouter } from './router.ts';
import { buildSchema } from './schema.ts';
import { createUseLog } from './tenant/last-used.ts';
import { forgetExpired } from './writing/expiry.ts';

export type WebhookOptions = Pick<WebhookToolsOptions, 'keys' | 'allowPrivateTargets'> & {
  schedule: Schedule;
};

export interface AppOptions extends DatabaseOptions {
  log: Logger;
  /** Undefined if GraphiQL is off. */
  graphiql: GraphiqlOptions | undefined;
  documents: DocumentOptions;
  /** Undefined if JWTs are not accepted. */
  verifyJwt?: VerifyJwt | undefined;
  /** Keys of session tokens: the first key signs, all keys verify. Empty if there are no session tokens. */
  sessionKeys: readonly KeyObject[];
  /** Undefined if tracing is off. */
  tracing: Tracing | undefined;
  /** Undefined if metrics are off. */
  metrics?: Metrics | undefined;
  /** Whether introspection works and error messages suggest names of the schema. */
  exposesSchema: boolean;
  /** Whether to serve `/docs` and `/openapi.json`. */
  restDocs: boolean;
  webhooks: WebhookOptions;
  operationTimeoutMs: number;
  /** The cost that one key can spend per minute. 0 means no limit. */
  costPerMinute: number;
  /** Origins whose scripts can send requests. */
  corsOrigins: readonly string[];
}

const cleanUpEveryMs = 10 * 60 * 1000;

/** Deletes expired idempotency keys and old webhook attempts, now and periodically. Returns a function that stops it. */
function startCleanUp(database: Database, log: Logger): () => Promise<void> {
  const cleanUp = async () => {
    try {
      await forgetExpired(database);
      await forgetAttempts(database);
    } catch (error) {
      log.warn({ err: error }, 'Deleting expired rows failed');
    }
  };
  let running = cleanUp();
  const timer = setInterval(() => {
    running = cleanUp();
  }, cleanUpEveryMs).unref();
  return () => {
    clearInterval(timer);
    return running;
  };
}

/** Whether a URL belongs to GraphQL. REST serves all others. */
function isGraphql(url: string): boolean {
  const path = url.replace(/[?#].*$/s, '');
  return path === '/' || path === endpoint || path.startsWith(`${endpoint}/`);
}

const internalMessage = 'Internal error. Report the request and the time you sent it.';

type Fail = (response: ServerResponse) => (error: unknown) => void;

/** Logs errors that occur outside of an operation. The response has no details. */
function createFail(log: Logger): Fail {
  return (response) => (error) => {
    log.error({ err: error }, 'Unexpected error while handling a request');
    refuse(response, 500, internalMessage);
  };
}

/** Routes requests to GraphQL or REST by their path. */
function routed(
  graphql: (...args: Parameters<Listener>) => Promise<void>,
  rest: (request: Request) => Response | Promise<Response>,
  metrics: Metrics | undefined,
  fail: Fail,
): Listener {
  // This replaces the global Request and Response: results of `fetch` are no instances of them any more.
  const toRest = getRequestListener(rest, {
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

function catchErrors(listener: Listener, fail: Fail): Listener {
  return (request, response) => {
    try {
      listener(request, response);
    } catch (error) {
      fail(response)(error);
    }
  };
}

/** Rejects malformed requests before anything else reads them. */
function rejectMalformed(listener: Listener): Listener {
  return (request, response) => {
    const problem = normaliseTarget(request);
    if (problem === undefined) listener(request, response);
    else refuse(response, 400, problem);
  };
}

/** Rejects malformed handshakes, and logs unexpected errors. */
function safeUpgrade(upgrade: UpgradeListener, log: Logger): UpgradeListener {
  return (request, socket, head) => {
    try {
      const problem = normaliseTarget(request);
      if (problem === undefined) upgrade(request, socket, head);
      else refuseUpgrade(socket, 400, problem);
    } catch (error) {
      log.error({ err: error }, 'Unexpected error while opening a WebSocket');
      socket.destroy();
    }
  };
}

/** Concurrent requests of one token, for each database connection. */
const runningPerConnection = 20;
/** How many requests of one token, and operations of one tenant, can wait for the running ones. */
const maxWaiting = 2000;
/** Batches of equal requests of a tenant that run at the same time. A request that finds them all running waits. */
const batchesAtOnce = 3;

/** Runs each operation in its tenant's lane, with a timeout. Calls `onWrite` after those that can write. */
function createRunOperation({ poolSize, operationTimeoutMs }: AppOptions, onWrite: () => void): RunOperation {
  // One large page for each connection, or many small operations, which share statements.
  const inLane = createLanes<number>({ width: 3000 * poolSize, maxWaiting });
  const run: RunOperation = ({ caller: { viewer, cancel }, cost, arrivedAt }, work) =>
    withDeadline({ timeoutMs: operationTimeoutMs, since: arrivedAt }, cancel, () =>
      inLane(viewer.tenant.id, cost, work),
    );
  return (operation, work) => {
    const result = run(operation, work);
    if (operation.canWrite) void Promise.resolve(result).then(onWrite, onWrite);
    return result;
  };
}

/** Logs when the database's disk starts to fail, and when it recovers. */
function logDisk(log: Logger): DatabaseOptions['onDisk'] {
  return (error) => {
    if (error === undefined) log.info("The database's disk works again.");
    else if (error.reason === 'DISK_FULL')
      log.error({ err: error }, "The database's disk is full: writes fail.");
    else log.error({ err: error }, 'The database cannot read or write its disk.');
  };
}

/** Assembles the service. `listener` handles the requests of a node:http server, and `upgrade` its WebSockets. */
export function createApp(options: AppOptions) {
  const { log, tracing, metrics, verifyJwt } = options;
  const pool = openDatabase({ ...options, onDisk: logDisk(log) });
  metrics?.watch(pool);
  const database = tracing?.database(pool) ?? pool;
  const health = createHealth(pool, () => findDeliveryStatus(pool));
  const append = createAppend(pool);
  const live = createLiveFeed({ database: pool, log, append });
  // Changes that an earlier version or a killed replica has left.
  live.noteWrite();
  const endCleanUp = startCleanUp(database, log);
  const useLog = createUseLog(database, log);
  const shares = createPoolShares(options.poolSize);
  const tools = createWebhookTools({ ...options, ...options.webhooks });
  const deliverer: Deliverer | undefined =
    tools &&
    startDeliverer({
      ...{ database: pool, log, append },
      tools: tools.forDelivery,
      schedule: options.webhooks.schedule,
      onAttempt: metrics?.countAttempt,
    });
  metrics?.watchBacklog(() => findBacklog(pool));
  const onWrite = () => {
    live.noteWrite();
    deliverer?.noteWrite();
  };
  const feed = { append, live };
  const batcher = createRequestBatcher(batchesAtOnce);
  const background = createBackground(database, log);
  const { note: noteTenant, newest: newestTenant } = createNewestTenants();
  const webhooks = tools?.forRequests;
  const parts = { database, batcher, log, feed, shares, background, noteTenant, webhooks };
  const { issue: issueSession, verify: verifySession } = createSessions(database, options.sessionKeys);
  const tokens = { noteUse: useLog.note, verifyJwt, verifySession, newestTenant };
  const callers = {
    log,
    authenticate: createAuthenticator({ database, ...tokens }),
    issueSession,
    createContext: (caller: Caller, selects: Selects) => createContext(parts, caller, selects),
    inDryRun: createInDryRun(parts),
    spend: options.costPerMinute === 0 ? undefined : createBudgets(options.costPerMinute),
    runOperation: createRunOperation(options, onWrite),
    restDocs: options.restDocs,
    inTurn: createLanes<string>({ width: runningPerConnection * options.poolSize, maxWaiting }),
  };
  const { listener: graphql, sockets } = createGraphqlTransports({ ...options, ...callers, buildSchema });
  const fail = createFail(log);
  const listener = routed(graphql, createRouter(callers).fetch, metrics, fail);
  const observed = health.listener(tracing?.listener(listener) ?? listener);
  return {
    listener: catchErrors(guarded(rejectMalformed(observed), options.corsOrigins), fail),
    upgrade: safeUpgrade(sockets.upgrade, log),
    database,
    /**
     * Makes readiness fail while the service keeps serving. Each response closes its connection, and new WebSockets are
     * refused.
     */
    drain(): void {
      health.drain();
      sockets.drain();
    },
    /** Completes all subscriptions and rejects new ones. */
    endSubscriptions: live.close,
    /** Closes each WebSocket when its operations have ended. */
    closeSockets: sockets.close,
    /** Closes all WebSockets immediately. */
    terminateSockets: sockets.terminate,
    async close(): Promise<void> {
      live.close();
      sockets.terminate();
      tools?.closeTests();
      await Promise.all([endCleanUp(), useLog.close(), deliverer?.close(), background.close()]);
      await database.close();
    },
  };
}
