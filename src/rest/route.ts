import { createRoute, type OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import type { Logger } from 'pino';
import type { Caller, Ctx, Selects, Viewer } from '../ctx.ts';
import type { Spend } from '../http/budget.ts';
import type { RunOperation } from '../http/lanes.ts';
import { createCancel } from '../lib/cancel.ts';
import { requireScope, type Scope } from '../lib/scope.ts';
import { ErrorAnswer, errorCodeHeader } from './answer.ts';
import { RequestError } from './errors.ts';
import { type PlusName, readName } from './path.ts';
import type { z } from './zod.ts';

/** What the facade needs of the service. */
export interface RestOptions {
  log: Logger;
  authenticate(authorization: string | null): Promise<Viewer | undefined>;
  /** Returns a session token for the viewer of an API key; undefined: the service has no key to sign it. */
  issueSession: ((viewer: Viewer, now: Date) => Promise<string>) | undefined;
  createContext(caller: Caller, selects: Selects): Ctx;
  /** undefined: requests may cost what they will. */
  spend: Spend | undefined;
  runOperation: RunOperation;
  /** Whether `/docs` and `/openapi.json` are served. */
  restDocs: boolean;
}

export interface RestEnv {
  Variables: {
    options: RestOptions;
    requestId: string;
    ctx: Ctx;
    /** undefined: the path has no plus that can stand for a space. */
    plusName?: PlusName;
  };
}

export type Rest = OpenAPIHono<RestEnv>;
export type RestContext = Context<RestEnv>;

/** What a call costs, in the units of GraphQL: about what it costs to ask there for the same. */
const costs = { read: 200, write: 300 };

function charge(c: RestContext, viewer: Viewer, cost: number): void {
  const decision = c.var.options.spend?.(viewer, cost);
  if (decision === undefined) return;
  const headers = decision.headers();
  for (const [name, value] of Object.entries(headers)) c.header(name, value);
  if (decision.allowed) return;
  const message = `Your key has spent its budget; send this again in ${headers['retry-after']} s.`;
  throw new RequestError(429, 'RATE_LIMITED', message, headers);
}

/** Lets in who has a good token, before anything of the request's body is read. */
const authenticated: MiddlewareHandler<RestEnv> = async (c, next) => {
  const { options, requestId } = c.var;
  const viewer = await options.authenticate(c.req.header('authorization') ?? null);
  if (viewer === undefined) {
    const message = 'A good token is missing: send the header `Authorization: Bearer <your API key>`.';
    throw new RequestError(401, 'UNAUTHENTICATED', message, { 'www-authenticate': 'Bearer' });
  }
  // An account is shown with all that is its own.
  const selects = { field: () => true, only: () => false };
  const cancel = createCancel();
  c.set('ctx', options.createContext({ viewer, requestId, now: new Date(), cancel }, selects));
  const cost = c.req.method === 'GET' ? costs.read : costs.write;
  charge(c, viewer, cost);
  await options.runOperation({ caller: { viewer, cancel }, cost }, next);
};

function allowed(scopes: readonly Scope[]): MiddlewareHandler<RestEnv> {
  return async (c, next) => {
    for (const scope of scopes) requireScope(c.var.ctx.viewer, scope);
    await next();
  };
}

const problems = {
  400: 'The input is not as it must be, or stands against what there is.',
  401: 'A good token is missing.',
  403: 'The token lacks a scope.',
  404: 'There is no such thing in your tenant.',
  429: 'Your key has spent its budget. `Retry-After` says in how many seconds to send it again.',
  503: 'The service cannot serve the request. `Retry-After`, if present, says in how many seconds to send it again.',
} as const;

function problem(status: keyof typeof problems) {
  const content = { 'application/json': { schema: ErrorAnswer } };
  return { description: problems[status], headers: errorCodeHeader, content };
}

/** The answers that any call may get in place of its own. */
function problemAnswers() {
  const statuses = Object.keys(problems).map(Number) as (keyof typeof problems)[];
  return Object.fromEntries(statuses.map((status) => [status, problem(status)]));
}

/** An answer in JSON, with an example of one. */
export function answer<T extends z.ZodType>(schema: T, description: string, example?: unknown) {
  const media = example === undefined ? { schema } : { schema, example };
  return { description, content: { 'application/json': media } };
}

/** A body in JSON, with an example of one. */
export function body<T extends z.ZodType>(schema: T, example?: unknown) {
  const media = example === undefined ? { schema } : { schema, example };
  return { required: true as const, content: { 'application/json': media } };
}

/** A call of the API: for tokens with these scopes, which are looked at before the input is. */
export function call<P extends string, R extends Omit<RouteConfig, 'path' | 'middleware'> & { path: P }>(
  scopes: readonly Scope[],
  config: R,
) {
  const needs = scopes.map((scope) => `\`${scope}\``).join(' and ');
  return createRoute({
    ...config,
    description: [config.description, needs && `Needs the scope ${needs}.`].filter(Boolean).join(' '),
    security: [{ bearer: [] }],
    middleware: [authenticated, allowed(scopes), readName(config.path, config.request?.params)] as const,
    responses: { ...problemAnswers(), ...config.responses } as R['responses'],
  });
}
