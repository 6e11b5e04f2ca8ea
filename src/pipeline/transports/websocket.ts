import { type IncomingMessage, maxHeaderSize } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ExecutionArgs, type GraphQLError, parse } from 'graphql';
import { CloseCode, type Context, handleProtocols, makeServer, type SubscribePayload } from 'graphql-ws';
import type { Logger } from 'pino';
import { type WebSocket, WebSocketServer } from 'ws';
import { assertExact, BodyError, excessIn, maxBodyBytes } from '../../http/body.ts';
import type { InLane } from '../../http/lanes.ts';
import { refuseUpgrade } from '../../http/malformed.ts';
import { requestIdFrom } from '../../http/request.ts';
import { canConnect, type UpgradeListener } from '../../http/upgrade.ts';
import { createCancel } from '../../lib/cancel.ts';
import type { FindViewer } from '../authenticate.ts';
import { formatError, formatPart } from '../errors.ts';
import type { Engine, Exchange, Part, Result } from '../exchange.ts';
import { toResult } from '../execute.ts';
import type { Run } from '../pipeline.ts';
import { bodyError, type RawParams } from '../receive.ts';
import { requestError } from '../request-error.ts';
import type { Respond } from '../respond.ts';
import { createOperation, OperationError } from './websocket-operation.ts';

/** The most WebSockets of a process, and the most operations of one that run at the same time. */
const maxSockets = 2000;
export const maxOperations = 100;
/** The unsent bytes of a socket above which it reads no messages, and its subscriptions wait. */
const maxUnsentBytes = 1_000_000;
/** Shorter than the idle timeouts of proxies, which are often 30 s. */
const heartbeatMs = 12_000;
/** Interval for rechecking the token of a socket. The authenticator caches tokens for some time more. */
const tokenCheckMs = 2000;

/** Close codes of RFC 6455 and its registry. */
const closeCode = { goingAway: 1001, notText: 1003, tooBig: 1009, tryAgainLater: 1013 };

export interface WebSocketsOptions {
  engine: Engine;
  run: Run;
  respond: Respond;
  authenticate: FindViewer;
  /** Limits the concurrent operations of a token. */
  inTurn: InLane<string>;
  /** Origins whose scripts can connect, as well as those of the host. */
  corsOrigins: readonly string[];
  log: Logger;
}

export interface WebSockets {
  /** Opens a WebSocket, or refuses to. */
  upgrade: UpgradeListener;
  /** Refuses new sockets from now on. */
  drain(): void;
  /** Refuses new sockets, and closes each one with 1001 when its operations have ended. */
  close(): void;
  /** Closes all sockets immediately. */
  terminate(): void;
}

/** An open WebSocket. */
interface Connection {
  socket: WebSocket;
  /** The token, in the form of an `Authorization` header. */
  authorization: string | undefined;
  /** The text of the message that is being handled. */
  text: string;
  /** Operations that have not ended. */
  running: number;
  /** Whether the last check found the token invalid. */
  isExpired: boolean;
  /** Sends a message, unless the socket is closing. */
  send(text: string): void;
  /** Waits until few bytes are unsent, or the socket has closed. */
  drained(): Promise<void> | undefined;
  /** Returns whether the socket has answered the last ping. */
  isAlive(): boolean;
  /** Sends a ping. */
  ping(): void;
}

function createConnection(socket: WebSocket, authorization: string | undefined): Connection {
  let waiting: (() => void)[] = [];
  let hasAnswered = true;
  const isBehind = () => socket.readyState === socket.OPEN && socket.bufferedAmount > maxUnsentBytes;
  function release(): void {
    const released = waiting;
    waiting = [];
    for (const resume of released) resume();
    if (socket.isPaused) socket.resume();
  }
  function onSent(): void {
    // A ping waits behind the unsent bytes, so their progress counts as its answer.
    if (isBehind()) hasAnswered = true;
    else release();
  }
  socket.on('close', release).on('pong', () => {
    hasAnswered = true;
  });
  return {
    socket,
    authorization,
    text: '',
    running: 0,
    isExpired: false,
    send(text) {
      if (socket.readyState !== socket.OPEN) return;
      socket.send(text, onSent);
      // A client that sends but does not receive would fill the memory with responses.
      if (isBehind()) socket.pause();
    },
    drained: () => (isBehind() ? new Promise((resolve) => waiting.push(resolve)) : undefined),
    isAlive: () => hasAnswered,
    ping() {
      hasAnswered = false;
      socket.ping();
    },
  };
}

/** Returns the token in the payload of a `connection_init` message. */
function tokenIn(params: Readonly<Record<string, unknown>> = {}): string | undefined {
  const [, token] = Object.entries(params).find(([name]) => name.toLowerCase() === 'authorization') ?? [];
  return typeof token === 'string' && token.length <= maxHeaderSize ? token : undefined;
}

const accept = 'application/graphql-response+json, text/event-stream';

/** Returns the exchange of an operation. */
function openExchange({ authorization }: Connection, closed: Exchange['closed']): Exchange {
  const headers: Record<string, string | undefined> = { authorization, accept };
  return {
    method: 'WEBSOCKET',
    header: (name) => headers[name],
    requestId: requestIdFrom(undefined),
    arrivedAt: performance.now(),
    closed,
  };
}

/** Returns a function that reads the parameters of an operation. It throws BAD_REQUEST for an inexact number. */
function readerOf(text: string, payload: SubscribePayload): () => Promise<RawParams> {
  try {
    assertExact(text);
    return async () => ({ ...payload });
  } catch (error) {
    const refused = error instanceof BodyError ? bodyError(error) : error;
    return () => Promise.reject(refused as Error);
  }
}

const tooManyOperations = () =>
  requestError(
    'RATE_LIMITED',
    `This WebSocket already has ${maxOperations} operations. Complete one, or open another WebSocket.`,
    429,
  );

/** The operation that graphql-ws sees, so that it takes all results from `subscribe`. */
const placeholder = parse('subscription { placeholder }');

type Ctx = Context<Record<string, unknown>, Connection>;

/** Returns a server of graphql-ws whose operations run in the pipeline. */
function createProtocol(options: WebSocketsOptions, onEnd: (connection: Connection) => void) {
  const { engine, run, respond, inTurn } = options;

  async function start(exchange: Exchange, readParams: () => Promise<RawParams>): Promise<Result> {
    try {
      return await inTurn(exchange.header('authorization') ?? '', 1, () => run(exchange, engine, readParams));
    } catch (busy) {
      return run(exchange, engine, () => Promise.reject(busy as Error));
    }
  }
  function log(exchange: Exchange, { errors = [] }: Part): void {
    const { status } = (errors[0]?.extensions.http ?? {}) as { status?: number };
    const codes = errors.map(({ extensions }) => String(extensions.code));
    respond.logAnswer(exchange, status ?? 200, codes);
  }
  function open(connection: Connection, payload: SubscribePayload) {
    const readParams = readerOf(connection.text, payload);
    const cancel = createCancel();
    const exchange = openExchange(connection, cancel.signal);
    const hasRoom = connection.running < maxOperations;
    connection.running += 1;
    return createOperation({
      cancel,
      run: async () => (hasRoom ? start(exchange, readParams) : toResult(tooManyOperations())),
      show: (part) => respond.show(exchange, part),
      log: (part) => log(exchange, part),
      drained: connection.drained,
      onEnd() {
        connection.running -= 1;
        onEnd(connection);
      },
    });
  }
  return makeServer<Record<string, unknown>, Connection>({
    async onConnect(context: Ctx) {
      const { connectionParams, extra: connection } = context;
      connection.authorization = tokenIn(connectionParams) ?? connection.authorization;
      // It may be as large as a message, and would stay until the socket closes.
      Object.assign(context, { connectionParams: undefined });
      try {
        return (await options.authenticate(connection.authorization ?? null)) !== undefined;
      } catch (error) {
        options.log.warn({ err: error }, 'WebSocket refused: a dependency is unavailable');
        connection.socket.close(closeCode.tryAgainLater, 'Try again later');
        return false;
      }
    },
    // Called before anything else of the message is awaited, so `text` is still that of this message.
    onSubscribe: ({ extra: connection }: Ctx, _, payload): ExecutionArgs => ({
      schema: engine.schema,
      document: placeholder,
      contextValue: open(connection, payload),
    }),
    subscribe: ({ contextValue }) => contextValue as AsyncIterable<Part>,
    onNext: (_, __, ___, ____, result) => formatPart(result as Part) as object,
    onError(_, __, ___, errors) {
      const failed = errors[0]?.originalError;
      const shown: readonly GraphQLError[] = failed instanceof OperationError ? failed.errors : errors;
      return shown.map(formatError);
    },
  });
}

type Protocol = ReturnType<typeof createProtocol>;

/** Passes the messages of a socket to graphql-ws. */
function connect(protocol: Protocol, connection: Connection, log: Logger): void {
  const { socket } = connection;
  const closed = protocol.opened(
    {
      protocol: socket.protocol,
      send: connection.send,
      close: (code, reason) => socket.close(code, reason),
      onMessage(handle) {
        socket.on('message', (data: Buffer, isBinary) => {
          if (socket.readyState !== socket.OPEN) return;
          if (isBinary) return socket.close(closeCode.notText, 'Messages must be text');
          const text = data.toString();
          const excess = excessIn(text);
          if (excess !== undefined) return socket.close(closeCode.tooBig, excess);
          connection.text = text;
          const handled = handle(text);
          connection.text = '';
          handled.catch((error: Error) => {
            if (/^Unexpected message/.test(error.message))
              return socket.close(CloseCode.BadRequest, 'Invalid message received');
            log.error({ err: error }, 'Unexpected error while handling a message');
            socket.close(CloseCode.InternalServerError, 'Internal server error');
          });
        });
      },
    },
    connection,
  );
  socket.once('close', (code, reason) => void closed(code, String(reason)));
}

/** Pings a socket, and closes it when it does not answer, or when its token is no longer valid. */
function watch(connection: Connection, authenticate: FindViewer): void {
  const { socket } = connection;
  async function checkToken(): Promise<void> {
    if (connection.authorization === undefined) return;
    const found = authenticate(connection.authorization);
    // If the database is unavailable, keep the socket.
    const isValid = await found.then(
      (viewer) => viewer !== undefined,
      () => true,
    );
    // At the second check, because the feed ends the subscriptions in between, with their positions.
    const isOver = connection.isExpired || connection.running === 0;
    connection.isExpired = !isValid;
    if (!isValid && isOver) socket.close(CloseCode.Forbidden, 'Forbidden');
  }
  const heartbeat = setInterval(() => {
    if (connection.isAlive()) connection.ping();
    else socket.terminate();
  }, heartbeatMs).unref();
  const check = setInterval(() => void checkToken(), tokenCheckMs).unref();
  socket.once('close', () => {
    clearInterval(heartbeat);
    clearInterval(check);
  });
}

/** Returns why a handshake is refused; undefined if it can continue. */
function refusalOf(
  { headers }: IncomingMessage,
  corsOrigins: readonly string[],
): [number, string] | undefined {
  if (!canConnect(headers, corsOrigins))
    return [403, 'Scripts of this origin cannot connect. Add it to CORS_ORIGINS.'];
  if (!handleProtocols(headers['sec-websocket-protocol'] ?? ''))
    return [400, 'The WebSocket subprotocol must be `graphql-transport-ws`.'];
  return undefined;
}

/** Creates the WebSocket transport, with the protocol of graphql-ws. */
export function createWebSockets(options: WebSocketsOptions): WebSockets {
  const { authenticate, corsOrigins, log } = options;
  const connections = new Set<Connection>();
  let isDraining = false;
  let isClosing = false;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    handleProtocols,
    maxPayload: maxBodyBytes,
    perMessageDeflate: false,
    // One message per turn of the event loop: graphql-ws frees the id of a completed operation in microtasks.
    allowSynchronousEvents: false,
  }).on('wsClientError', ({ message }, socket: Duplex) => refuseUpgrade(socket, 400, `${message}.`));

  function closeIdle({ socket, running }: Connection): void {
    if (running === 0) socket.close(closeCode.goingAway, 'The server is stopping');
  }
  const protocol = createProtocol(options, (connection) => {
    // The last message of the operation follows in a microtask.
    if (isClosing) setImmediate(closeIdle, connection);
  });
  function open(socket: WebSocket, { headers }: IncomingMessage): void {
    const connection = createConnection(socket, headers.authorization);
    connections.add(connection);
    // An error closes the socket.
    socket.on('error', () => {}).once('close', () => connections.delete(connection));
    connect(protocol, connection, log);
    watch(connection, authenticate);
  }
  return {
    upgrade(request, socket, head) {
      const [status, message] = refusalOf(request, corsOrigins) ?? [];
      if (status !== undefined && message !== undefined) refuseUpgrade(socket, status, message);
      else if (isDraining) refuseUpgrade(socket, 503, 'This server is stopping. Connect again.');
      else if (connections.size >= maxSockets)
        refuseUpgrade(socket, 503, 'This server has too many WebSockets. Connect again later.');
      else server.handleUpgrade(request, socket, head, open);
    },
    drain() {
      isDraining = true;
    },
    close() {
      isDraining = true;
      isClosing = true;
      for (const connection of connections) closeIdle(connection);
    },
    terminate() {
      for (const { socket } of connections) socket.terminate();
    },
  };
}
