import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll } from 'vitest';
import type { Json } from './service.ts';

export interface Received {
  path: string;
  headers: Record<string, string>;
  text: string;
  body: Json;
}

interface Reply {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

/** Returns how to answer a request. `isOpen` returns whether the sender still waits for the response. */
type Answer = (request: Received, isOpen: () => boolean) => Reply | Promise<Reply>;

export interface Receiver {
  /** Returns a URL that only one test uses. */
  url(path: string): string;
  /** Returns the requests to a path, in order of their arrival. */
  received(path: string): Received[];
  /** Sets how a path answers; by default, 204. */
  reply(path: string, answer: Answer): void;
}

/** Runs an HTTP server that records webhooks, for the tests of a file. */
export function useReceiver(): Receiver {
  const requests = new Map<string, Received[]>();
  const replies = new Map<string, Answer>();
  let origin = '';
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    const answer = async () => {
      const path = (request.url ?? '').slice(1);
      const text = Buffer.concat(chunks).toString();
      const headers = request.headers as Record<string, string>;
      const received: Received = { path, headers, text, body: JSON.parse(text) };
      requests.set(path, [...(requests.get(path) ?? []), received]);
      const isOpen = () => !response.destroyed;
      const {
        status,
        headers: sent,
        body,
      } = (await replies.get(path)?.(received, isOpen)) ?? { status: 204 };
      response.writeHead(status, sent).end(body);
    };
    request.on('end', () => void answer());
  });
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: (path) => `${origin}/${path}`,
    received: (path) => requests.get(path) ?? [],
    reply: (path, answer) => replies.set(path, answer),
  };
}
