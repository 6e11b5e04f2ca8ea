import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { until } from '../db/processes.ts';
import { freePort } from '../support/ports.ts';
import type { Template } from './database.ts';
import {
  type Dialect,
  type Json,
  limit,
  own,
  pathOf,
  peer,
  postgraphile,
  type Workload,
} from './workloads.ts';

export const root = join(import.meta.dirname, '..', '..');
export const results = join(root, 'test', 'bench', 'results');
const serviceLog = join(results, 'services.log');
const poolSize = 8;

export interface Service {
  name: string;
  title: string;
  /** A checkout of this repository. */
  root: string;
  /** A shell command that is run in `root`, as the documentation recommends for production. */
  command: string;
  dialect: Dialect;
  path(workload: Workload): string;
}

const graphql = () => '/graphql';

/** This service from a checkout that is built. */
export async function ownService(checkout: string, name: string, title: string): Promise<Service> {
  const { scripts } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8'));
  return { name, title, root: checkout, command: scripts.start, dialect: own, path: graphql };
}

/** The peers and the limit. A quick run has one peer. */
export function peerServices(isQuick: boolean): Service[] {
  const script = (name: string, node = 'node') => `exec ${node} test/bench/peers/${name}.js`;
  const newNode = 'test/bench/node_modules/.bin/node';
  const mercurius = script('mercurius');
  const graphqlPeer = (name: string, title: string, command: string, dialect = peer) => ({
    ...{ name, title, root, command, dialect, path: graphql },
  });
  const all = [
    { ...graphqlPeer('limit', 'the limit', script('limit'), limit), path: pathOf },
    graphqlPeer('mercurius', 'Mercurius', mercurius),
    graphqlPeer('mercurius-jit', 'Mercurius, jit', `export JIT=1; ${mercurius}`),
    graphqlPeer('apollo', 'Apollo Server', script('apollo')),
    graphqlPeer('postgraphile', 'PostGraphile', script('postgraphile', newNode), postgraphile),
  ];
  return isQuick ? all.filter(({ name }) => ['limit', 'mercurius-jit'].includes(name)) : all;
}

export interface Running extends Service {
  pid: number;
  /** The name of its database. */
  database: string;
  url: string;
  /** Headers by tenant and key; peers know one tenant and no keys. */
  headers: Record<string, string>[][];
  /** From the start of the process to its first response. */
  startMs: number;
  stop(): Promise<void>;
}

export const isOwn = ({ dialect }: Service): boolean => dialect === own;

function ended(child: ChildProcess): Promise<unknown> {
  const isRunning = child.exitCode === null && child.signalCode === null;
  return isRunning ? new Promise((resolve) => child.once('exit', resolve)) : Promise.resolve();
}

/** Sends a GraphQL request as the first tenant. @throws if the response has errors. */
export async function send(
  { url, headers, path }: Running,
  workload: Workload,
  request: Json,
  tenant = 0,
): Promise<Json> {
  const response = await fetch(url + path(workload), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers[tenant]?.[0] },
    body: JSON.stringify(request),
  });
  const { data, errors } = await response.json();
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

function environment(port: number, metricsPort: number, url: string): Record<string, string | undefined> {
  return {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    GRAPHILE_ENV: 'production',
    PORT: String(port),
    METRICS_PORT: String(metricsPort),
    DATABASE_URL: url,
    DATABASE_POOL_SIZE: String(poolSize),
    // The budget is counted but never spent.
    RATE_LIMIT: '999999999',
    WEBHOOK_KEYS: 'k'.repeat(32),
    WEBHOOK_PRIVATE_TARGETS: 'true',
  };
}

/** Starts a service on a database and waits for its first response. */
export async function start(
  service: Service,
  database: { name: string; url: string; tokens: Template['tokens'] },
): Promise<Running> {
  const port = await freePort();
  const begun = performance.now();
  await mkdir(dirname(serviceLog), { recursive: true });
  const log = openSync(serviceLog, 'a');
  const child = spawn('sh', ['-c', service.command], {
    cwd: service.root,
    stdio: ['ignore', 'ignore', log],
    env: environment(port, await freePort(), database.url),
  });
  closeSync(log);
  const headersOf = (token: string) => (isOwn(service) ? { authorization: `Bearer ${token}` } : {});
  const running: Running = {
    ...service,
    pid: child.pid ?? 0,
    database: database.name,
    url: `http://127.0.0.1:${port}`,
    headers: database.tokens.map((keys) => keys.map(headersOf)),
    startMs: 0,
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
  const isReady = () =>
    send(running, 'W5', service.dialect.request('W5', {})).then(
      (data) => service.dialect.read('W5', data) === 'Query',
      () => false,
    );
  await until(isReady, 30_000).catch(async (error) => {
    await running.stop();
    throw new Error(`${service.title} did not start. See ${serviceLog}.`, { cause: error });
  });
  running.startMs = performance.now() - begun;
  return running;
}
