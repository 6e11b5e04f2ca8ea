import type { KeyObject } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { ensureSessionKeys, readSessionKeys } from '../auth/session-keys.ts';
import { type Config, readConfig } from '../config.ts';
import { type Connection, type Database, openDatabase } from '../db/client.ts';
import { applyMigrations } from '../db/migrate.ts';
import { startEmbedded } from '../embedded/postgres.ts';
import { answerMalformed } from '../http/malformed.ts';
import { StartupError } from '../lib/errors.ts';
import { isLoopback } from '../lib/loopback.ts';
import { createLog } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { readTrustedDocuments } from '../pipeline/manifest.ts';
import { databaseProblem, requireMigrated, requireStatementsKept, requireVersion } from './database.ts';
import { ensureDemo, revokeDemo } from './demo.ts';
import { exampleTabs } from './examples.ts';

/**
 * Requests under way may take this long once no more are taken. A person at a terminal waits less than 5 s in all; on
 * SIGTERM it is longer than a request may take, and the stop ends within 10 s.
 */
const finishMs = { SIGINT: 2000, SIGTERM: 5000 };
const poolPatienceMs = 500;

/**
 * How long a request may take to arrive: one that sends a byte now and then holds a connection for no longer. An idle
 * connection is kept for longer than most balancers and gateways do, a minute: a request of theirs never meets its end.
 */
const connections = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 75_000,
};

type StopSignal = keyof typeof finishMs;

interface Address {
  host: string;
  port: number;
  /** What the names of the two variables begin with. */
  prefix: '' | 'METRICS_';
}

/** @throws StartupError if the address cannot be listened on */
function listen(server: Server, { host, port, prefix }: Address): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const problems: Record<string, string> = {
        EADDRINUSE: `Port ${port} on ${host} is in use by another program: stop it, or choose another port with ${prefix}PORT.`,
        EADDRNOTAVAIL: `This machine has no address ${host}: choose another with ${prefix}HOST.`,
        EACCES: `Port ${port} may not be used by this user: choose another with ${prefix}PORT.`,
        ENOTFOUND: `The host ${host} is not known: choose another with ${prefix}HOST.`,
      };
      reject(
        new StartupError(problems[error.code ?? ''] ?? `Cannot listen on ${host}:${port}: ${error.message}.`),
      );
    });
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });
}

interface Storage {
  connection: Connection;
  /** The demo token, where there is one. */
  token: string | undefined;
  /** The session keys that the embedded database brings along, unless others are configured. */
  sessionKeys: readonly KeyObject[] | undefined;
  /** undefined: nothing can tell. */
  isDiskFull?: () => boolean;
  close(): Promise<void>;
}

/** Returns the token of the demo tenant, which exists only outside production, in the embedded database, on loopback. */
async function demoToken(config: Config, database: Database, log: Logger): Promise<string | undefined> {
  if (config.databaseUrl !== undefined) return undefined;
  if (!config.production && isLoopback(config.host)) return ensureDemo(database, config.dataDir, log);
  await revokeDemo(database, config.dataDir);
  return undefined;
}

async function prepare(config: Config, connection: Connection, log: Logger): Promise<string | undefined> {
  const database = openDatabase({ connection, poolSize: 2, prepare: config.database.prepare });
  try {
    await requireVersion(database, config);
    await requireStatementsKept(config, log);
    await (config.migrate ? applyMigrations : requireMigrated)(database);
    return await demoToken(config, database, log);
  } catch (error) {
    throw databaseProblem(error, config);
  } finally {
    await database.close();
  }
}

/** Opens the database, brings it up to date, and answers how to reach it. */
async function openStorage(config: Config, log: Logger): Promise<Storage> {
  if (config.databaseUrl !== undefined) {
    const connection = { url: config.databaseUrl };
    const token = await prepare(config, connection, log);
    return { connection, token, sessionKeys: undefined, close: () => Promise.resolve() };
  }
  const embedded = await startEmbedded({
    dataDir: config.dataDir,
    onNotice: (text) => log.warn(text),
    onExit: (reason) => log.error(reason),
  });
  try {
    const { connection, isDiskFull, stop } = embedded;
    const token = await prepare(config, connection, log);
    const sessionKeys = config.sessionKeys ? undefined : await ensureSessionKeys(config.dataDir);
    return { connection, token, sessionKeys, isDiskFull, close: stop };
  } catch (error) {
    await embedded.stop();
    throw error;
  }
}

interface Announced {
  url: string;
  metricsUrl: string | undefined;
  token: string | undefined;
  hasGraphiql: boolean;
}

function announce({ url, metricsUrl, token, hasGraphiql }: Announced): void {
  const body = JSON.stringify({ query: '{ viewer { tenant { name } } customer(id: "C1234qwd") { name } }' });
  const lines = [`accountgraph is ready.`, `  GraphQL   ${url}`];
  if (hasGraphiql) lines.push(`  GraphiQL  ${url} (in a browser)`);
  if (metricsUrl !== undefined) lines.push(`  Metrics   ${metricsUrl}`);
  if (token !== undefined) {
    lines.push(
      '  Try it:',
      `curl -s ${url} -H 'Authorization: Bearer ${token}' -H 'Content-Type: application/json' -d '${body}'`,
    );
  }
  console.log(lines.join('\n'));
}

/** Answers what is under way, for as long as there is patience for it, and takes no more. */
async function closeServer(server: Server, signal: StopSignal): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  // A connection that is kept alive would stay open after its answer.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => server.closeAllConnections(), finishMs[signal]);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

/** The log, and what sends spans; that takes a while to load, so only where there is a collector. */
async function openLog({ logLevel, collector }: Config) {
  if (collector === undefined) return { log: createLog(logLevel), traces: undefined };
  const { exportTraces } = await import('../observe/otlp.ts');
  const traces = exportTraces(collector, (error) => log.warn({ err: error }, 'spans were lost'));
  const log = createLog(logLevel, traces.tracing.ids);
  return { log, traces };
}

interface Counted {
  metrics: Metrics;
  address: Address;
  /** Answers whoever collects the numbers. */
  server: Server;
}

/** Counts where that is asked for; what does so takes a while to load. */
async function openMetrics({ metricsHost, metricsPort }: Config): Promise<Counted | undefined> {
  if (metricsPort === undefined) return undefined;
  const { createMetrics } = await import('../observe/metrics.ts');
  const metrics = createMetrics();
  const address: Address = { host: metricsHost, port: metricsPort, prefix: 'METRICS_' };
  return { metrics, address, server: createServer(connections, metrics.answer) };
}

/** Listens for requests and, where they are counted, for those who collect the numbers; answers where. */
async function listenAll(server: Server, config: Config, counted: Counted | undefined) {
  if (counted !== undefined) await listen(counted.server, counted.address);
  const { host } = config;
  const { port } = await listen(server, { host, port: config.port, prefix: '' });
  return { url: urlOf({ host, port }), metricsUrl: counted && `${urlOf(counted.address)}/metrics` };
}

function urlOf({ host, port }: Pick<Address, 'host' | 'port'>): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What requests may send in place of documents and keys. */
async function readTrust(config: Config, log: Logger) {
  const documents = {
    trusted: await readTrustedDocuments(config.trustedDocuments),
    trustedOnly: config.trustedDocumentsOnly,
  };
  const verifyJwt = config.jwt && (await (await import('../auth/jwt.ts')).createJwtVerifier(config.jwt, log));
  const { sessionKeys: keys } = config;
  const sessionKeys = keys && 'file' in keys ? await readSessionKeys(keys.file) : keys;
  return { documents, verifyJwt, sessionKeys };
}

/** Starts the service, and answers how to stop it. */
async function start(config: Config): Promise<(signal: StopSignal) => Promise<void>> {
  const { log, traces } = await openLog(config);
  const counted = await openMetrics(config);
  // The time that loading the GraphQL side takes is one in which PostgreSQL starts.
  const loading = Promise.all([import('../app.ts'), import('../pipeline/listener.ts')]);
  const trust = await readTrust(config, log);
  const storage = await openStorage(config, log);
  const [{ createApp }, { endpoint }] = await loading;
  const { connection, token, isDiskFull } = storage;
  const graphiql = !config.graphiql ? undefined : { tabs: exampleTabs, token };
  const observed = { log, tracing: traces?.tracing, metrics: counted?.metrics };
  const sessionKeys = trust.sessionKeys ?? storage.sessionKeys ?? [];
  const parts = { ...observed, ...trust, connection, isDiskFull, graphiql, sessionKeys };
  const app = createApp({ ...config, ...config.database, ...parts });
  const server = createServer(connections, app.listener).on('clientError', answerMalformed);
  const close = async () => {
    counted?.server.close().closeAllConnections();
    await Promise.race([Promise.all([app.close(), traces?.close()]), sleep(poolPatienceMs)]);
    await storage.close();
  };
  try {
    const { url, metricsUrl } = await listenAll(server, config, counted);
    announce({ url: url + endpoint, metricsUrl, token, hasGraphiql: graphiql !== undefined });
  } catch (error) {
    await close();
    throw error;
  }
  return async (signal) => {
    app.drain();
    if (signal === 'SIGTERM') await sleep(config.drainDelayMs);
    // Not before: a client that subscribes again should find another replica.
    app.endSubscriptions();
    await closeServer(server, signal);
    await close();
  };
}

const parentCheckMs = 500;

/** Calls `onEnd` once the parent process has ended; even a SIGKILL then changes the parent of this process. */
function watchParent(onEnd: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onEnd();
  }, parentCheckMs).unref();
}

/** `accountgraph serve`: runs the service until SIGTERM, SIGINT, or the end of the npm that started it. */
export async function serveCommand(): Promise<void> {
  const config = readConfig();
  const started = start(config);
  let stopping = false;
  const stop = async (signal: StopSignal) => {
    if (stopping) return;
    stopping = true;
    await (await started)(signal);
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  // npm hands on SIGTERM and SIGINT, but a npm that is killed leaves the service behind.
  if (config.endsWithParent) watchParent(() => void stop('SIGTERM'));
  await started;
}
