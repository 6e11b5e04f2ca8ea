import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, inject } from 'vitest';

/** What the proxy does to open and new connections. */
export type Fault =
  | { kind: 'none' }
  /** The port is closed. */
  | { kind: 'refuse' }
  /** Connections end at once, by a reset or gracefully. */
  | { kind: 'reset' | 'close' }
  /** Connections are accepted, but nothing is forwarded. */
  | { kind: 'black hole' }
  /** Open connections forward nothing, and new ones work. */
  | { kind: 'half open' }
  /** Responses are delayed. */
  | { kind: 'delay'; ms: number }
  /** Responses are throttled. */
  | { kind: 'slow'; bytesPerSecond: number }
  /** The response to a request that contains the text is lost with the connection. */
  | { kind: 'lose answer'; to: string };

interface Pair {
  client: Socket;
  server: Socket;
  /** Whether the connection was opened before the fault. */
  stale: boolean;
  /** Whether the response to the last request must be lost. */
  cursed: boolean;
  /** Settles when all responses are forwarded. */
  answers: Promise<unknown>;
}

interface Proxy {
  fault: Fault;
  pairs: Set<Pair>;
}

function isDeaf({ fault }: Proxy, pair: Pair): boolean {
  return fault.kind === 'black hole' || (fault.kind === 'half open' && pair.stale);
}

function cut({ client, server }: Pair, kind: 'reset' | 'close'): void {
  server.destroy();
  if (kind === 'reset') client.resetAndDestroy();
  else client.end().destroySoon();
}

function onRequest(proxy: Proxy, pair: Pair, bytes: Buffer): void {
  if (isDeaf(proxy, pair)) return;
  if (proxy.fault.kind === 'lose answer' && bytes.includes(proxy.fault.to)) pair.cursed = true;
  pair.server.write(bytes);
}

async function onAnswer(proxy: Proxy, pair: Pair, bytes: Buffer): Promise<void> {
  const { fault } = proxy;
  if (isDeaf(proxy, pair)) return;
  if (pair.cursed) return cut(pair, 'reset');
  if (fault.kind === 'delay') await sleep(fault.ms);
  if (fault.kind !== 'slow') pair.client.write(bytes);
  else {
    const step = Math.ceil(fault.bytesPerSecond / 20);
    for (let at = 0; at < bytes.length; at += step) {
      await sleep(50);
      pair.client.write(bytes.subarray(at, at + step));
    }
  }
}

function accept(proxy: Proxy, client: Socket, server: Socket): void {
  const pair: Pair = { client, server, stale: false, cursed: false, answers: Promise.resolve() };
  proxy.pairs.add(pair);
  client.on('data', (bytes) => onRequest(proxy, pair, bytes));
  server.on('data', (bytes) => {
    // Throttled responses are in order. Delayed ones overlap, as on a slow network.
    if (proxy.fault.kind === 'slow') pair.answers = pair.answers.then(() => onAnswer(proxy, pair, bytes));
    else void onAnswer(proxy, pair, bytes);
  });
  for (const socket of [client, server]) {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      proxy.pairs.delete(pair);
      if (isDeaf(proxy, pair)) return;
      client.destroy();
      server.destroy();
    });
  }
  if (proxy.fault.kind === 'reset' || proxy.fault.kind === 'close') cut(pair, proxy.fault.kind);
}

/** Runs a TCP proxy in front of a server on a Unix socket for the tests of a file. */
export function useProxy(upstream: () => string) {
  const proxy: Proxy = { fault: { kind: 'none' }, pairs: new Set() };
  let server: Server;
  let port = 0;
  const listen = async () => {
    server = createServer((client) => accept(proxy, client, connect(upstream())));
    await once(server.listen(port, '127.0.0.1'), 'listening');
    port = (server.address() as AddressInfo).port;
  };
  const cutAll = (kind: 'reset' | 'close') => {
    for (const pair of proxy.pairs) cut(pair, kind);
  };
  beforeAll(listen);
  afterAll(() => {
    server.close();
    cutAll('reset');
  });
  return {
    urlOf: (database: string) =>
      `postgres://accountgraph:${inject('server').password}@127.0.0.1:${port}/${database}`,
    connections: () => proxy.pairs.size,
    async set(fault: Fault): Promise<void> {
      const refused = proxy.fault.kind === 'refuse';
      proxy.fault = fault;
      for (const pair of proxy.pairs) pair.stale = true;
      if (refused && fault.kind !== 'refuse') await listen();
      if (fault.kind === 'refuse') server.close();
      if (fault.kind === 'reset' || fault.kind === 'refuse') cutAll('reset');
      if (fault.kind === 'close') cutAll('close');
    },
  };
}
