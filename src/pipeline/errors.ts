import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { isAsyncIterable, mapAsyncIterator } from 'graphql-yoga';
import type { Logger } from 'pino';
import {
  AppError,
  BusyError,
  DeadlineError,
  ForbiddenError,
  InvalidInputError,
  SubscriptionError,
  UnavailableError,
} from '../lib/errors.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Part } from './exchange.ts';
import { type TopLevelCode, topLevelCodes } from './request-error.ts';

const internal: TopLevelCode = 'INTERNAL_SERVER_ERROR';
const forbidden: TopLevelCode = 'FORBIDDEN';
const unavailable: TopLevelCode = 'SERVICE_UNAVAILABLE';
const timeout: TopLevelCode = 'TIMEOUT';
const rateLimited: TopLevelCode = 'RATE_LIMITED';
const internalMessage =
  'Internal error. Nothing was half-written. Try again, and report the request id if it happens again.';

function originalOf(error: unknown): unknown {
  return error instanceof GraphQLError ? error.originalError : error;
}

/** Returns an error as clients see it. Unexpected errors are replaced. */
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
  if (original instanceof SubscriptionError) {
    const { code, position } = original;
    return show(original.message, { code, ...(position && { position }) });
  }
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

/** Masks an error for a trace. Tracers pass copies without the original, so only known codes pass. */
export function maskTraced(copy: GraphQLError): GraphQLError {
  const known = topLevelCodes.includes(copy.extensions?.code as TopLevelCode);
  return known ? copy : new GraphQLError(internalMessage, { extensions: { code: internal } });
}

export interface Answered extends ShownErrors {
  requestId: string;
  /** Whether an invalid document gets status 200, as the protocol requires for `application/json`. */
  spec: boolean;
}

/** A message may quote a value, which may be very long. */
const maxMessageLength = 1000;

function shorten(message: string): string {
  return message.length > maxMessageLength ? `${message.slice(0, maxMessageLength)}…` : message;
}

/** Removes graphql-js's suggestion from a message. */
function withoutSuggestion(message: string): string {
  return message.replace(/ Did you mean .*\?$/s, '');
}

/** Returns a copy of an error with its code and request id. The original may be cached, so it is not changed. */
function shownError(thrown: GraphQLError, answered: Answered): GraphQLError {
  const { requestId, log, metrics, spec, exposesSchema } = answered;
  const error = maskError(thrown);
  if (error.extensions.code === internal && error !== thrown) {
    log.error({ err: originalOf(thrown) ?? thrown, requestId }, 'Unexpected error while handling a request');
  }
  if (error.extensions.code === timeout) log.warn({ requestId }, 'Operation timed out');
  if (error.extensions.code === unavailable) {
    log.warn({ err: originalOf(thrown), requestId }, 'Request refused: a dependency is unavailable');
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

/** Masks the errors of a result, or of one part of it. */
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
  /** Whether messages can suggest names of the schema. */
  exposesSchema: boolean;
  /** Undefined: errors are not counted. */
  metrics?: Metrics | undefined;
}

/** Masks, names and logs the errors of a result, or of each of its parts. */
export function showErrors<T extends Part | AsyncIterable<Part>>(result: T, answered: Answered): T;
export function showErrors(result: Part | AsyncIterable<Part>, answered: Answered) {
  const show = (part: Part) => shownPart(part, answered);
  return isAsyncIterable<Part>(result) ? mapAsyncIterator(result, show) : show(result);
}

/** Returns an error as clients get it, without the instructions for HTTP. */
export function formatError(error: GraphQLError): GraphQLFormattedError {
  const { extensions, ...formatted } = error.toJSON();
  const { http, unexpected, ...shown } = extensions ?? {};
  return { ...formatted, extensions: shown };
}

/** Returns a result with its errors as clients get them. */
export function formatPart<T extends Pick<Part, 'errors' | 'incremental'>>(part: T): T {
  const { errors, incremental } = part;
  return {
    ...part,
    ...(errors && { errors: errors.map(formatError) }),
    ...(incremental && { incremental: incremental.map(formatPart) }),
  };
}
