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

/** What `X-Error-Code` may say beside the codes of the domain. */
export const requestCodes = {
  BAD_REQUEST: 'The body is not JSON.',
  UNAUTHENTICATED: 'A good token is missing.',
  FORBIDDEN: 'The token lacks the scope for this.',
  UNKNOWN_PATH: 'Nothing is at this path.',
  METHOD_NOT_ALLOWED: 'The path does not take this method; `Allow` names those it takes.',
  PAYLOAD_TOO_LARGE: 'The body is too large.',
  UNSUPPORTED_MEDIA_TYPE: 'The body is of another type than application/json.',
  SERVICE_UNAVAILABLE:
    'The service cannot serve the request; `Retry-After`, if present, says when to send it again.',
  RATE_LIMITED:
    'The key has spent its budget, or too much of the tenant waits; `Retry-After` says when to send it again.',
  TIMEOUT: 'The call took too long and was given up.',
  INTERNAL_SERVER_ERROR: 'A fault of the service, logged under the id in `X-Request-Id`.',
} as const;

export type RequestCode = keyof typeof requestCodes;

export const restCodes = { ...errorCodes, ...requestCodes };

/** A request that cannot be served, whatever its input says. */
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
  'Internal error. Nothing was half-written. Try again, and report the request id if it happens again.';

/** What hono and its validators refuse by themselves. */
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

/** The answer to an error: the clients know no other code than 400 for what the domain refuses, conflicts included. */
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
