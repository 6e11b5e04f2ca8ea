import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../db/client.ts';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Numbers of what the service does, as Prometheus reads them. They hold no value of anybody. */
export interface Metrics {
  /** Measures every request that it passes on. */
  listener(api: 'graphql' | 'rest', listener: Listener): Listener;
  /** Counts an error that a GraphQL answer shows at its top level. */
  countError(code: string): void;
  /** Shows the connections of a database. */
  watch(database: Database): void;
  /** Answers whoever collects the numbers, at every path. */
  answer: Listener;
}

const secondsUpTo = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** A client may send any word for a method; each would be a series of its own. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Shows the connections of a database at the time when somebody asks. */
function watchDatabase(registers: Registry[], database: Database): void {
  new Gauge({
    name: 'database_connections',
    help: 'Connections to the database that are used and idle, and calls that wait for one.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(database.usage())) this.set({ state }, count);
    },
  });
}

/** Measures requests, with all that a server of node:http does for them. */
function measureRequests(registers: Registry[]): Metrics['listener'] {
  const durations = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'Time from the headers of a request to the end of its answer.',
    labelNames: ['api', 'method', 'status'],
    buckets: secondsUpTo,
    registers,
  });
  return (api, listener) => (request, response) => {
    const begun = performance.now();
    response.on('close', () => {
      const { method = '' } = request;
      // Whoever left before his answer has no status.
      const status = response.writableFinished ? String(response.statusCode) : 'closed';
      const labels = { api, method: methods.includes(method) ? method : 'other', status };
      durations.observe(labels, (performance.now() - begun) / 1000);
    });
    listener(request, response);
  };
}

export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const errors = new Counter({
    name: 'graphql_errors_total',
    help: 'Errors at the top level of GraphQL answers. Typed errors of mutations are data, and not among them.',
    labelNames: ['code'],
    registers,
  });
  return {
    listener: measureRequests(registers),
    countError: (code) => errors.inc({ code }),
    watch: (database) => watchDatabase(registers, database),
    answer(_, response) {
      const send = (text: string) => response.setHeader('content-type', registry.contentType).end(text);
      void registry.metrics().then(send, (error: Error) => response.destroy(error));
    },
  };
}
