import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { openDatabase } from '../../src/db/client.ts';
import { applyMigrations } from '../../src/db/migrate.ts';
import { type EmbeddedConnection, startEmbedded } from '../../src/embedded/postgres.ts';
import { startPgBouncer } from './pgbouncer.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    server: EmbeddedConnection;
    /** The port of a PgBouncer that the tests use; `undefined` if they connect directly. */
    pooler: number | undefined;
  }
}

export const templateName = 'accountgraph_template';

/** Starts the PostgreSQL of a test run with a migrated database that every test file clones. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'accountgraph-test-'));
  await configure(dataDir);
  const server = await startEmbedded({ dataDir });
  await makeTemplate(server.connection);
  project.provide('server', server.connection);
  const pooler = process.env.POOLER === 'pgbouncer' ? await startPooler(server.connection) : undefined;
  project.provide('pooler', pooler?.port);
  return async () => {
    await pooler?.stop();
    await server.stop();
    await rm(dataDir, { recursive: true, force: true });
  };
}

/** Starts a PgBouncer, and a TCP port that forwards to the socket of the server. */
async function startPooler({ path, password }: EmbeddedConnection) {
  const bridge = createServer((client) => {
    const upstream = connect(path);
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  await once(bridge.listen(0, '127.0.0.1'), 'listening');
  const { port } = bridge.address() as AddressInfo;
  const pooler = await startPgBouncer({ port, password });
  return {
    port: pooler.port,
    async stop() {
      await pooler.stop();
      bridge.close();
    },
  };
}

/** Enables counting of statements, which needs a restart. */
async function configure(dataDir: string): Promise<void> {
  const server = await startEmbedded({ dataDir });
  const database = openDatabase({ connection: server.connection, poolSize: 1 });
  await database.orm.execute(`alter system set shared_preload_libraries = 'pg_stat_statements'`);
  await database.orm.execute(`alter system set max_connections = 200`);
  // The data of a test run does not need to survive a power failure.
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    await database.orm.execute(`alter system set ${setting} = off`);
  }
  await database.close();
  await server.stop();
}

async function makeTemplate(connection: EmbeddedConnection): Promise<void> {
  const admin = openDatabase({ connection, poolSize: 1 });
  await admin.orm.execute(`create database ${templateName}`);
  await admin.close();
  const template = openDatabase({ connection: { ...connection, database: templateName }, poolSize: 2 });
  await applyMigrations(template);
  await template.orm.execute(`create extension pg_stat_statements`);
  await template.close();
}
