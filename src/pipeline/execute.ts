import { SpanStatusCode } from '@opentelemetry/api';
import { RequestCache } from '@pothos/plugin-scope-auth';
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
} from 'graphql';
import { isAsyncIterable, isPromise, mapAsyncIterator } from 'graphql-yoga';
import type { Caller, Ctx, Selects } from '../ctx.ts';
import type { RunOperation } from '../http/lanes.ts';
import type { Tracing } from '../observe/trace.ts';
import { maskError } from './errors.ts';
import type { Exchange, Params, Part, Result } from './exchange.ts';
import { notAcceptable } from './negotiate.ts';
import { requestError } from './request-error.ts';

/** A schema, and the executor for `@defer` and `@stream`, which graphql-js lacks. */
export interface Engine {
  schema: GraphQLSchema;
  executeInParts(args: ExecutionArgs): Result | Promise<Result>;
  /** An object to assign the context to, because plugins identify a request by it. */
  contextBase?: object;
}

export interface ExecuteOptions {
  createContext(caller: Caller, selects: Selects): Ctx;
  runOperation: RunOperation;
  tracing: Tracing | undefined;
}

/** An operation that is ready to run. */
export interface Operation {
  document: DocumentNode;
  definition: OperationDefinitionNode;
  params: Params;
  selects: Selects;
  caller: Caller;
  cost: number;
}

const asksForParts = /@(defer|stream)\b/;
/** The executor for streamed results mistakes an object with the response name `then` for a promise. */
const looksLikePromise = /\bthen\s*:/;

/** Returns the operation that a request names. Throws BAD_REQUEST if there is none. */
export function findOperation(document: DocumentNode, { operationName }: Params): OperationDefinitionNode {
  const definition = getOperationAST(document, operationName);
  if (definition != null) return definition;
  throw requestError('BAD_REQUEST', 'Could not determine what operation to execute.', 400);
}

/** Throws BAD_REQUEST if the method does not allow an operation, or the client does not accept its kind of response. */
export function assertTransport({ method, accepts }: Exchange, { operation }: OperationDefinitionNode): void {
  if (operation === 'mutation' && method === 'GET') {
    throw requestError('BAD_REQUEST', 'A mutation must be sent by POST.', 405, { allow: 'POST' });
  }
  if (operation === 'subscription' && accepts?.events === undefined) throw notAcceptable('text/event-stream');
}

/** Each error of a variable quotes its whole value, so a response has few of them. */
const options = { maxCoercionErrors: 5 };

/** Runs a document with graphql-js. */
function executeWhole(args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
  // V8 frees entries of a WeakMap only in a full collection, so the cache of the request is cleared now.
  const clearCache = (result: ExecutionResult): ExecutionResult => {
    RequestCache.clearForContext(args.contextValue as object);
    return result;
  };
  const result = execute({ ...args, options });
  return isPromise(result) ? result.then(clearCache) : clearCache(result);
}

/** Returns whether variables match their types. The executor for streamed results would report each mismatch. */
function variablesFit({ schema }: Engine, { definition, params }: Operation): boolean {
  const { variableDefinitions = [] } = definition;
  return getVariableValues(schema, variableDefinitions, params.variables ?? {}).errors === undefined;
}

/** Ends a subscription when its connection closes, also if that happened before it started. */
function endWhenClosed<T>(events: AsyncIterableIterator<T>, { closed }: Exchange): AsyncIterableIterator<T> {
  const end = () => void events.return?.();
  if (closed.aborted) end();
  else closed.addEventListener('abort', end);
  return events;
}

/** Runs `work` in a span that has the codes of the errors in the result, or in the first of its parts. */
function inSpan(
  tracing: Tracing,
  { definition }: Operation,
  work: () => Result | Promise<Result>,
): Promise<Result> {
  const type = definition.operation;
  const name = definition.name?.value;
  const attributes = { 'graphql.operation.type': type, ...(name && { 'graphql.operation.name': name }) };
  return tracing.operation(name === undefined ? type : `${type} ${name}`, attributes, async (span) => {
    const result = await work();
    const errors = isAsyncIterable(result) ? [] : (result.errors ?? []);
    const codes = errors.map((error) => maskError(error).extensions.code as string);
    if (codes.length > 0) span.setAttribute('graphql.error.codes', codes);
    if (codes.includes('INTERNAL_SERVER_ERROR')) span.setStatus({ code: SpanStatusCode.ERROR });
    return result;
  });
}

/** Returns a function that runs operations, each with a deadline and in the lane of its tenant. */
export function createExecute({ createContext, runOperation, tracing }: ExecuteOptions) {
  function argsFor(engine: Engine, { document, params, selects, caller }: Operation): ExecutionArgs {
    const context = createContext(caller, selects);
    return {
      schema: engine.schema,
      document,
      contextValue: engine.contextBase ? Object.assign(engine.contextBase, context) : context,
      variableValues: params.variables,
      operationName: params.operationName,
    };
  }
  async function subscribe(exchange: Exchange, engine: Engine, operation: Operation): Promise<Result> {
    const args = argsFor(engine, operation);
    const events = await createSourceEventStream({ ...args, options });
    if (!isAsyncIterable(events)) return events;
    // Each event has its own instant, and loaders without cached values.
    const answer = (rootValue: unknown) => {
      const caller = { ...operation.caller, now: new Date() };
      return execute({ ...argsFor(engine, { ...operation, caller }), rootValue });
    };
    return mapAsyncIterator(endWhenClosed(events as AsyncIterableIterator<unknown>, exchange), answer);
  }
  return (exchange: Exchange, engine: Engine, operation: Operation): Result | Promise<Result> => {
    const { definition, params, caller, cost } = operation;
    if (definition.operation === 'subscription') return subscribe(exchange, engine, operation);
    const inParts =
      exchange.accepts?.parts !== undefined &&
      asksForParts.test(params.query) &&
      !looksLikePromise.test(params.query);
    // The context is created when the operation starts, because waiting operations should use little memory.
    const run = (): Part | Promise<Result> | Result =>
      inParts && variablesFit(engine, operation)
        ? engine.executeInParts(argsFor(engine, operation))
        : executeWhole(argsFor(engine, operation));
    const traced = tracing === undefined ? run : () => inSpan(tracing, operation, run);
    return runOperation({ caller, cost, arrivedAt: exchange.arrivedAt }, traced);
  };
}
