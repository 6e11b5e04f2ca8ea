import type { IncomingMessage, ServerResponse } from 'node:http';
import type { GraphQLError, GraphQLSchema } from 'graphql';
import { isAsyncIterable } from 'graphql-yoga';
import type { Logger } from 'pino';
import { bodyOf, dropRest } from '../http/body.ts';
import type { InLane } from '../http/lanes.ts';
import { refuseUpgrade } from '../http/malformed.ts';
import { requestIdFrom } from '../http/request.ts';
import type { UpgradeListener } from '../http/upgrade.ts';
import { createCancel } from '../lib/cancel.ts';
import { maskTraced } from './errors.ts';
import { type Engine, type Exchange, isEvents, partsOf, type Result } from './exchange.ts';
import { createGraphiql, type GraphiqlOptions, wantsPage } from './graphiql.ts';
import { createPipeline, type PipelineOptions } from './pipeline.ts';
import { type RawParams, receive } from './receive.ts';
import { requestError } from './request-error.ts';
import { type Answer, createRespond } from './respond.ts';
import { createEventStream } from './transports/sse.ts';
import { createWebSockets } from './transports/websocket.ts';
import { createYogaTransport, type YogaTransport } from './transports/yoga.ts';

export const endpoint = '/graphql';

export interface GraphqlOptions extends PipelineOptions {
  /** Builds the schema. Called again for traced requests. */
  buildSchema(): GraphQLSchema;
  log: Logger;
  /** Limits the concurrent requests of a token. */
  inTurn: InLane<string>;
  /** undefined: no GraphiQL. */
  graphiql: GraphiqlOptions | undefined;
  /** Origins whose scripts can open WebSockets. */
  corsOrigins: readonly string[];
}

/** Returns the exchange of a request of node:http. */
function openExchange(incoming: IncomingMessage, response: ServerResponse): Exchange {
  const header = (name: string) => incoming.headers[name] as string | undefined;
  const cancel = createCancel();
  const { socket } = incoming;
  const end = () => {
    // Nothing of the request still runs after its response.
    if (!response.writableFinished) cancel.abort(new Error('The client closed the connection.'));
  };
  // A response that waits behind another one of its connection does not notice that the connection closes.
  socket.once('close', end);
  response.once('close', () => {
    socket.off('close', end);
    end();
  });
  return {
    method: incoming.method ?? '',
    header,
    requestId: requestIdFrom(header('x-request-id')),
    arrivedAt: performance.now(),
    closed: cancel.signal,
  };
}

async function write({ status, headers, body }: Answer, response: ServerResponse): Promise<void> {
  const { req } = response;
  if (!req.complete && !(await dropRest(req))) response.shouldKeepAlive = false;
  response.writeHead(status, headers).end(body);
}

const methods = ['GET', 'POST'];

function split(url: string): [path: string, search: string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

const nothingHere = `There is nothing at this path. GraphQL is at ${endpoint}.`;
const unknownPath = () => requestError('BAD_REQUEST', nothingHere, 404);
const wrongMethod = () =>
  requestError('BAD_REQUEST', 'Send GraphQL requests by POST or GET.', 405, { allow: methods.join(', ') });

/** Apollo gateways request the timing of all fields with this header. */
const traceHeader = 'apollo-federation-include-trace';

/** Returns yoga with the plugin that times every field, created on the first such request. */
function createTraced(buildSchema: () => GraphQLSchema, respond: ReturnType<typeof createRespond>) {
  let made: Promise<YogaTransport> | undefined;
  return () => {
    made ??= import('@graphql-yoga/plugin-apollo-inline-trace').then(({ useApolloInlineTrace }) =>
      createYogaTransport(buildSchema(), respond, [useApolloInlineTrace({ rewriteError: maskTraced })]),
    );
    return made;
  };
}

/** Refuses the handshakes at other paths. */
function atEndpoint(upgrade: UpgradeListener): UpgradeListener {
  return (request, socket, head) => {
    if (split(request.url ?? '')[0] === endpoint) upgrade(request, socket, head);
    else refuseUpgrade(socket, 404, nothingHere);
  };
}

/**
 * Returns the GraphQL API for a server of node:http: the listener of its requests, and its WebSockets. `url` of a request
 * is a path with a query string.
 */
export function createGraphqlTransports(options: GraphqlOptions) {
  const respond = createRespond(options);
  const yoga = createYogaTransport(options.buildSchema(), respond);
  const traced = createTraced(options.buildSchema, respond);
  const sendEvents = createEventStream(respond, options.log);
  const run = createPipeline(options, yoga.engine.schema, yoga.validate);
  const page = options.graphiql && createGraphiql(options.graphiql);
  const sockets = createWebSockets({ ...options, engine: yoga.engine, run, respond });

  /** Writes a result: in one body, or as a stream. */
  async function finish(
    incoming: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange,
    result: Result,
  ): Promise<void> {
    // Not awaited: a subscription that has started is no running request of its token.
    if (isEvents(result)) return void sendEvents(response, exchange, result);
    const { accepts } = exchange;
    const isStream = isAsyncIterable(result);
    if (!isStream && accepts?.json === undefined && accepts?.whole !== undefined)
      return yoga.answer(incoming, response, accepts.whole, { exchange, work: () => result });
    if (!isStream) return write(await respond.json(exchange, result), response);
    // The client is gone: it would neither read nor end the stream.
    if (exchange.closed.aborted) return void result[Symbol.asyncIterator]().return?.();
    const type = accepts?.parts ?? accepts?.events ?? 'text/event-stream';
    return yoga.answer(incoming, response, type, { exchange, work: () => result });
  }

  async function serve(
    incoming: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange,
    read: () => Promise<RawParams>,
  ): Promise<void> {
    if (exchange.header(traceHeader) !== 'ftv1')
      return finish(incoming, response, exchange, await run(exchange, yoga.engine, read));
    const { answer } = await traced();
    const work = async (engine: Engine) => partsOf(await run(exchange, engine, read));
    await answer(incoming, response, 'application/json', { exchange, work });
  }

  /** Runs the requests of one token in turns. A request that is still arriving delays no other request. */
  async function serveInTurn(
    incoming: IncomingMessage,
    response: ServerResponse,
    exchange: Exchange,
    search: string,
  ): Promise<void> {
    const readBody = bodyOf(incoming);
    const read = () => receive(exchange, search, readBody);
    if (!incoming.complete) return serve(incoming, response, exchange, read);
    try {
      return await options.inTurn(exchange.header('authorization') ?? '', 1, () =>
        serve(incoming, response, exchange, read),
      );
    } catch (busy) {
      return serve(incoming, response, exchange, () => Promise.reject(busy as Error));
    }
  }
  /** Refuses a request before its token or body is read. */
  function refuse(response: ServerResponse, exchange: Exchange, error: GraphQLError): Promise<void> {
    return respond.json(exchange, { errors: [error] }).then((answer) => write(answer, response));
  }

  async function answer(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = openExchange(incoming, response);
    const [path, search] = split(incoming.url ?? '');
    const showsPage = page !== undefined && wantsPage(incoming);
    if (showsPage && path === endpoint) return write(await page(incoming), response);
    if (showsPage && path === '/') return void response.writeHead(302, { location: endpoint }).end();
    if (path !== endpoint) return refuse(response, exchange, unknownPath());
    if (!methods.includes(exchange.method)) return refuse(response, exchange, wrongMethod());
    // By then, a body that was sent with its headers has arrived.
    await new Promise((resolve) => setImmediate(resolve));
    return serveInTurn(incoming, response, exchange, search);
  }
  return { listener: answer, sockets: { ...sockets, upgrade: atEndpoint(sockets.upgrade) } };
}
