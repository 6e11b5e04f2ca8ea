import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/client.ts';
import { isMigrated } from '../db/migrate.ts';

/** As `/health/ready` tells it. */
type Readiness = 'ready' | 'draining' | 'no database' | 'not migrated' | 'disk full' | 'disk fails';

type Disk = Extract<Readiness, `disk ${string}`>;

/** An answer of the database holds for so long: however often readiness is asked, it costs one statement a second. */
const freshForMs = 1000;
const probePatienceMs = 2000;

const paths = ['/health/live', '/health/ready'];

/**
 * Whether the service can serve. Answers to requests show that the database is there, so it is asked only when it has
 * been silent: a probe neither waits behind requests nor adds to them.
 */
function createReadiness(database: Database): () => Promise<Readiness> {
  let migrated = false;
  let probe: { since: number; disk: Disk | undefined; outcome: Promise<Readiness> } | undefined;

  const diskOf = (): Disk | undefined => {
    const reason = database.diskError()?.reason;
    return reason === undefined ? undefined : reason === 'DISK_FULL' ? 'disk full' : 'disk fails';
  };

  async function ask(): Promise<Readiness> {
    try {
      // A balancer sends no writes to a replica that is not ready, so only a write of its own shows that writes work.
      if (diskOf() !== undefined) await database.probeDisk();
      migrated = await isMigrated(database);
      return migrated ? 'ready' : 'not migrated';
    } catch {
      return diskOf() ?? 'no database';
    }
  }
  return async () => {
    const disk = diskOf();
    if (migrated && disk === undefined && database.sinceAnswer() < freshForMs) return 'ready';
    if (probe === undefined || probe.disk !== disk || performance.now() - probe.since > freshForMs) {
      const late = sleep<Readiness>(probePatienceMs, disk ?? 'no database', { ref: false });
      probe = { since: performance.now(), disk, outcome: Promise.race([ask(), late]) };
    }
    return probe.outcome;
  };
}

const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };

/** Answers whether the process lives and whether it can serve, before anything else sees the request. */
export function createHealth(database: Database) {
  const readiness = createReadiness(database);
  let draining = false;

  async function answer(path: string): Promise<{ status: number; body: string }> {
    const status = path === '/health/live' ? 'alive' : draining ? 'draining' : await readiness();
    const good = status === 'alive' || status === 'ready';
    return { status: good ? 200 : 503, body: `${JSON.stringify({ status })}\n` };
  }
  return {
    /** From now on it is not ready, whatever the database says. */
    drain(): void {
      draining = true;
    },
    /** Passes on every request that is not for health; while it drains, each response closes its connection. */
    listener: (next: (request: IncomingMessage, response: ServerResponse) => void) => {
      return (request: IncomingMessage, response: ServerResponse): void => {
        if (draining) response.setHeader('connection', 'close');
        const path = request.url?.split('?', 1)[0] ?? '';
        if (!paths.includes(path)) next(request, response);
        else void answer(path).then(({ status, body }) => response.writeHead(status, headers).end(body));
      };
    },
  };
}
