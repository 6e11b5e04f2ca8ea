import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { formatPart } from '../errors.ts';
import type { Event, Events, Exchange } from '../exchange.ts';
import { headersOf, type Respond } from '../respond.ts';

/** Shorter than the idle timeouts of proxies, which are often 30 s. */
const heartbeatMs = 12_000;

const head = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache',
  // nginx would buffer the stream.
  'x-accel-buffering': 'no',
};

/** Waits until a response takes more data, or has closed. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settle = () => {
      response.off('drain', settle).off('close', settle);
      resolve();
    };
    response.once('drain', settle).once('close', settle);
    if (response.destroyed) settle();
  });
}

/**
 * Returns a function that sends the events of a subscription in the distinct connections mode of graphql-sse, and the
 * position of each as its id. A batch without errors is encoded once for all subscriptions that share it.
 */
export function createEventStream(respond: Respond, log: Logger) {
  const encoded = new WeakMap<readonly Event[], Buffer>();

  function encode(exchange: Exchange, batch: readonly Event[]): Buffer {
    const known = encoded.get(batch);
    if (known !== undefined) return known;
    const texts = batch.map(({ id, result }) => {
      const line = id === undefined ? '' : `id: ${id}\n`;
      return `${line}event: next\ndata: ${JSON.stringify(formatPart(respond.show(exchange, result)))}\n\n`;
    });
    const bytes = Buffer.from(texts.join(''));
    // Errors have the id of the request.
    if (batch.every(({ result }) => result.errors === undefined)) encoded.set(batch, bytes);
    return bytes;
  }

  return async (response: ServerResponse, exchange: Exchange, events: Events): Promise<void> => {
    // The client is gone, and the events have ended.
    if (response.destroyed) return;
    response.writeHead(200, { ...head, ...headersOf(exchange) });
    response.flushHeaders();
    // An id without data moves the position of a client whose filter leaves most changes out.
    const heartbeat = setInterval(() => {
      if (!response.writableNeedDrain) response.write(`id: ${events.position()}\n:\n\n`);
    }, heartbeatMs).unref();
    try {
      for await (const batch of events) {
        if (!response.write(encode(exchange, batch))) await drained(response);
        if (response.destroyed) break;
      }
      if (!response.destroyed) response.end('event: complete\ndata:\n\n');
    } catch (error) {
      log.error({ err: error, requestId: exchange.requestId }, 'Unexpected error while sending events');
      response.destroy();
    } finally {
      clearInterval(heartbeat);
    }
  };
}
