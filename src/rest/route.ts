import type { HttpBindings } from '@hono/node-server';
import { createRoute, type OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import type { Caller, Ctx, Selects, Viewer } from '../ctx.ts';
import { maxBodyBytes } from '../http/body.ts';
import type { Spend } from '../http/budget.ts';
import type { RunOperation } from '../http/lanes.ts';
import { type Cancel, createCancel } from '../lib/cancel.ts';
import { requireScope, type Scope } from '../lib/scope.ts';
import { ErrorAnswer, errorCodeHeader } from './answer.ts';
import { checkUrl, readBody } from './body.ts';
import { RequestError } from './errors.ts';
import { type PlusName, readName } from './path.ts';
import type { z } from './zod.ts';

/** The parts of the service that the REST API needs. */
export interface RestOptions {
  log: Logger;
  authenticate(authorization: string | null): Promise<Viewer | undefined>;
  /** Returns a session token for the viewer of an API key. Undefined if the service has no session key. */
  issueSession: ((viewer: Viewer, now: Date) => Promise<string>) | undefined;
  createContext(caller: Caller, selects: Selects): Ctx;
  /** Undefined if there is no rate limit. */
  spend: Spend | undefined;
  runOperation: RunOperation;
  /** Whether to serve `/docs` and `/openapi.json`. */
  restDocs: boolean;
}

export interface RestEnv {
  Bindings: HttpBindings;
  Variables: {
    options: RestOptions;
    requestId: string;
    ctx: Ctx;
    /** Ends the work for the request. */
    cancel: Cancel;
    /** Undefined if no plus in the path can stand for a space. */
    plusName?: PlusName;
  };
}

export type Rest = OpenAPIHono<RestEnv>;
export type RestContext = Context<RestEnv>;

/** The cost of a request, close to that of the same operation in GraphQL. */
const costs = { read: 200, write: 300 };

function charge(c: RestContext, viewer: Viewer, cost: number): void {
  const decision = c.var.options.spend?.(viewer, cost);
  if (decision === undefined) return;
  const headers = decision.headers();
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  if (decision.allowed) return;
  const message = `The budget of your key is spent. Try again in ${headers['retry-after']} s.`;
  throw new RequestError(429, 'RATE_LIMITED', message, headers);
}

/** Requires a valid token. */
const authenticated: MiddlewareHandler<RestEnv> = async (c, next) => {
  const { options, requestId } = c.var;
  const viewer = await options.authenticate(c.req.header('authorization') ?? null);
  if (viewer === undefined) {
    const message = 'Missing or invalid token. Send the header `Authorization: Bearer <your API key>`.';
    throw new RequestError(401, 'UNAUTHENTICATED', message, { 'www-authenticate': 'Bearer' });
  }
  // REST returns every field of an account.
  const selects = { field: () => true, only: () => false };
  const cancel = createCancel();
  c.set('cancel', cancel);
  c.set('ctx', options.createContext({ viewer, requestId, now: new Date(), cancel }, selects));
  await next();
};

/** Charges the budget of the key, and runs the request in its tenant's lane. */
const inLane: MiddlewareHandler<RestEnv> = async (c, next) => {
  const { ctx, cancel, options } = c.var;
  const canWrite = !['GET', 'HEAD'].includes(c.req.method);
  const cost = canWrite ? costs.write : costs.read;
  charge(c, ctx.viewer, cost);
  await options.runOperation({ caller: { viewer: ctx.viewer, cancel }, cost, canWrite }, next);
};

function allowed(scopes: readonly Scope[]): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    for (const scope of scopes) requireScope(c.var.ctx.viewer, scope);
    await next();
  };
}

const problems = {
  400: 'The input is invalid or conflicts with the current state.',
  401: 'The token is missing or invalid.',
  403: 'The token lacks a scope.',
  404: 'Your tenant has no such entity.',
  405: 'The path does not support this method. `Allow` lists the methods that it supports.',
  429: 'The budget of the key is spent. `Retry-After` has the number of seconds until a retry.',
  503: 'The service cannot handle the request. `Retry-After`, if present, has the number of seconds until a retry.',
  default: 'An unexpected error or a timeout. Report its `X-Request-Id` if it persists.',
};

/** The error responses of routes whose requests have a body. */
const bodyProblems = {
  413: `The body has more than ${maxBodyBytes} bytes, or too many values.`,
  415: 'The body is not declared as `application/json`, or has an unknown encoding.',
};

/** Describes the error responses that a route can return. */
function problemAnswers(hasBody: boolean) {
  const content = { 'application/json': { schema: ErrorAnswer } };
  const described = Object.entries({ ...problems, ...(hasBody && bodyProblems) });
  return Object.fromEntries(
    described.map(([status, description]) => [status, { description, headers: errorCodeHeader, content }]),
  );
}

/** Describes a JSON response, with an optional example. */
export function answer<T extends z.ZodType>(schema: T, description: string, example?: unknown) {
  const media = example === undefined ? { schema } : { schema, example };
  return { description, content: { 'application/json': media } };
}

/** Describes a JSON request body, with an optional example. */
export function body<T extends z.ZodType>(schema: T, example?: unknown) {
  const media = example === undefined ? { schema } : { schema, example };
  return { required: true as const, content: { 'application/json': media } };
}

/** Defines a route that requires these scopes. They are checked before the rules of the input. */
export function call<P extends string, R extends Omit<RouteConfig, 'path' | 'middleware'> & { path: P }>(
  scopes: readonly Scope[],
  config: R,
) {
  const needs = scopes.map((scope) => `\`${scope}\``).join(' and ');
  return createRoute({
    ...config,
    description: [config.description, needs && `Needs the scope ${needs}.`].filter(Boolean).join(' '),
    security: [{ bearer: [] }],
    middleware: [
      ...[authenticated, checkUrl, readBody, inLane, allowed(scopes)],
      readName(config.path, config.request?.params),
    ] as const,
    responses: {
      ...problemAnswers(config.request?.body !== undefined),
      ...config.responses,
    } as R['responses'],
  });
}
