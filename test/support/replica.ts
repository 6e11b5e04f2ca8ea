import { sql } from 'drizzle-orm';
import { inject } from 'vitest';
import type { AppOptions } from '../../src/app.ts';
import { openApp, type Service } from './service.ts';

export type App = ReturnType<typeof openApp>;

/** Another replica of the service, the same database and a memory of its own; it is to be closed. */
export async function openReplica(service: Service, options: Partial<AppOptions> = {}): Promise<App> {
  const [row] = await service.database.orm.execute<{ name: string }>(sql`select current_database() as name`);
  if (row === undefined) throw new Error('no database');
  return openApp({ ...inject('server'), database: row.name }, options);
}

/** Runs another replica, and closes it. */
export async function withReplica<T>(
  service: Service,
  work: (replica: App) => Promise<T>,
  options: Partial<AppOptions> = {},
): Promise<T> {
  const replica = await openReplica(service, options);
  try {
    return await work(replica);
  } finally {
    await replica.close();
  }
}

/** The status that a request with this token is answered with. */
export async function statusOf(token: string, { fetch }: Pick<App, 'fetch'>): Promise<number> {
  const response = await fetch(
    new Request('http://localhost/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ viewer { keyName } }' }),
    }),
  );
  return response.status;
}
