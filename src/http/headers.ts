/** The default headers of every response: for one caller, never cached, sniffed or framed. */
const always: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  vary: 'Accept-Encoding',
  'x-content-type-options': 'nosniff',
};

/** The headers that scripts of an allowed origin can read. */
const exposed =
  'etag, idempotent-replayed, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-error-code, x-request-id';
const preflightSeconds = 3600;

export interface RequestHead {
  method: string | undefined;
  origin: string | undefined;
  /** The headers of a preflight. */
  requestedMethod: string | undefined;
  requestedHeaders: string | undefined;
}

export interface ProtectiveHeaders {
  headers: Readonly<Record<string, string>>;
  /** Whether the request is a CORS preflight, which gets no body. */
  isPreflight: boolean;
}

/**
 * Returns the protective headers of a response. Scripts of `origins` can send requests. There are no cookies, so a
 * request carries only the token that the script has.
 */
export function createHeaders(origins: readonly string[]): (request: RequestHead) => ProtectiveHeaders {
  const allowed = new Set(origins);
  return ({ method, origin, requestedMethod, requestedHeaders }) => {
    if (origin === undefined || !allowed.has(origin)) return { headers: always, isPreflight: false };
    const headers = {
      ...always,
      'access-control-allow-origin': origin,
      'access-control-expose-headers': exposed,
      vary: 'Accept-Encoding, Origin',
    };
    if (method !== 'OPTIONS' || requestedMethod === undefined) return { headers, isPreflight: false };
    const preflight = {
      ...headers,
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': requestedHeaders ?? '',
      'access-control-max-age': String(preflightSeconds),
    };
    return { headers: preflight, isPreflight: true };
  };
}
