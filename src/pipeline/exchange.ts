import type { ExecutionResult, GraphQLError } from 'graphql';
import type { Caller } from '../ctx.ts';
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

/** A complete result, or one part of a streamed result. */
export interface Part extends ExecutionResult {
  incremental?: readonly { errors?: readonly GraphQLError[] }[];
  hasNext?: boolean;
}

export type Result = Part | AsyncIterable<Part>;
