import { beforeAll, expect } from 'vitest';
import type { Scope } from '../../src/lib/scope.ts';
import { type Contract, readContract } from './openapi.ts';
import type { Client, Json, Service } from './service.ts';

export interface RestAnswer {
  status: number;
  headers: Headers;
  body: Json;
}

export interface RestRequest {
  body?: unknown;
  headers?: Record<string, string>;
}

/** A REST client of a tenant. */
export interface RestClient {
  graphql: Client;
  send(method: string, path: string, request?: RestRequest): Promise<RestAnswer>;
  get(path: string, headers?: Record<string, string>): Promise<RestAnswer>;
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<RestAnswer>;
  patch(path: string, body: unknown, headers?: Record<string, string>): Promise<RestAnswer>;
  delete(path: string, headers?: Record<string, string>): Promise<RestAnswer>;
}

export interface RestService {
  readonly contract: Contract;
  of(client: Client): RestClient;
  /** Returns a client with a key that has only these scopes. */
  withScopes(client: RestClient, scopes: readonly Scope[]): Promise<RestClient>;
}

/** Fails if a body contains `null`, which the generated clients reject. */
function expectNoNull(body: unknown): void {
  expect(JSON.stringify(body)).not.toMatch(/[:,[]null\b/);
}

function requestOf(token: string, method: string, path: string, { body, headers }: RestRequest): Request {
  return new Request(`http://localhost${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
}

/** Sends REST requests to a service and checks every response against the OpenAPI document. */
export function useRest(service: Service): RestService {
  let contract: Contract;
  beforeAll(async () => {
    contract = await readContract(service);
  });

  function of(client: Client): RestClient {
    const send: RestClient['send'] = async (method, path, request = {}) => {
      const response = await service.fetch(requestOf(client.token, method, path, request));
      const { status, headers } = response;
      const text = await response.text();
      expect(headers.get('x-request-id')).toMatch(/\S/);
      if (text === '') return { status, headers, body: undefined };
      expect(headers.get('content-type')).toBe('application/json');
      const body = JSON.parse(text) as Json;
      contract.check(method, path, status, body);
      expectNoNull(body);
      return { status, headers, body };
    };
    return {
      graphql: client,
      send,
      get: (path, headers = {}) => send('GET', path, { headers }),
      post: (path, body, headers = {}) => send('POST', path, { body, headers }),
      patch: (path, body, headers = {}) => send('PATCH', path, { body, headers }),
      delete: (path, headers = {}) => send('DELETE', path, { headers }),
    };
  }
  return {
    get contract() {
      return contract;
    },
    of,
    withScopes: async ({ graphql }, scopes) => of(await service.newKey(graphql, scopes)),
  };
}

/** Fails unless a response has this status, only a message, and the code in its header. */
export function expectRefusal({ status, headers, body }: RestAnswer, expected: number, code: string): void {
  expect({ status, code: headers.get('x-error-code'), fields: Object.keys(body) }).toEqual({
    status: expected,
    code,
    fields: ['message'],
  });
  expect(body.message).toMatch(/\S/);
  expect([...body.message].length).toBeLessThanOrEqual(500);
}
