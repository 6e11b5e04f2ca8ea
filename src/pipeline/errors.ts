import { GraphQLError } from 'graphql';
import { isAsyncIterable, mapAsyncIterator } from 'graphql-yoga';
import type { Logger } from 'pino';
import {
  AppError,
  BusyError,
  DeadlineError,
  FollowingError,
  ForbiddenError,
  InvalidInputError,
  UnavailableError,
} from '../lib/errors.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Part, Result } from './exchange.ts';
import { type TopLevelCode, topLevelCodes } from './receive.ts';

const internal: TopLevelCode = 'INTERNAL_SERVER_ERROR';
const forbidden: TopLevelCode = 'FORBIDDEN';
const unavailable: TopLevelCode = 'SERVICE_UNAVAILABLE';
const timeout: TopLevelCode = 'TIMEOUT';
const rateLimited: TopLevelCode = 'RATE_LIMITED';
const internalMessage =
  'Something went wrong on our side; nothing was half-written. Send it again, and report the request id if it stays.';

function originalOf(error: unknown): unknown {
  return error instanceof GraphQLError ? error.originalError : error;
}

/** What a client may see of an error: whatever is not meant for it is hidden. */
export function maskError(error: unknown): GraphQLError {
  const original = originalOf(error);
  const { source, positions, path, nodes } = error instanceof GraphQLError ? error : ({} as GraphQLError);
  const at = { nodes, source, positions, path };
  const show = (message: string, extensions: object) =>
    new GraphQLError(message, { ...at, extensions } as object);
  if (original instanceof InvalidInputError) {
    return show(original.message, { code: 'BAD_REQUEST', issues: original.issues });
  }
  if (original instanceof AppError) return show(original.message, { code: 'BAD_REQUEST' });
  if (original instanceof ForbiddenError) {
    return show(original.message, { code: forbidden, scope: original.scope });
  }
  if (original instanceof UnavailableError) {
    const headers = { 'retry-after': String(original.retryAfterS) };
    return show(original.message, { code: unavailable, http: { status: 503, headers } });
  }
  if (original instanceof FollowingError) return show(original.message, { code: original.code });
  if (original instanceof DeadlineError) {
    return show(original.message, { code: timeout, http: { status: 504 } });
  }
  if (original instanceof BusyError) {
    const http = { status: 429, headers: { 'retry-after': '1' } };
    return show(original.message, { code: rateLimited, http });
  }
  const ours = original === undefined || original instanceof GraphQLError;
  if (error instanceof GraphQLError && ours && error.extensions.unexpected !== true) return error;
  return show(internalMessage, {
    code: internal,
    ...(at.path === undefined ? { http: { status: 500 } } : {}),
  });
}

/** What a trace may tell of an error. Tracers hand on copies without their original: only a code of ours speaks for one. */
export function maskTraced(copy: GraphQLError): GraphQLError {
  const known = topLevelCodes.includes(copy.extensions?.code as TopLevelCode);
  return known ? copy : new GraphQLError(internalMessage, { extensions: { code: internal } });
}

export interface Answered extends ShownErrors {
  requestId: string;
  /** Whether the client accepts application/json by name: the protocol then wants 200, whatever is wrong with the document. */
  spec: boolean;
}

/** A message may quote a value, which may be as long as the request. */
const maxMessageLength = 1000;

function shorten(message: string): string {
  return message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message;
}

/** How graphql-js ends a message that guesses what was meant. */
function withoutSuggestion(message: string): string {
  return message.replace(/ Did you mean .*\?$/s, '');
}

/** The error as the answer has it, with a code and the id of its request. It may be shared by requests: it is not changed. */
function shownError(thrown: GraphQLError, answered: Answered): GraphQLError {
  const { requestId, log, metrics, spec, exposesSchema } = answered;
  const error = maskError(thrown);
  if (error.extensions.code === internal && error !== thrown) {
    log.error({ err: originalOf(thrown) ?? thrown, requestId }, 'Unexpected error while handling a request');
  }
  if (error.extensions.code === timeout) log.warn({ requestId }, 'an operation was given up at its deadline');
  if (error.extensions.code === unavailable) {
    log.warn(
      { err: originalOf(thrown), requestId },
      'a request was refused: what it needs cannot be had now',
    );
  }
  const message = shorten(error.message);
  const { nodes, source, positions, path } = error;
  const given = error.extensions as Record<string, unknown> & { http?: { spec?: boolean } };
  const known = topLevelCodes.includes(given.code as TopLevelCode);
  const http = known ? given.http && { ...given.http, spec: given.http.spec && spec } : { status: 400, spec };
  const code = known ? (given.code as TopLevelCode) : 'BAD_REQUEST';
  metrics?.countError(code);
  const extensions = { ...given, code, requestId, ...(http ? { http } : {}) };
  return new GraphQLError(exposesSchema ? message : withoutSuggestion(message), {
    nodes,
    source,
    positions,
    path,
    extensions,
  } as object);
}

/** Shows the errors of a result, or of one part of it. */
function shownPart<T extends Pick<Part, 'errors' | 'incremental'>>(part: T, answered: Answered): T {
  const { errors, incremental } = part;
  if (errors === undefined && incremental === undefined) return part;
  return {
    ...part,
    ...(errors && { errors: errors.map((error) => shownError(error, answered)) }),
    ...(incremental && { incremental: incremental.map((each) => shownPart(each, answered)) }),
  };
}

export interface ShownErrors {
  log: Logger;
  /** Whether messages may suggest names of the schema. */
  exposesSchema: boolean;
  /** undefined: errors are not counted. */
  metrics?: Metrics | undefined;
}

/** Masks, names and logs the errors of a result, or of each of its parts. */
export function showErrors(result: Result, answered: Answered): Result {
  const show = (part: Part) => shownPart(part, answered);
  return isAsyncIterable<Part>(result) ? mapAsyncIterator(result, show) : show(result);
}
