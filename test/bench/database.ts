import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import postgres from 'postgres';
import { openDatabase } from '../../src/db/client.ts';
import { serverAccount } from '../../src/db/embedded-account.ts';
import { findBinaries } from '../../src/db/embedded-binaries.ts';
import {
  type Cluster,
  directoryArguments,
  ensureDatabase,
  openLog,
  prepareDirectory,
  spawnOptions,
} from '../../src/db/embedded-cluster.ts';
import { NAME } from '../../src/db/embedded-password.ts';
import { applyMigrations } from '../../src/db/migrate.ts';
import { createKey, createTenant } from '../../src/tenant/write.ts';
import { until } from '../db/processes.ts';
import { freePort } from '../support/ports.ts';
import { loadAccounts } from './data.ts';

/** As an operator of a machine with a few gigabytes would set it; durable, as PostgreSQL is by default. */
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

/** Makes a database with accounts of one tenant; answers with the token of a key. */
export async function makeDatabase(
  { admin, urlOf }: BenchDatabase,
  name: string,
  accounts: number,
): Promise<string> {
  await admin.unsafe(`create database ${name}`);
  const database = openDatabase({ connection: { url: urlOf(name) }, poolSize: 2 });
  await applyMigrations(database);
  const { id } = await createTenant(database, { name: 'bench' });
  const { token } = await createKey(database, id, 'bench');
  await database.close();
  await loadAccounts(urlOf(name), accounts);
  return token;
}

/** The one PostgreSQL of a benchmark, of the binaries that the service brings, on a port that all services reach alike. */
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
