import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { createApp } from '../app.ts';
import { ensureKeys } from '../auth/session-keys.ts';
import { type Config, readConfig } from '../config.ts';
import { type Connection, type Database, openDatabase } from '../db/client.ts';
import { applyMigrations } from '../db/migrate.ts';
import { startEmbedded } from '../embedded/postgres.ts';
import { createHttpServer } from '../http/malformed.ts';
import { StartupError } from '../lib/errors.ts';
import { isLoopback } from '../lib/loopback.ts';
import { createLog } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import { readTrustedDocuments } from '../pipeline/manifest.ts';
import { canGenerateCode, serveInChild } from './code-generation.ts';
import {
  databaseProblem,
  requireMigrated,
  requireStatementsKept,
  requireVersion,
  unknownPooler,
} from './database.ts';
import { ensureDemo, revokeDemo } from './demo.ts';
import { exampleTabs } from './examples.ts';

/**
 * How long running requests can take after the service stops accepting new ones. With the delays before and after, the
 * process exits within 5 s of SIGINT and within 10 s of SIGTERM.
 */
const finishMs = { SIGINT: 2000, SIGTERM: 5000 };
const poolPatienceMs = 500;

/**
 * Limits how long a request can take to arrive, so that slow clients cannot hold connections. The service keeps idle
 * connections longer than most load balancers do (60 s), so it never closes one that a balancer is about to use.
 */
const connections = {
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  connectionsCheckingInterval: 1000,
  keepAliveTimeout: 75_000,
};

type StopSignal = keyof typeof finishMs;
type App = ReturnType<typeof createApp>;

interface Address {
  host: string;
  port: number;
  /** Prefix of the variables HOST and PORT. */
  prefix: '' | 'METRICS_';
}

/** @throws StartupError if the address cannot be listened on */
function listen(server: Server, { host, port, prefix }: Address): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const problems: Record<string, string> = {
        EADDRINUSE: `Port ${port} on ${host} is already in use. Stop the other program, or set ${prefix}PORT to another port.`,
        EADDRNOTAVAIL: `This machine has no address ${host}. Set ${prefix}HOST to another address.`,
        EACCES: `This user cannot listen on port ${port}. Set ${prefix}PORT to another port.`,
        ENOTFOUND: `Host ${host} is unknown. Set ${prefix}HOST to another host.`,
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
  /** The demo token, if there is one. */
  token: string | undefined;
  /** Session keys in the data directory, unless others are configured. */
  sessionKeys: readonly KeyObject[] | undefined;
  /** The webhook key in the data directory, unless others are configured. */
  webhookKeys: readonly KeyObject[] | undefined;
  /** Undefined if the service cannot see the database's disk. */
  isDiskFull?: () => boolean;
  close(): Promise<void>;
}

/** Returns the demo token, which exists only outside production, in the embedded database, on loopback. */
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
    const route = await requireStatementsKept(config);
    if (route === 'unknown pooler') log.warn(`${unknownPooler.message} ${unknownPooler.advice}`);
    await (config.migrate ? applyMigrations : requireMigrated)(database);
    return await demoToken(config, database, log);
  } catch (error) {
    throw databaseProblem(error, config);
  } finally {
    await database.close();
  }
}

/** Opens the database, migrates it or requires that it is migrated, and returns how to connect to it. */
async function openStorage(config: Config, log: Logger): Promise<Storage> {
  if (config.databaseUrl !== undefined) {
    const connection = { url: config.databaseUrl };
    const token = await prepare(config, connection, log);
    return {
      connection,
      token,
      sessionKeys: undefined,
      webhookKeys: undefined,
      close: () => Promise.resolve(),
    };
  }
  const embedded = await startEmbedded({
    dataDir: config.dataDir,
    onNotice: (text) => log.warn(text),
    onExit: (reason) => log.error(reason),
  });
  try {
    const { connection, isDiskFull, stop } = embedded;
    const token = await prepare(config, connection, log);
    const sessionKeys = config.sessionKeys ? undefined : await ensureKeys(config.dataDir, 'session');
    const webhookKeys = config.webhookKeys ? undefined : await ensureKeys(config.dataDir, 'webhook');
    return { connection, token, sessionKeys, webhookKeys, isDiskFull, close: stop };
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

/** Stops accepting connections, and waits for running requests. Closes the remaining connections after `finishMs`. */
async function closeServer(server: Server, app: App, signal: StopSignal): Promise<void> {
  app.closeSockets();
  const closed = new Promise((resolve) => server.close(resolve));
  // Keep-alive connections would stay open after their response.
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const cut = setTimeout(() => {
    server.closeAllConnections();
    app.terminateSockets();
  }, finishMs[signal]);
  await closed;
  clearInterval(sweep);
  clearTimeout(cut);
}

/** Opens the log and the trace exporter, which is slow to load and needed only with a collector. */
async function openLog({ logLevel, collector }: Config) {
  if (collector === undefined) return { log: createLog(logLevel), traces: undefined };
  const { exportTraces } = await import('../observe/otlp.ts');
  const traces = exportTraces(collector, (error) => log.warn({ err: error }, 'Exporting spans failed'));
  const log = createLog(logLevel, traces.tracing.ids);
  return { log, traces };
}

interface MetricsServer {
  metrics: Metrics;
  address: Address;
  /** Serves scrapes. */
  server: Server;
}

/** Opens metrics if METRICS_PORT is set. Their module is slow to load. */
async function openMetrics({ metricsHost, metricsPort }: Config): Promise<MetricsServer | undefined> {
  if (metricsPort === undefined) return undefined;
  const { createMetrics } = await import('../observe/metrics.ts');
  const metrics = createMetrics();
  const address: Address = { host: metricsHost, port: metricsPort, prefix: 'METRICS_' };
  return { metrics, address, server: createServer(connections, metrics.answer) };
}

/** Listens for requests and, if metrics are on, for scrapes. Returns the URLs. */
async function listenAll(server: Server, config: Config, counted: MetricsServer | undefined) {
  if (counted !== undefined) await listen(counted.server, counted.address);
  const { host } = config;
  const { port } = await listen(server, { host, port: config.port, prefix: '' });
  return { url: urlOf({ host, port }), metricsUrl: counted && `${urlOf(counted.address)}/metrics` };
}

function urlOf({ host, port }: Pick<Address, 'host' | 'port'>): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Reads the trusted documents and the JWT verifier. */
async function readTrust(config: Config, log: Logger) {
  const documents = {
    trusted: await readTrustedDocuments(config.trustedDocuments),
    trustedOnly: config.trustedDocumentsOnly,
  };
  const verifyJwt = config.jwt && (await (await import('../auth/jwt.ts')).createJwtVerifier(config.jwt, log));
  return { documents, verifyJwt };
}

/** Starts the service. Returns a function that stops it. */
async function start(config: Config): Promise<(signal: StopSignal) => Promise<void>> {
  const { log, traces } = await openLog(config);
  const counted = await openMetrics(config);
  // Load the GraphQL modules while PostgreSQL starts.
  const loading = Promise.all([import('../app.ts'), import('../pipeline/listener.ts')]);
  const trust = await readTrust(config, log);
  const storage = await openStorage(config, log);
  const [{ createApp }, { endpoint }] = await loading;
  const { connection, token, isDiskFull } = storage;
  const graphiql = !config.graphiql ? undefined : { tabs: exampleTabs, token };
  const observed = { log, tracing: traces?.tracing, metrics: counted?.metrics };
  const sessionKeys = config.sessionKeys ?? storage.sessionKeys ?? [];
  const webhooks = {
    keys: config.webhookKeys ?? storage.webhookKeys ?? [],
    schedule: config.webhookDelays,
    allowPrivateTargets: config.webhookPrivateTargets,
  };
  const parts = { ...observed, ...trust, connection, isDiskFull, graphiql, sessionKeys, webhooks };
  const app = createApp({ ...config, ...config.database, ...parts });
  const server = createHttpServer(connections, app.listener, app.upgrade);
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
    // After the delay, so that clients that subscribe again reach another replica.
    app.endSubscriptions();
    await closeServer(server, app, signal);
    await close();
  };
}

const parentCheckMs = 500;

/** Whether npm itself has process id 1, as in a container. Otherwise, orphans have that parent. */
function isNpmFirst(): boolean {
  try {
    return readFileSync('/proc/1/cmdline', 'utf8').includes('npm');
  } catch {
    return false;
  }
}

/**
 * Calls `onEnd` when the npm that started this process has ended. The parent id then changes, even after a SIGKILL,
 * possibly before this process reads it.
 */
function watchParent(onEnd: () => void): void {
  const parent = process.ppid;
  const isOrphan = parent === 1 && !isNpmFirst();
  const timer = setInterval(() => {
    if (process.ppid === parent && !isOrphan) return;
    clearInterval(timer);
    onEnd();
  }, parentCheckMs).unref();
}

/** `accountgraph serve`: runs the service until SIGTERM, SIGINT, or the end of the npm that started it. */
export async function serveCommand({ endsWithParent = false }: { endsWithParent?: boolean }): Promise<void> {
  if (canGenerateCode()) return serveInChild();
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
  // npm forwards SIGTERM and SIGINT, but the service would outlive an npm that is killed.
  if (endsWithParent || config.endsWithParent) watchParent(() => void stop('SIGTERM'));
  await started;
}
