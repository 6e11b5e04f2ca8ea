import type { GraphQLSchema } from 'graphql';
import { isAsyncIterable, mapAsyncIterator } from 'graphql-yoga';
import type { Spend } from '../http/budget.ts';
import { authenticate, type FindViewer } from './authenticate.ts';
import { createCharge, reportCost } from './charge.ts';
import { createDocuments, type Validate } from './document.ts';
import type { ShownErrors } from './errors.ts';
import { type Engine, type Exchange, isEvents, type Part, type Result } from './exchange.ts';
import { assertTransport, createExecute, type ExecuteOptions, findOperation, toResult } from './execute.ts';
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
      if (isEvents(result) || !isAsyncIterable(result)) return result;
      return mapAsyncIterator(result, same, toResult);
    } catch (error) {
      return toResult(error);
    }
  };
}
