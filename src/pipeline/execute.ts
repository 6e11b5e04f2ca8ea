import { SpanStatusCode } from '@opentelemetry/api';
import { RequestCache } from '@pothos/plugin-scope-auth';
import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  getOperationAST,
  getVariableValues,
  type OperationDefinitionNode,
} from 'graphql';
import { isPromise } from 'graphql-yoga';
import type { Caller, Ctx, Selects } from '../ctx.ts';
import type { RunOperation } from '../http/lanes.ts';
import type { Tracing } from '../observe/trace.ts';
import { isDryRun } from './dry-run.ts';
import { maskError } from './errors.ts';
import type { Engine, Exchange, Operation, Params, Part, Result } from './exchange.ts';
import { notAcceptable } from './negotiate.ts';
import { requestError } from './request-error.ts';
import { createSubscribe } from './subscribe.ts';

export interface ExecuteOptions {
  createContext(caller: Caller, selects: Selects): Ctx;
  /** Runs work with a context whose transaction is rolled back when the work ends. */
  inDryRun<T>(caller: Caller, selects: Selects, work: (ctx: Ctx) => Promise<T>): Promise<T>;
  runOperation: RunOperation;
  tracing: Tracing | undefined;
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
    const errors = 'errors' in result ? (result.errors ?? []) : [];
    const codes = errors.map((error) => maskError(error).extensions.code as string);
    if (codes.length > 0) span.setAttribute('graphql.error.codes', codes);
    if (codes.includes('INTERNAL_SERVER_ERROR')) span.setStatus({ code: SpanStatusCode.ERROR });
    return result;
  });
}

function errorOf(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

/** Returns the result of a request that failed. */
export function toResult(error: unknown): Part {
  return { errors: [errorOf(error)] };
}

/** Returns a function that runs operations, each with a deadline and in the lane of its tenant. */
export function createExecute({ createContext, inDryRun, runOperation, tracing }: ExecuteOptions) {
  function argsFor(
    engine: Engine,
    { document, params, selects, caller }: Operation,
    context = createContext(caller, selects),
  ): ExecutionArgs {
    return {
      schema: engine.schema,
      document,
      contextValue: engine.contextBase ? Object.assign(engine.contextBase, context) : context,
      variableValues: params.variables,
      operationName: params.operationName,
    };
  }
  const subscribe = createSubscribe(argsFor, options);
  return (exchange: Exchange, engine: Engine, operation: Operation): Result | Promise<Result> => {
    const { definition, params, selects, caller, cost } = operation;
    if (definition.operation === 'subscription') return subscribe(exchange, engine, operation, toResult);
    const isDry = isDryRun(engine.schema, operation);
    const canWrite = definition.operation === 'mutation' && !isDry;
    const inParts =
      exchange.accepts?.parts !== undefined &&
      asksForParts.test(params.query) &&
      !looksLikePromise.test(params.query);
    // The context is created when the operation starts, because waiting operations should use little memory.
    const run = (): Part | Promise<Result> | Result =>
      inParts && variablesFit(engine, operation)
        ? engine.executeInParts(argsFor(engine, operation))
        : executeWhole(argsFor(engine, operation));
    // The transaction ends after the last field of the response, because nested fields read what the mutation wrote.
    // So a dry run is never streamed: a client could keep its locks for as long as it reads.
    const runDry = () =>
      inDryRun(caller, selects, async (context) => executeWhole(argsFor(engine, operation, context)));
    const start = isDry ? runDry : run;
    const traced = tracing === undefined ? start : () => inSpan(tracing, operation, start);
    return runOperation({ caller, cost, canWrite, arrivedAt: exchange.arrivedAt }, traced);
  };
}
