import type {
  DocumentNode,
  ExecutionArgs,
  ExecutionResult,
  GraphQLError,
  GraphQLSchema,
  OperationDefinitionNode,
} from 'graphql';
import type { Caller, Selects } from '../ctx.ts';
import type { Decision } from '../http/budget.ts';
import type { CancelSignal } from '../lib/cancel.ts';
import type { Accepts } from './negotiate.ts';

/** A GraphQL request in the pipeline, and the results of the steps so far. */
export interface Exchange {
  readonly method: string;
  /** Returns a request header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly requestId: string;
  /** When the request arrived, by `performance.now()`. */
  readonly arrivedAt: number;
  /** Aborted when the connection closes before the response has ended. */
  readonly closed: CancelSignal;
  /** Set by `authenticate`. */
  caller?: Caller;
  /** Set by `negotiate`. */
  accepts?: Accepts;
  /** Set by `charge`; undefined without a budget. */
  budget?: Decision;
}

/** The validated parameters of a request. */
export interface Params {
  query: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
  extensions?: Record<string, unknown> | null;
}

/** A schema, and the executor for `@defer` and `@stream`, which graphql-js lacks. */
export interface Engine {
  schema: GraphQLSchema;
  executeInParts(args: ExecutionArgs): Part | AsyncIterable<Part> | Promise<Part | AsyncIterable<Part>>;
  /** An object to assign the context to, because plugins identify a request by it. */
  contextBase?: object;
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

/** A complete result, or one part of a streamed result. */
export interface Part extends ExecutionResult {
  incremental?: readonly { errors?: readonly GraphQLError[] }[];
  hasNext?: boolean;
}

/** The result of a subscription for one event. */
export interface Event {
  /** The position to continue after; undefined for an error. */
  id: string | undefined;
  result: Part;
}

/** The events of a subscription, in batches. Subscriptions that select the same get the same batches. */
export interface Events extends AsyncIterableIterator<readonly Event[]> {
  return(): Promise<IteratorResult<readonly Event[], undefined>>;
  /** Returns the position up to which there are no more events than those that were taken. */
  position(): string;
}

export type Result = Part | AsyncIterable<Part> | Events;

export function isEvents(result: Result): result is Events {
  return 'position' in result;
}

async function* resultsOf(events: Events): AsyncGenerator<Part> {
  for await (const batch of events) for (const { result } of batch) yield result;
}

/** Returns the results of events one by one, and other results unchanged. */
export function partsOf(result: Result): Part | AsyncIterable<Part> {
  return isEvents(result) ? resultsOf(result) : result;
}
