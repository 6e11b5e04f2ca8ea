import type { AppOptions } from '../../src/app.ts';
import { type App, openApp, type Service } from './service.ts';

/** Opens another replica of the service on the same database. The caller closes it. */
export function openReplica(service: Service, options: Partial<AppOptions> = {}): App {
  return openApp(service.connection, options);
}

/** Opens another replica, runs `work`, and closes the replica. */
export async function withReplica<T>(
  service: Service,
  work: (replica: App) => Promise<T>,
  options: Partial<AppOptions> = {},
): Promise<T> {
  const replica = openReplica(service, options);
  try {
    return await work(replica);
  } finally {
    await replica.close();
  }
}

/** Sends a request with this token and returns the status of the response. */
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
