/** What every answer carries that says nothing else itself: it is data, read by programs, for one caller. */
const always: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  vary: 'Accept-Encoding',
  'x-content-type-options': 'nosniff',
};

/** What a script of an allowed origin may read of an answer besides its body. */
const exposed =
  'etag, idempotent-replayed, location, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-error-code, x-request-id';
const preflightSeconds = 3600;

export interface Asked {
  method: string | undefined;
  origin: string | undefined;
  /** The headers of a preflight. */
  requestedMethod: string | undefined;
  requestedHeaders: string | undefined;
}

export interface Given {
  headers: Readonly<Record<string, string>>;
  /** Nothing but the headers is to be answered: the request only asked whether another one may be sent. */
  isPreflight: boolean;
}

/**
 * Tells the headers of the answer to a request. Scripts of the given origins may send requests; there are no cookies, so
 * that a request carries only the token that the script has.
 */
export function createHeaders(origins: readonly string[]): (asked: Asked) => Given {
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
