import type { GraphQLError } from 'graphql';
import { assertExact, assertJson, BodyError, decodeText, excessIn, isPercentEncoded } from '../http/body.ts';
import type { Exchange } from './exchange.ts';
import { requestError } from './request-error.ts';

const badRequest = (message: string, status = 400) => requestError('BAD_REQUEST', message, status);

export function bodyError({ message, status }: BodyError): GraphQLError {
  return requestError(status === 413 ? 'PAYLOAD_TOO_LARGE' : 'BAD_REQUEST', message, status);
}

/** The parameters of a request as its client sent them. */
export type RawParams = Record<string, unknown>;

function parseJson(body: string): RawParams {
  if (body.trim() === '') throw badRequest('The body is empty. Send a JSON object with a `query`.');
  const excess = excessIn(body);
  if (excess !== undefined) throw requestError('PAYLOAD_TOO_LARGE', excess, 413);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw badRequest('The body is not JSON.');
  }
  assertExact(body);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw badRequest('The body must be one JSON object with a `query`. Batches are not supported.');
  }
  return parsed as RawParams;
}

/** Returns the parameters in a query string. Empty ones count as absent. */
function parseSearch(search: string): RawParams {
  if (!isPercentEncoded(search)) throw badRequest('The query string is not UTF-8 in percent-encoding.');
  const values = new URLSearchParams(search);
  const given = (name: string) => values.get(name) || undefined;
  for (const name of ['variables', 'extensions']) assertExact(given(name) ?? '');
  const texts = ['query', 'operationName', 'documentId'].map((name) => [name, given(name)]);
  try {
    const jsons = ['variables', 'extensions'].map((name) => [name, JSON.parse(given(name) ?? 'null')]);
    return Object.fromEntries([...texts, ...jsons].filter(([, value]) => value !== undefined));
  } catch {
    throw badRequest('`variables` and `extensions` in the URL must be JSON.');
  }
}

/**
 * Returns the parameters of a request: a GET has them in its URL, a POST in a JSON body.
 * @param search the query string of the URL, without `?`
 * @throws GraphQLError BAD_REQUEST or PAYLOAD_TOO_LARGE
 */
export async function receive(exchange: Exchange, search: string, readBody: () => Promise<Uint8Array>) {
  try {
    if (exchange.method === 'GET') return parseSearch(search);
    // This content type prevents cross-site requests without a preflight.
    assertJson(exchange.header('content-type'), exchange.header('content-encoding'));
    return parseJson(decodeText(await readBody()));
  } catch (error) {
    throw error instanceof BodyError ? bodyError(error) : error;
  }
}

const names = new Set(['query', 'variables', 'operationName', 'extensions', 'documentId']);

const isMap = (value: unknown): boolean =>
  value == null || (typeof value === 'object' && !Array.isArray(value));
const isText = (value: unknown): boolean => value == null || typeof value === 'string';

/** Throws BAD_REQUEST for parameters of the wrong types. */
export function checkParams(params: RawParams): void {
  const unknown = Object.keys(params).find((name) => !names.has(name));
  if (unknown !== undefined) {
    throw badRequest(`Unknown parameter ${JSON.stringify(unknown)}. Send ${[...names].join(', ')}.`);
  }
  for (const name of ['query', 'operationName', 'documentId']) {
    if (!isText(params[name])) throw badRequest(`\`${name}\` must be a string.`);
  }
  for (const name of ['variables', 'extensions']) {
    if (!isMap(params[name])) throw badRequest(`\`${name}\` must be a JSON object.`);
  }
}
