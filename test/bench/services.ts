import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../db/processes.ts';
import { freePort } from '../support/ports.ts';
import { type Dialect, limit, own, peer, postgraphile, type Workload } from './workloads.ts';

const root = join(import.meta.dirname, '..', '..');
export const poolSize = 8;

export interface Contestant {
  name: string;
  title: string;
  /** Run by the shell in the root of the repository, as its documentation says to run it in production. */
  command: string;
  dialect: Dialect;
  path(workload: Workload): string;
}

const graphql = () => '/graphql';

export async function contestants(): Promise<Contestant[]> {
  const { scripts } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const script = (name: string, node = 'node') => `exec ${node} test/bench/peers/${name}.js`;
  const newNode = 'test/bench/node_modules/.bin/node';
  return [
    { name: 'accountgraph', title: 'this service', command: scripts.start, dialect: own, path: graphql },
    { name: 'limit', title: 'the limit', command: script('limit'), dialect: limit, path: (one) => `/${one}` },
    { name: 'mercurius', title: 'Mercurius', command: script('mercurius'), dialect: peer, path: graphql },
    { name: 'apollo', title: 'Apollo Server', command: script('apollo'), dialect: peer, path: graphql },
    {
      name: 'postgraphile',
      title: 'PostGraphile',
      command: script('postgraphile', newNode),
      dialect: postgraphile,
      path: graphql,
    },
  ];
}

export interface Running extends Contestant {
  pid: number;
  /** The name of its database. */
  database: string;
  url: string;
  headers: Record<string, string>;
  /** From the start of the process to its first answer. */
  startMs: number;
  stop(): Promise<void>;
}

function ended(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null ? new Promise((resolve) => child.once('exit', resolve)) : Promise.resolve();
}

/** Sends one request; the answer as JSON. */
export async function ask({ url, path, headers, dialect }: Running, workload: Workload, variables: unknown) {
  const response = await fetch(url + path(workload), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(dialect.ask(workload, variables)),
  });
  const { data, errors } = await response.json();
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return dialect.read(workload, data);
}

/** What a service runs on: a database, and a key of its tenant. */
export interface Ground {
  database: string;
  url: string;
  token: string;
}

function environment(
  port: number,
  metricsPort: number,
  databaseUrl: string,
): Record<string, string | undefined> {
  return {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    GRAPHILE_ENV: 'production',
    PORT: String(port),
    METRICS_PORT: String(metricsPort),
    DATABASE_URL: databaseUrl,
    DATABASE_POOL_SIZE: String(poolSize),
    // Counted, but never reached: one token sends everything here.
    RATE_LIMIT: '999999999',
  };
}

/** Starts a service on a database and waits for its first answer. */
export async function start(
  contestant: Contestant,
  { database, url: databaseUrl, token }: Ground,
): Promise<Running> {
  const port = await freePort();
  const begun = performance.now();
  const child = spawn('sh', ['-c', contestant.command], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: environment(port, await freePort(), databaseUrl),
  });
  const running: Running = {
    ...contestant,
    pid: child.pid ?? 0,
    database,
    url: `http://127.0.0.1:${port}`,
    headers: contestant.name === 'accountgraph' ? { authorization: `Bearer ${token}` } : {},
    startMs: 0,
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
  const answers = () =>
    ask(running, 'W5', {}).then(
      (answer) => answer === 'Query',
      () => false,
    );
  await until(answers, 30_000).catch(async (error) => {
    await running.stop();
    throw new Error(`${contestant.title} did not start.`, { cause: error });
  });
  running.startMs = performance.now() - begun;
  return running;
}
