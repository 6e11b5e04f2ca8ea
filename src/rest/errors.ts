import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import {
  AppError,
  BusyError,
  DeadlineError,
  errorCodes,
  ForbiddenError,
  NotFoundError,
  UnavailableError,
} from '../lib/errors.ts';

/** Values of `X-Error-Code` besides the codes of the domain. */
export const requestCodes = {
  BAD_REQUEST: 'The body is not JSON.',
  UNAUTHENTICATED: 'The token is missing or invalid.',
  FORBIDDEN: 'The token lacks a scope.',
  UNKNOWN_PATH: 'The path does not exist.',
  METHOD_NOT_ALLOWED: 'The path does not support this method. `Allow` lists the methods that it supports.',
  PAYLOAD_TOO_LARGE: 'The body is too large.',
  UNSUPPORTED_MEDIA_TYPE: 'The body is not `application/json`.',
  SERVICE_UNAVAILABLE:
    'The service cannot handle the request. `Retry-After`, if present, says when to retry.',
  RATE_LIMITED:
    'The budget of the key is spent, or too many requests of the tenant wait. `Retry-After` says when to retry.',
  TIMEOUT: 'The request timed out.',
  INTERNAL_SERVER_ERROR: 'Unexpected error, which is logged with the id in `X-Request-Id`.',
} as const;

export type RequestCode = keyof typeof requestCodes;

export const restCodes = { ...errorCodes, ...requestCodes };

/** An error of the request itself, as opposed to its input. */
export class RequestError extends Error {
  override name = 'RequestError';
  readonly code: RequestCode;
  readonly status: ContentfulStatusCode;
  readonly headers: Record<string, string>;

  constructor(
    status: ContentfulStatusCode,
    code: RequestCode,
    message: string,
    headers: Record<string, string> = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export interface Refusal {
  status: ContentfulStatusCode;
  code: keyof typeof restCodes;
  message: string;
  headers: Record<string, string>;
}

const internalMessage =
  'Internal error. Nothing was partially written. Try again, and report the request id if the error persists.';

/** Converts an error that hono or its validators throw. */
function httpRefusal(status: number): Refusal {
  return status === 415
    ? {
        status: 415,
        code: 'UNSUPPORTED_MEDIA_TYPE',
        message: 'The content type must be application/json.',
        headers: {},
      }
    : { status: 400, code: 'BAD_REQUEST', message: 'The body is not JSON.', headers: {} };
}

/** Converts an error to a response. The origin's clients expect 400 for all errors of the domain, also conflicts. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof RequestError) {
    const { status, code, message, headers } = error;
    return { status, code, message, headers };
  }
  if (error instanceof AppError) {
    const status = error instanceof NotFoundError ? 404 : 400;
    return { status, code: error.code, message: error.message, headers: {} };
  }
  if (error instanceof ForbiddenError) {
    return { status: 403, code: 'FORBIDDEN', message: error.message, headers: {} };
  }
  if (error instanceof UnavailableError) {
    const headers = { 'retry-after': String(error.retryAfterS) };
    return { status: 503, code: 'SERVICE_UNAVAILABLE', message: error.message, headers };
  }
  if (error instanceof DeadlineError) {
    return { status: 504, code: 'TIMEOUT', message: error.message, headers: {} };
  }
  if (error instanceof BusyError) {
    return { status: 429, code: 'RATE_LIMITED', message: error.message, headers: { 'retry-after': '1' } };
  }
  if (error instanceof HTTPException && error.status < 500) return httpRefusal(error.status);
  return { status: 500, code: 'INTERNAL_SERVER_ERROR', message: internalMessage, headers: {} };
}
