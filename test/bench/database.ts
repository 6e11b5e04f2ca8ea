import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { openDatabase } from '../../src/db/client.ts';
import { applyMigrations } from '../../src/db/migrate.ts';
import { serverAccount } from '../../src/embedded/account.ts';
import { findBinaries } from '../../src/embedded/binaries.ts';
import {
  type Cluster,
  directoryArguments,
  ensureDatabase,
  openLog,
  prepareDirectory,
  spawnOptions,
} from '../../src/embedded/cluster.ts';
import { NAME } from '../../src/embedded/password.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import { until } from '../db/processes.ts';
import { freePort } from '../support/ports.ts';
import { loadAccounts, type Size } from './data.ts';

/** The settings of a machine with a few gigabytes. fsync stays on. */
const settings = {
  shared_preload_libraries: 'pg_stat_statements',
  shared_buffers: '512MB',
  max_connections: '200',
  max_wal_size: '4GB',
  unix_socket_directories: '.',
  timezone: 'UTC',
};

export interface BenchDatabase {
  pid: number;
  urlOf(name: string): string;
  admin: postgres.Sql;
  stop(): Promise<void>;
}

async function openCluster(dataDir: string): Promise<Cluster> {
  await prepareDirectory(dataDir);
  const directory = join(dataDir, 'postgres');
  const account = await serverAccount(directory);
  const binaries = await findBinaries(account !== undefined);
  const cluster = { dataDir, directory, log: join(dataDir, 'postgres.log'), account, binaries };
  await ensureDatabase(cluster);
  return cluster;
}

/** A database that is copied for each service, and the API keys of its tenants. */
export interface Template {
  name: string;
  /** Two keys of each tenant: one key may hold 50 subscriptions. */
  tokens: string[][];
}

const keysPerTenant = 2;

/** Creates a migrated database with the accounts of each tenant. */
export async function makeDatabase(
  { admin, urlOf }: BenchDatabase,
  name: string,
  size: Size,
): Promise<Template> {
  await admin.unsafe(`create database ${name}`);
  const database = openDatabase({ connection: { url: urlOf(name) }, poolSize: 2 });
  await applyMigrations(database);
  const tokens: string[][] = [];
  for (let tenant = 1; tenant <= size.tenants + Math.sign(size.small ?? 0); tenant += 1) {
    const { id } = await createTenant(database, { name: `bench-${tenant}` });
    const keys: string[] = [];
    for (let key = 0; key < keysPerTenant; key += 1) {
      keys.push((await createKey(database, id, `bench-${key}`)).token);
    }
    tokens.push(keys);
  }
  await database.close();
  await loadAccounts(urlOf(name), size);
  const sql = postgres(urlOf(name), { max: 1, onnotice: () => undefined });
  await sql.unsafe(await readFile(join(import.meta.dirname, 'peers', 'postgraphile.sql'), 'utf8'));
  await sql.end();
  return { name, tokens };
}

/** Starts the PostgreSQL that all services use, from the binaries of the embedded PostgreSQL. */
export async function startDatabase(dataDir: string): Promise<BenchDatabase> {
  const cluster = await openCluster(dataDir);
  const port = await freePort();
  await writeFile(
    join(cluster.directory, 'pg_hba.conf'),
    'local all all trust\nhost all all 127.0.0.1/32 trust\n',
  );
  const options = Object.entries({ ...settings, listen_addresses: '127.0.0.1', port: String(port) });
  const log = openLog(cluster.log);
  const child = spawn(
    cluster.binaries.postgres,
    [...directoryArguments(cluster), ...options.flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...spawnOptions(cluster), stdio: ['ignore', log.file, log.file] },
  );
  closeSync(log.file);
  const urlOf = (name: string) => `postgres://${NAME}@127.0.0.1:${port}/${name}`;
  const admin = postgres(urlOf(NAME), { max: 1, onnotice: () => undefined });
  await until(() =>
    admin`select 1`.then(
      () => true,
      () => false,
    ),
  );
  await admin`create extension if not exists pg_stat_statements`;
  return {
    pid: child.pid ?? 0,
    urlOf,
    admin,
    async stop() {
      await admin.end({ timeout: 1 });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
    },
  };
}
