import type { IncomingMessage, ServerResponse } from 'node:http';
import type { YogaServerInstance } from 'graphql-yoga';
import type { Logger } from 'pino';
import type { Ctx } from '../ctx.ts';
import type { InLane } from '../http/lanes.ts';
import { requestIdFrom } from '../http/request.ts';
import { type createDirect, isDirect, requestOf, write } from './direct.ts';
import type { Known, ServerContext } from './operate.ts';
import { bodyOf } from './request.ts';

type Server = YogaServerInstance<ServerContext, Ctx>;

export interface ListenerOptions {
  /** The path of requests that are answered directly. */
  endpoint: string;
  answer: ReturnType<typeof createDirect>;
  /** Gives what is sent with one token its turn. */
  inTurn: InLane<string>;
  /** Answers what is not answered directly. */
  yoga: Server;
  /** The server for a request that is to be traced. */
  tracedFor(trace: unknown): Promise<Server> | undefined;
  /** By this header a request says that it is. */
  traceHeader: string;
  log: Logger;
}

type Read = () => Promise<string>;

/** Answers requests of a server of node:http. */
export function createListener(options: ListenerOptions) {
  const { endpoint, answer, yoga, tracedFor, traceHeader, log } = options;
  const lose = (response: ServerResponse) => (error: unknown) => {
    log.error({ err: error }, 'an answer was lost of a bug');
    response.destroy();
  };
  async function serve(incoming: IncomingMessage, response: ServerResponse, read: Read, arrivedAt?: number) {
    const requestId = requestIdFrom(incoming.headers['x-request-id'] as string | undefined);
    const known: Known = { requestId, arrivedAt };
    const given = await answer({ request: requestOf(incoming), read }, known);
    if (given !== undefined) return write(given, response);
    // Not awaited: an answer in parts may go on for ever, and nobody waits for that.
    void Promise.resolve(yoga(incoming, response, known as ServerContext)).catch(lose(response));
  }
  /**
   * A request that is here as a whole waits for its turn with nothing but itself in memory: at 1,024 connections, that
   * takes a seventh off the CPU. One that is still on its way takes no turn: others would wait for its sender.
   */
  function serveInTurn(incoming: IncomingMessage, response: ServerResponse, arrivedAt: number): void {
    const read = bodyOf(incoming);
    const fail = lose(response);
    if (!incoming.complete) return void serve(incoming, response, read).catch(fail);
    try {
      const work = () => serve(incoming, response, read, arrivedAt).catch(fail);
      void options.inTurn(incoming.headers.authorization ?? '', 1, work);
    } catch (busy) {
      void serve(incoming, response, () => Promise.reject(busy as Error)).catch(fail);
    }
  }
  return (incoming: IncomingMessage, response: ServerResponse): void => {
    const traced = tracedFor(incoming.headers[traceHeader]);
    if (traced !== undefined)
      return void traced.then((server) => server(incoming, response)).catch(lose(response));
    if (!isDirect(requestOf(incoming), endpoint)) return void yoga(incoming, response);
    // By then, what was sent along with its headers has been read.
    setImmediate(serveInTurn, incoming, response, performance.now());
  };
}
