import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Attributes,
  type Context,
  defaultTextMapGetter,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { Database, Run, StatementRunner } from '../db/client.ts';
import { describeDriverError } from '../db/constraint.ts';

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** OpenTelemetry spans. They hold names and codes, and no values from requests. */
export interface Tracing {
  /** The current trace id, for the log. */
  ids(): { traceId?: string };
  listener(listener: Listener): Listener;
  operation<T>(name: string, attributes: Attributes, work: (span: Span) => T | Promise<T>): Promise<T>;
  /** Wraps a database so that each statement has a span. */
  database(database: Database): Database;
}

interface Named {
  name: string;
  options: Parameters<Tracer['startSpan']>[1];
}

/** A span named by the first segment of the path. The rest may hold ids, which may be emails. */
function requestSpan(method: string, path: string): Named {
  const route = /^\/[\w-]*/.exec(path)?.[0] ?? '/';
  const attributes = { 'http.request.method': method, 'http.route': route };
  return { name: `${method} ${route}`, options: { kind: SpanKind.SERVER, attributes } };
}

function setStatus(span: Span, status: number): void {
  span.setAttribute('http.response.status_code', status);
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Sets the type of an error, not its message: messages of the database repeat values. */
function setError(span: Span, error: unknown): void {
  const name = error instanceof Error ? error.name : typeof error;
  span.setAttribute('error.type', String(describeDriverError(error)?.code ?? name));
  span.setStatus({ code: SpanStatusCode.ERROR });
}

const propagator = new W3CTraceContextPropagator();

function callerOf(traceparent: unknown, tracestate: unknown): Context {
  return propagator.extract(ROOT_CONTEXT, { traceparent, tracestate }, defaultTextMapGetter);
}

/** Creates spans below the current one. */
function createSpans(tracer: Tracer) {
  const active = new AsyncLocalStorage<Context>();
  const here = () => active.getStore() ?? ROOT_CONTEXT;
  return {
    here,
    /** Starts a span and runs `work` in it. The caller ends it. */
    begin({ name, options }: Named, parent: Context, work: () => void): Span {
      const span = tracer.startSpan(name, options, parent);
      active.run(trace.setSpan(parent, span), work);
      return span;
    },
    async inSpan<T>(
      { name, options }: Named,
      work: (span: Span) => T | Promise<T>,
      parent = here(),
    ): Promise<T> {
      const span = tracer.startSpan(name, options, parent);
      try {
        return await active.run(trace.setSpan(parent, span), work, span);
      } catch (error) {
        setError(span, error);
        throw error;
      } finally {
        span.end();
      }
    },
  };
}

type Spans = ReturnType<typeof createSpans>;

function tracedListener({ begin }: Spans, listener: Listener): Listener {
  return (request, response) => {
    const caller = callerOf(request.headers.traceparent, request.headers.tracestate);
    const named = requestSpan(request.method ?? '', request.url ?? '');
    const span = begin(named, caller, () => listener(request, response));
    response.once('close', () => {
      setStatus(span, response.statusCode);
      span.end();
    });
  };
}

function tracedDatabase({ inSpan }: Spans, database: Database): Database {
  const statementSpan = (name: string): Named => {
    const attributes = { 'db.system.name': 'postgresql', 'db.query.summary': name };
    return { name, options: { kind: SpanKind.CLIENT, attributes } };
  };
  const traced =
    (run: Run): Run =>
    (statement, values, signal) =>
      inSpan(statementSpan(statement.name), () => run(statement, values, signal));
  const tracedRunner = (runner: StatementRunner): StatementRunner => ({
    run: traced(runner.run),
    transaction: (work, signal) =>
      inSpan(statementSpan('transaction'), () => runner.transaction((run) => work(traced(run)), signal)),
    inOneTransaction: (work, runOptions) =>
      inSpan(statementSpan('transaction'), () =>
        runner.inOneTransaction((nested) => work(tracedRunner(nested)), runOptions),
      ),
  });
  return { ...database, ...tracedRunner(database) };
}

export function createTracing(tracer: Tracer): Tracing {
  const spans = createSpans(tracer);
  return {
    ids() {
      const span = trace.getSpanContext(spans.here());
      return span === undefined ? {} : { traceId: span.traceId };
    },
    listener: (listener) => tracedListener(spans, listener),
    operation: (name, attributes, work) => spans.inSpan({ name, options: { attributes } }, work),
    database: (database) => tracedDatabase(spans, database),
  };
}
