import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../db/client.ts';
import { isMigrated } from '../db/migrate.ts';

/** The status that `/health/ready` returns. */
type Readiness = 'ready' | 'draining' | 'no database' | 'not migrated' | 'disk full' | 'disk fails';

type Disk = Extract<Readiness, `disk ${string}`>;

/** How long a database response proves readiness. Probes cost at most one statement per second. */
const freshForMs = 1000;
const probePatienceMs = 2000;

const paths = ['/health/live', '/health/ready', '/health/webhooks'];

/** Whether webhooks are delivered: by any replica, by none although there are endpoints, or there are no endpoints. */
export type DeliveryStatus = 'delivering' | 'not delivering' | 'idle';

/**
 * Returns a function that tells whether the service can serve. Responses to requests prove that the database works, so
 * it is probed only if there were none recently. A probe therefore never waits behind requests.
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
      // A replica that is not ready gets no writes from load balancers, so only its own write shows recovery.
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

/** Returns a function that finds the status of webhooks at most once per second, however often it is called. */
function createDeliveryStatus(findDelivery: () => Promise<DeliveryStatus>) {
  let probe: { since: number; outcome: Promise<DeliveryStatus | 'no database'> } | undefined;
  return () => {
    if (probe === undefined || performance.now() - probe.since > freshForMs) {
      const outcome = findDelivery().catch(() => 'no database' as const);
      probe = { since: performance.now(), outcome };
    }
    return probe.outcome;
  };
}

const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };

/** Serves the health checks. No other handler sees these requests. */
export function createHealth(database: Database, findDelivery: () => Promise<DeliveryStatus>) {
  const readiness = createReadiness(database);
  const deliveryStatus = createDeliveryStatus(findDelivery);
  let draining = false;

  const response = (code: number, status: string) => ({
    status: code,
    body: `${JSON.stringify({ status })}\n`,
  });
  async function answer(path: string): Promise<{ status: number; body: string }> {
    if (path === '/health/live') return response(200, 'alive');
    if (path === '/health/webhooks') {
      const status = await deliveryStatus();
      return response(status === 'delivering' || status === 'idle' ? 200 : 503, status);
    }
    const status = draining ? 'draining' : await readiness();
    return response(status === 'ready' ? 200 : 503, status);
  }
  return {
    /** Makes `/health/ready` return 503 from now on. */
    drain(): void {
      draining = true;
    },
    /** Passes all other requests to `next`. While the service drains, each response closes its connection. */
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
