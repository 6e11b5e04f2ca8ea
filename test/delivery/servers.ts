import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { selfSigned } from './certificate.ts';

/** Listens on a free port of 127.0.0.1 until the end of the test. */
async function listen(server: Server) {
  const connections: Socket[] = [];
  server.on('connection', (socket) => {
    connections.push(socket.on('error', () => {}));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, connections };
}

export async function openHttp(listener: RequestListener) {
  const opened = await listen(createHttpServer(listener));
  return { ...opened, url: `http://127.0.0.1:${opened.port}/hook?a=1` };
}

export async function openHttps(listener: RequestListener, options: ServerOptions = {}) {
  const opened = await listen(createHttpsServer({ ...selfSigned, ...options }, listener));
  return { ...opened, url: `https://127.0.0.1:${opened.port}/hook` };
}

export async function openTcp(listener: (socket: Socket) => void) {
  const opened = await listen(createTcpServer(listener));
  return { ...opened, url: `http://127.0.0.1:${opened.port}/hook` };
}
