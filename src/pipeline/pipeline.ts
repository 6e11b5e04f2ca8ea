import { GraphQLError, type GraphQLSchema } from 'graphql';
import { isAsyncIterable, mapAsyncIterator } from 'graphql-yoga';
import type { Spend } from '../http/budget.ts';
import { authenticate, type FindViewer } from './authenticate.ts';
import { createCharge, reportCost } from './charge.ts';
import { createDocuments, type Validate } from './document.ts';
import type { ShownErrors } from './errors.ts';
import type { Exchange, Part, Result } from './exchange.ts';
import {
  assertTransport,
  createExecute,
  type Engine,
  type ExecuteOptions,
  findOperation,
} from './execute.ts';
import type { DocumentOptions } from './manifest.ts';
import { assertAcceptable, createNegotiate } from './negotiate.ts';
import { createFindDocument } from './persisted.ts';
import { checkParams, type RawParams } from './receive.ts';
import { findForbidden } from './scopes.ts';

export interface PipelineOptions extends ExecuteOptions, ShownErrors {
  authenticate: FindViewer;
  /** undefined: no budgets. */
  spend: Spend | undefined;
  documents: DocumentOptions;
}

function errorOf(error: unknown): GraphQLError {
  if (error instanceof GraphQLError) return error;
  const originalError = error instanceof Error ? error : new Error(String(error));
  return new GraphQLError(originalError.message, { originalError });
}

const toResult = (error: unknown): Part => ({ errors: [errorOf(error)] });
const same = (part: Part): Part => part;

/** Runs all steps of a request except the transport's. The errors of the result are not masked yet. */
export type Run = (exchange: Exchange, engine: Engine, read: () => Promise<RawParams>) => Promise<Result>;

/** Returns the pipeline, which runs each GraphQL request from its token to its result. */
export function createPipeline(options: PipelineOptions, schema: GraphQLSchema, validate: Validate): Run {
  const { exposesSchema } = options;
  const negotiate = createNegotiate();
  const findDocument = createFindDocument(options.documents);
  const charge = createCharge(options.spend);
  const prepare = createDocuments({ schema, validate, exposesSchema });
  const execute = createExecute(options);

  async function run(exchange: Exchange, engine: Engine, read: () => Promise<RawParams>): Promise<Result> {
    const caller = await authenticate(options.authenticate, exchange);
    exchange.caller = caller;
    exchange.accepts = negotiate(exchange.header('accept'));
    const sent = await read();
    checkParams(sent);
    const params = findDocument(sent, caller.viewer);
    assertAcceptable(exchange.accepts);
    charge.begin(exchange);
    const { document, errors, selects } = prepare(params.query);
    const definition = findOperation(document, params);
    if (errors.length > 0) return { errors };
    assertTransport(exchange, definition);
    const { operationName, variables } = params;
    const cost = charge.finish(exchange, { schema, document, operationName, variables });
    const operation = { document, definition, params, selects, caller, cost };
    const forbidden = findForbidden(schema, operation);
    if (forbidden !== undefined) return { data: null, errors: [forbidden] };
    return reportCost(exchange, cost, await execute(exchange, engine, operation));
  }
  return async (exchange, engine, read) => {
    try {
      const result = await run(exchange, engine, read);
      return isAsyncIterable(result) ? mapAsyncIterator(result, same, toResult) : result;
    } catch (error) {
      return toResult(error);
    }
  };
}
