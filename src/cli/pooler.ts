import { openSession, type Session } from '../db/session.ts';

/** What stands between the service and PostgreSQL, as far as prepared statements are concerned. */
export type Route = 'direct' | 'keeps statements' | 'loses statements' | 'unknown pooler';

interface Probe {
  /** The server's process. */
  pid: number;
  /** The process that the session was told of as it began; poolers tell every client another one of their own. */
  toldPid: number | null;
  /** Whether the driver had to prepare the statement again, for the server did not know it. */
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
 * Finds out whether statements that a session has prepared are still there after another session has had a
 * transaction: a pooler that changes sessions between transactions gives the first one another server then.
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
