import type { ExecutionResult, GraphQLError } from 'graphql';
import type { Caller } from '../ctx.ts';
import type { Decision } from '../http/budget.ts';
import type { CancelSignal } from '../lib/cancel.ts';
import type { Accepts } from './negotiate.ts';

/** A GraphQL request on its way through the pipeline, and what each step has found out. */
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

/** The parameters of a request, checked. */
export interface Params {
  query: string;
  variables?: Record<string, unknown> | null;
  operationName?: string | null;
  extensions?: Record<string, unknown> | null;
}

/** A whole result, or one part of a result that comes in parts. */
export interface Part extends ExecutionResult {
  incremental?: readonly { errors?: readonly GraphQLError[] }[];
  hasNext?: boolean;
}

export type Result = Part | AsyncIterable<Part>;
