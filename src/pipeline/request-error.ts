import { GraphQLError } from 'graphql';

/** The stable values of `extensions.code` of a top-level error. */
export const topLevelCodes = [
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'QUERY_TOO_COMPLEX',
  'PAYLOAD_TOO_LARGE',
  'RATE_LIMITED',
  'SERVICE_UNAVAILABLE',
  'TIMEOUT',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_REQUIRED',
  'INTERNAL_SERVER_ERROR',
] as const;

export type TopLevelCode = (typeof topLevelCodes)[number];

/** An error of the request as a whole. `status` is the HTTP status, whichever media type the response has. */
export function requestError(
  code: TopLevelCode,
  message: string,
  status: number,
  headers: Record<string, string> = {},
): GraphQLError {
  return new GraphQLError(message, { extensions: { code, http: { status, headers } } });
}
