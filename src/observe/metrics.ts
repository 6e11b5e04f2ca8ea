import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../db/client.ts';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Prometheus metrics. Labels hold no values from requests. */
export interface Metrics {
  /** Wraps a listener, and measures its requests. */
  listener(api: 'graphql' | 'rest', listener: Listener): Listener;
  /** Counts a top-level error of a GraphQL response. */
  countError(code: string): void;
  /** Reports the connections of a database. */
  watch(database: Database): void;
  /** Counts a request to a webhook endpoint. */
  countAttempt(succeeded: boolean): void;
  /** Reports what webhook endpoints have not received yet. */
  watchBacklog(read: () => Promise<WebhookBacklog>): void;
  /** Serves scrapes at every path. */
  answer: Listener;
}

/** What webhook endpoints have not received yet. */
export interface WebhookBacklog {
  /** The entries of the feed that have not been passed to lanes, summed over endpoints. */
  positions: number;
  lanes: { state: 'waiting' | 'retrying' | 'blocked'; count: number; seconds: number }[];
}

const secondsUpTo = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Methods with a series of their own; clients can send any word. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Reads the connections of a database at each scrape. */
function watchDatabase(registers: Registry[], database: Database): void {
  new Gauge({
    name: 'database_connections',
    help: 'Database connections in use and idle, and calls waiting for one.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(database.usage())) this.set({ state }, count);
    },
  });
}

/** Measures requests from their headers to the close of the response. */
function measureRequests(registers: Registry[]): Metrics['listener'] {
  const durations = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the headers of a request to the end of its response.',
    labelNames: ['api', 'method', 'status'],
    buckets: secondsUpTo,
    registers,
  });
  return (api, listener) => (request, response) => {
    const begun = performance.now();
    response.on('close', () => {
      const { method = '' } = request;
      // The response has no status if the client disconnected first.
      const status = response.writableFinished ? String(response.statusCode) : 'closed';
      const labels = { api, method: methods.includes(method) ? method : 'other', status };
      durations.observe(labels, (performance.now() - begun) / 1000);
    });
    listener(request, response);
  };
}

/**
 * Reads the backlog of webhooks at each scrape. The values are those of the whole database, not of this replica. If the
 * database is unavailable, they are those of the last scrape.
 */
function watchBacklog(registers: Registry[], read: () => Promise<WebhookBacklog>): void {
  let reading: Promise<WebhookBacklog | undefined> | undefined;
  /** Reads once for all gauges of a scrape. */
  const readOnce = () => {
    reading ??= read()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  new Gauge({
    name: 'webhook_lag_positions',
    help: 'Changes that have not been passed to the lanes of endpoints.',
    registers,
    async collect() {
      const backlog = await readOnce();
      if (backlog !== undefined) this.set(backlog.positions);
    },
  });
  const byState = (name: string, help: string, numberOf: (lane: WebhookBacklog['lanes'][number]) => number) =>
    new Gauge({
      ...{ name, help, labelNames: ['state'], registers },
      async collect() {
        for (const lane of (await readOnce())?.lanes ?? []) this.set({ state: lane.state }, numberOf(lane));
      },
    });
  byState(
    'webhook_lanes',
    'Accounts and customers whose changes an endpoint has not received yet.',
    ({ count }) => count,
  );
  byState(
    'webhook_lag_seconds',
    'Time since the lane that has waited longest fell behind.',
    ({ seconds }) => seconds,
  );
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const errors = new Counter({
    name: 'graphql_errors_total',
    help: 'Top-level errors of GraphQL responses. Typed errors of mutations are data and not counted.',
    labelNames: ['code'],
    registers,
  });
  const attempts = new Counter({
    name: 'webhook_attempts_total',
    help: 'Requests to webhook endpoints.',
    labelNames: ['result'],
    registers,
  });
  return {
    countAttempt: (succeeded) => attempts.inc({ result: succeeded ? 'success' : 'failure' }),
    watchBacklog: (read) => watchBacklog(registers, read),
    listener: measureRequests(registers),
    countError: (code) => errors.inc({ code }),
    watch: (database) => watchDatabase(registers, database),
    answer(_, response) {
      const send = (text: string) => response.setHeader('content-type', registry.contentType).end(text);
      void registry.metrics().then(send, (error: Error) => response.destroy(error));
    },
  };
}
