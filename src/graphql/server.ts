import { useDeferStream } from '@graphql-yoga/plugin-defer-stream';
import type { GraphQLError, GraphQLSchema } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Caller, Ctx, Selects, Viewer } from '../ctx.ts';
import type { Spend } from '../http/budget.ts';
import type { InLane, RunOperation } from '../http/lanes.ts';
import { requestIdFrom } from '../http/request.ts';
import { createCancel } from '../lib/cancel.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Tracing } from '../observe/trace.ts';
import { useCompression } from './compression.ts';
import { createDirect, type DirectOptions, isDirect } from './direct.ts';
import { createFindDocument, usePersistedDocuments } from './documents.ts';
import { createPerform, runDocument, useExecutor, useOperations } from './execution.ts';
import { createGraphiql, type GraphiqlOptions, wantsPage } from './graphiql.ts';
import { createDocumentCaches } from './limits.ts';
import { createListener } from './listener.ts';
import type { DocumentOptions } from './manifest.ts';
import { maskTraced, useShownErrors } from './mask.ts';
import { createOperate, type ServerContext } from './operate.ts';
import { createGuard, useProtection } from './protection.ts';
import { readBody, requestError, useJsonBody } from './request.ts';
import { useRequestLog } from './request-log.ts';
import { useSelection } from './selection.ts';
import { useSubscriptions } from './subscriptions.ts';

export const endpoint = '/graphql';

export interface ServerOptions {
  /** undefined: requests may cost what they will. */
  spend: Spend | undefined;
  /** Whether the schema may be asked for, and guessed in messages. */
  exposesSchema: boolean;
  /** Makes the schema; called again for the requests that are traced. */
  buildSchema(): GraphQLSchema;
  log: Logger;
  authenticate(authorization: string | null): Promise<Viewer | undefined>;
  createContext(caller: Caller, selects: Selects): Ctx;
  runOperation: RunOperation;
  /** Gives what is sent with one token its turn. */
  inTurn: InLane<string>;
  /** undefined: no GraphiQL. */
  graphiql: GraphiqlOptions | undefined;
  documents: DocumentOptions;
  tracing: Tracing | undefined;
  /** undefined: errors are not counted. */
  metrics?: Metrics | undefined;
}

type LetIn = DirectOptions['letIn'];

/** Lets in who has a good token. */
function createLetIn({ authenticate }: ServerOptions): LetIn {
  return async (authorization, requestId) => {
    const renew = () => authenticate(authorization);
    const viewer = await renew();
    if (viewer === undefined) throw unauthenticated();
    return { viewer, renew, requestId, now: new Date(), cancel: createCancel() };
  };
}

/** Lets in before anything of the request's body is read. */
function useAuthentication(letIn: LetIn): Plugin<object, ServerContext> {
  return {
    async onRequestParse({ request, serverContext }) {
      const context = serverContext as ServerContext;
      context.caller ??= await letIn(request.headers.get('authorization'), context.requestId);
    },
  };
}

function unauthenticated(): GraphQLError {
  const message = 'A good token is missing: send the header `Authorization: Bearer <your API key>`.';
  return requestError('UNAUTHENTICATED', message, 401, { 'www-authenticate': 'Bearer' });
}

/** Answers what is not GraphQL, and names every request. */
function usePages({ graphiql }: ServerOptions): Plugin<object, ServerContext> {
  const page = graphiql === undefined ? undefined : createGraphiql(graphiql);
  return {
    async onRequest({ request, url, serverContext, endResponse }) {
      (serverContext as ServerContext).requestId ??= requestIdFrom(request.headers.get('x-request-id'));
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

/** What yoga would do by itself. */
const switchedOff = {
  logging: false,
  graphiql: false,
  landingPage: false,
  cors: false,
  multipart: false,
} as const;

/** What the servers have in common. */
function createParts(options: ServerOptions) {
  return {
    ...options,
    letIn: createLetIn(options),
    findDocument: createFindDocument(options.documents),
    guard: createGuard(options.spend),
    perform: createPerform(options.runOperation, options.tracing),
  };
}

type Parts = ReturnType<typeof createParts>;

/** A yoga server; one with a tracer times every field, for which it needs a schema of its own. */
function createServer(options: Parts, tracer: Plugin[] = []) {
  const caches = createDocumentCaches();
  const yoga = createYoga<ServerContext, Ctx>({
    schema: options.buildSchema(),
    context: ({ caller, selects }) => options.createContext(caller, selects),
    plugins: [
      usePages(options),
      useAuthentication(options.letIn),
      useJsonBody(),
      usePersistedDocuments(options.findDocument),
      useProtection(options),
      useSelection(),
      useDeferStream(),
      useExecutor(),
      useSubscriptions(({ caller, selects }: ServerContext) =>
        options.createContext({ ...caller, now: new Date() }, selects),
      ),
      ...tracer,
      useOperations(options.perform),
      useShownErrors(options),
      ...(options.log.isLevelEnabled('debug') ? [useRequestLog(options.log)] : []),
      useCompression(),
    ],
    // What is thrown is masked where it is shown, and logged with the request's id.
    maskedErrors: false,
    extraParamNames: ['documentId'],
    parserAndValidationCache: caches,
    graphqlEndpoint: endpoint,
    ...switchedOff,
    // The parser of bodies counts; yoga's own limit rebuilds every request around a stream.
    maxRequestBodySize: false,
  });
  return { yoga, operate: createOperate({ ...options, yoga, caches, execute: runDocument }) };
}

/** By this header Apollo's gateway asks for the times of all fields. */
const traceHeader = 'apollo-federation-include-trace';

/** A server for requests that are traced, made when the first of them comes. */
function createTraced(parts: Parts) {
  let made: Promise<ReturnType<typeof createServer>['yoga']> | undefined;
  return (trace: unknown) => {
    if (trace !== 'ftv1') return undefined;
    made ??= import('@graphql-yoga/plugin-apollo-inline-trace').then(
      ({ useApolloInlineTrace }) =>
        createServer(parts, [useApolloInlineTrace({ rewriteError: maskTraced })]).yoga,
    );
    return made;
  };
}

/** The GraphQL server: answers requests, and listens to a server of node:http. */
export function createGraphqlServer(options: ServerOptions) {
  const parts = createParts(options);
  const { yoga, operate } = createServer(parts);
  const tracedFor = createTraced(parts);
  const answer = createDirect({
    ...parts,
    operate,
    run: async (request, known) =>
      yoga.getResultForParams({ params: known.params, request }, known as ServerContext),
  });
  return {
    async fetch(request: Request): Promise<Response> {
      const traced = tracedFor(request.headers.get(traceHeader));
      if (traced !== undefined) return (await traced).fetch(request);
      if (!isDirect(request, new URL(endpoint, request.url).href)) return yoga.fetch(request);
      const known = { requestId: requestIdFrom(request.headers.get('x-request-id')) };
      const given = await answer({ request, read: () => readBody(request) }, known);
      if (given === undefined) return yoga.fetch(request, known as ServerContext);
      return new Response(given.body as string, given);
    },
    listener: createListener({ ...options, endpoint, answer, yoga, tracedFor, traceHeader }),
  };
}
