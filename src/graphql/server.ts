import { execute, GraphQLError, type GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Ctx, Viewer } from '../ctx.ts';
import { AppError, ForbiddenError, InvalidInputError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { createGraphiql, type GraphiqlOptions, wantsPage } from './graphiql.ts';
import { type TopLevelCode, topLevelCodes, useJsonBody } from './request.ts';

export const endpoint = '/graphql';

/** What is known of a request before its document is read. */
export interface Caller {
  viewer: Viewer;
  requestId: string;
  now: Date;
}

export interface ServerOptions {
  schema: GraphQLSchema;
  log: Logger;
  authenticate(authorization: string | null): Promise<Viewer | undefined>;
  createContext(caller: Caller): Ctx;
  /** undefined: no GraphiQL. */
  graphiql: GraphiqlOptions | undefined;
}

interface ServerContext {
  caller: Caller;
  requestId: string;
}

function requestIdOf(request: Request): string {
  const given = request.headers.get('x-request-id');
  return given !== null && /^[\w.:-]{1,100}$/.test(given) ? given : newUuid();
}

/** How the entities resolver of @apollo/subgraph, which throws plain errors, refuses a type that has no keys here. */
const unknownEntity = /^The _entities resolver tried to load an entity for type/;

/** What a client may see of an error. Whatever is not meant for it is logged and hidden. */
function maskError(log: Logger) {
  return (error: unknown): Error => {
    const original = error instanceof GraphQLError ? error.originalError : error;
    const at = error instanceof GraphQLError ? { nodes: error.nodes, path: error.path } : {};
    if (original instanceof AppError) {
      const issues = original instanceof InvalidInputError ? { issues: original.issues } : {};
      return new GraphQLError(original.message, {
        ...at,
        extensions: { code: 'BAD_REQUEST', ...issues },
      } as object);
    }
    if (error instanceof GraphQLError && (original === undefined || original instanceof GraphQLError))
      return error;
    if (original instanceof Error && unknownEntity.test(original.message)) {
      return new GraphQLError(original.message, { ...at, extensions: { code: 'BAD_REQUEST' } } as object);
    }
    if (original instanceof ForbiddenError) {
      const code: TopLevelCode = 'FORBIDDEN';
      return new GraphQLError(original.message, {
        ...at,
        extensions: { code, scope: original.scope },
      } as object);
    }
    log.error({ err: original }, 'a request failed of a bug or a lost database');
    const code: TopLevelCode = 'INTERNAL_SERVER_ERROR';
    const http = at.path === undefined ? { http: { status: 500 } } : {};
    return new GraphQLError(
      'Something went wrong on our side; nothing was half-written. Send it again, and report the request id if it stays.',
      {
        ...at,
        extensions: { code, ...http },
      } as object,
    );
  };
}

/** Gives every error a code and the id of its request; errors may be shared by requests, so they are not changed. */
function useErrorExtensions(): Plugin<object, ServerContext> {
  return {
    onResultProcess({ request, result, setResult, serverContext }) {
      if (Array.isArray(result) || !('errors' in result) || !result.errors) return;
      const { requestId } = serverContext as ServerContext;
      // The protocol wants 200 for those who accept application/json by name, whatever is wrong with the document.
      const spec = /application\/json/.test(request.headers.get('accept') ?? '');
      const errors = result.errors.map((error) => {
        const { nodes, source, positions, path } = error;
        const given = error.extensions;
        const known = topLevelCodes.includes(given.code as TopLevelCode);
        const http = known
          ? given.http && { ...given.http, spec: given.http.spec && spec }
          : { status: 400, spec };
        const code = known ? given.code : 'BAD_REQUEST';
        const extensions = { ...given, code, requestId, ...(http ? { http } : {}) };
        return new GraphQLError(error.message, { nodes, source, positions, path, extensions } as object);
      });
      setResult({ ...result, errors });
    },
  };
}

/** graphql-js's own executor: yoga's gives the fields of an answer in the order in which they were resolved. */
function useOrderedAnswers(): Plugin {
  return { onExecute: ({ setExecuteFn }) => setExecuteFn(execute) };
}

/** Lets in who has a good token, before anything of the request's body is read. */
function useAuthentication({ authenticate }: ServerOptions): Plugin<object, ServerContext> {
  return {
    async onRequestParse({ request, serverContext }) {
      const viewer = await authenticate(request.headers.get('authorization'));
      if (viewer === undefined) throw unauthenticated();
      const context = serverContext as ServerContext;
      context.caller = { viewer, requestId: context.requestId, now: new Date() };
    },
  };
}

function unauthenticated(): GraphQLError {
  const message = 'A good token is missing: send the header `Authorization: Bearer <your API key>`.';
  const http = { status: 401, headers: { 'www-authenticate': 'Bearer' } };
  return new GraphQLError(message, { extensions: { code: 'UNAUTHENTICATED', http } });
}

/** Answers what is not GraphQL, and names every request. */
function usePages({ graphiql }: ServerOptions): Plugin<object, ServerContext> {
  const page = graphiql === undefined ? undefined : createGraphiql(graphiql);
  return {
    async onRequest({ request, url, serverContext, endResponse }) {
      (serverContext as ServerContext).requestId = requestIdOf(request);
      if (url.pathname === endpoint) {
        if (page !== undefined && wantsPage(request)) endResponse(await page(request));
      } else if (page !== undefined && url.pathname === '/' && wantsPage(request)) {
        endResponse(new Response(null, { status: 302, headers: { location: endpoint } }));
      } else {
        endResponse(
          Response.json(
            { errors: [{ message: `Nothing is here; GraphQL is at ${endpoint}.` }] },
            { status: 404 },
          ),
        );
      }
    },
    onResponse({ response, serverContext }) {
      const { requestId } = serverContext as ServerContext;
      if (requestId !== undefined) response.headers.set('x-request-id', requestId);
    },
  };
}

/** The GraphQL server: a `fetch` function that is a listener of node:http, too. */
export function createGraphqlServer(options: ServerOptions) {
  return createYoga<ServerContext, Ctx>({
    schema: options.schema,
    context: ({ caller }) => options.createContext(caller),
    plugins: [
      usePages(options),
      useAuthentication(options),
      useJsonBody(),
      useOrderedAnswers(),
      useErrorExtensions(),
    ],
    maskedErrors: { maskError: maskError(options.log) },
    graphqlEndpoint: endpoint,
    logging: false,
    graphiql: false,
    landingPage: false,
    cors: false,
    multipart: false,
    // The parser of bodies counts; yoga's own limit rebuilds every request around a stream.
    maxRequestBodySize: false,
  });
}
