import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import postgres from 'postgres';
import { afterAll, beforeAll, inject } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { openDatabase } from '../../src/db/client.ts';

/** Exposes the PostgreSQL of the test run on a TCP port for `DATABASE_URL`. */
export function usePostgres() {
  const server = createServer((client) => {
    const upstream = connect(inject('server').path);
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  let admin: Database;
  let port = 0;
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address();
    port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    admin = openDatabase({ connection: inject('server'), poolSize: 1 });
  });
  afterAll(async () => {
    await admin.close();
    server.close();
  });
  const urlOf = (name: string) =>
    `postgres://accountgraph:${inject('server').password}@127.0.0.1:${port}/${name}`;
  return {
    urlOf,
    /** Creates a database, empty or a copy of another, and returns its URL. */
    async create(template = 'template1'): Promise<string> {
      const name = `cli_${randomUUID().replaceAll('-', '')}`;
      await admin.orm.execute(`create database ${name} template ${template}`);
      return urlOf(name);
    },
    /** Returns every row of every table of the service as text. */
    async everything(url: string): Promise<string> {
      const sql = postgres(url, { max: 1 });
      const tables = await sql<{ name: string }[]>`
        select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'drizzle')`;
      const rows = await Promise.all(tables.map(({ name }) => sql.unsafe(`select t::text from ${name} t`)));
      await sql.end();
      return JSON.stringify(rows);
    },
  };
}
