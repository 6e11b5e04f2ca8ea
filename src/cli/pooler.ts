import { openSession, type Session } from '../db/session.ts';

/** Whether a pooler is between the service and PostgreSQL, and whether it keeps prepared statements. */
export type Route = 'direct' | 'keeps statements' | 'loses statements' | 'unknown pooler';

interface Probe {
  /** Process id of the backend. */
  pid: number;
  /** Process id that the session got when it connected. Poolers send each client an id of their own. */
  toldPid: number | null;
  /** Whether the driver had to prepare the statement again, because the backend did not know it. */
  preparedAgain: boolean;
}

async function probe({ client }: Session): Promise<Probe> {
  const query = client.unsafe('select pg_backend_pid() as pid where 1 = $1::integer', [1], { prepare: true });
  const answer = await query;
  return {
    pid: answer[0]?.pid as number,
    toldPid: answer.state.pid as number | null,
    preparedAgain: (query as { retried?: unknown }).retried !== undefined,
  };
}

/**
 * Detects a pooler, and whether it keeps prepared statements. While a second session has a transaction open, a pooler
 * in transaction mode moves the first session to another backend.
 */
export async function findRoute(url: string, connectTimeoutMs: number): Promise<Route> {
  const options = { connection: { url }, prepare: true, connectTimeoutMs, settings: {} };
  const first = openSession(options, 0, () => undefined);
  const second = openSession(options, 0, () => undefined);
  try {
    const before = await probe(first);
    if (before.pid === before.toldPid) return 'direct';
    await second.client.unsafe('begin');
    const after = await probe(first);
    await second.client.unsafe('rollback');
    if (after.preparedAgain) return 'loses statements';
    return after.pid === before.pid ? 'unknown pooler' : 'keeps statements';
  } finally {
    await Promise.all([first.end(), second.end()]);
  }
}
