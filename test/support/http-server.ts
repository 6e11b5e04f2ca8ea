import { once } from 'node:events';
import { type IncomingMessage, type RequestListener, type Server, request as send } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { afterAll, beforeAll } from 'vitest';
import { createHttpServer } from '../../src/http/malformed.ts';
import type { UpgradeListener } from '../../src/http/upgrade.ts';

const withoutBody = [204, 304];

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2)
    headers.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return headers;
}

function toResponse(incoming: IncomingMessage): Response {
  const status = incoming.statusCode ?? 0;
  const isEmpty = withoutBody.includes(status) || incoming.headers['content-length'] === '0';
  if (isEmpty) incoming.resume();
  const body = isEmpty ? null : (Readable.toWeb(incoming) as ReadableStream<Uint8Array>);
  return new Response(body, { status, headers: headersOf(incoming) });
}

/** Passes requests on as they arrive, or a number of them at once. */
function createHold(listener: RequestListener) {
  let wanted = 0;
  let held: Parameters<RequestListener>[] = [];
  const release = () => {
    for (const one of held) listener(...one);
    held = [];
    wanted = 0;
  };
  return {
    gather(count: number): void {
      wanted = count;
    },
    listener: ((request, response) => {
      if (wanted === 0) return listener(request, response);
      held.push([request, response]);
      // Bodies arrive with their headers, but are parsed a moment later.
      if (held.length === wanted) setTimeout(release, 20);
    }) as RequestListener,
  };
}

/** Closes a server with all its connections, also those of WebSockets. */
function createClose(server: Server): () => Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}

/** Opens a `node:http` server on a free port like that of `npm start`. */
export async function openServer(listener: RequestListener, upgrade: UpgradeListener) {
  const hold = createHold(listener);
  const server = createHttpServer({}, hold.listener, upgrade);
  const close = createClose(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    /** Holds the next requests until this many have arrived, and then passes them on at once. */
    gather: hold.gather,
    /** Sends a request with exactly its own headers and `Host`. With `streams`, the body has no declared length. */
    async fetch(request: Request, streams = false): Promise<Response> {
      const { host, pathname, search } = new URL(request.url);
      const headers: Record<string, string | number> = { host, ...Object.fromEntries(request.headers) };
      const body = streams || request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
      // Node.js sends no content length for the body of a DELETE.
      if (body !== undefined) headers['content-length'] ??= body.length;
      const call = send({
        ...{ host: '127.0.0.1', port, agent: false, method: request.method, path: pathname + search },
        headers,
        signal: request.signal,
      });
      if (streams && request.body) Readable.fromWeb(request.body as never).pipe(call);
      else call.end(body);
      const [incoming] = (await once(call, 'response')) as [IncomingMessage];
      return toResponse(incoming);
    },
    close,
  };
}

export type TestServer = Awaited<ReturnType<typeof openServer>>;

/** Serves a listener on a free port during the tests of a file. Without `upgrade`, it ignores upgrade requests. */
export function useServer(listener: RequestListener, upgrade?: UpgradeListener) {
  const server = createHttpServer({}, listener, upgrade);
  const close = createClose(server);
  let url = '';
  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening');
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  });
  afterAll(close);
  return {
    get url() {
      return url;
    },
  };
}
