import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { type ClientOptions, WebSocket } from 'ws';
import type { Client, Json } from './service.ts';

export interface OpenOptions extends Omit<ClientOptions, 'protocol'> {
  protocol?: string | string[];
}

export interface RawSocket {
  socket: WebSocket;
  /** Sends a message: a string or bytes as they are, other values as JSON. */
  send(message: unknown): void;
  /** Returns the next message. Fails if the socket closes before. */
  next(): Promise<Json>;
  /** Sends a ping message, and returns the messages that arrive before its pong. */
  roundTrip(): Promise<Json[]>;
  /** The close code and reason of the server. */
  closed: Promise<{ code: number; reason: string }>;
}

const webSocketUrl = (url: string) => url.replace(/^http/, 'ws');

/** Opens a WebSocket without sending `connection_init`. */
export async function openRaw(url: string, options: OpenOptions = {}): Promise<RawSocket> {
  const { protocol = GRAPHQL_TRANSPORT_WS_PROTOCOL, ...rest } = options;
  const socket = new WebSocket(webSocketUrl(url), protocol, rest);
  const received: Json[] = [];
  let wake = () => {};
  socket.on('message', (data) => {
    received.push(JSON.parse(String(data)));
    wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      resolve({ code, reason: String(reason) });
      wake();
    });
  });
  await once(socket, 'open');
  const raw: RawSocket = {
    socket,
    closed,
    send: (message) =>
      socket.send(
        typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message),
      ),
    async next() {
      while (received.length === 0) {
        if (socket.readyState === socket.CLOSED) throw new Error(JSON.stringify(await closed));
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return received.shift();
    },
    async roundTrip() {
      const messages: Json[] = [];
      raw.send({ type: 'ping' });
      for (;;) {
        const message = await raw.next();
        if (message.type === 'pong') return messages;
        messages.push(message);
      }
    },
  };
  return raw;
}

/** Opens a WebSocket that the server has acknowledged. */
export async function openAcknowledged(
  url: string,
  { token }: Pick<Client, 'token'>,
  options?: OpenOptions,
): Promise<RawSocket> {
  const raw = await openRaw(url, options);
  raw.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  const message = await raw.next();
  if (message.type !== 'connection_ack') throw new Error(JSON.stringify(message));
  return raw;
}

/** Returns the status and body of a handshake that the server refuses. */
export async function refusedHandshake(
  url: string,
  { protocol = GRAPHQL_TRANSPORT_WS_PROTOCOL, ...rest }: OpenOptions = {},
): Promise<{ status: number | undefined; code: string }> {
  const socket = new WebSocket(webSocketUrl(url), protocol, rest);
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, code: JSON.parse(text).errors[0].extensions.code };
}

/** Returns a `subscribe` message. */
export const subscribe = (id: string, query: string, variables: object = {}) => ({
  id,
  type: 'subscribe',
  payload: { query, variables },
});
