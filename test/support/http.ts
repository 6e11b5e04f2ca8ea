import { once } from 'node:events';
import { createServer, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'vitest';
import type { Answer, Client, Json, Service } from './service.ts';

export interface RawAnswer extends Answer {
  text: string;
}

/** Sends a request with the client's token, unless `headers` has another. The response must be JSON. */
export async function sendRaw(
  service: Service,
  client: Client,
  {
    path = '/graphql',
    headers = {},
    ...init
  }: RequestInit & { path?: string; headers?: Record<string, string> },
): Promise<RawAnswer> {
  const request = new Request(`http://localhost${path}`, {
    method: 'POST',
    ...init,
    headers: { authorization: `Bearer ${client.token}`, ...headers },
    ...(init.body instanceof ReadableStream ? { duplex: 'half' } : {}),
  });
  const response = await service.fetch(request, init.body instanceof ReadableStream);
  const text = await response.text();
  const { data, errors } = JSON.parse(text) as Json;
  return { status: response.status, headers: response.headers, data, errors, text };
}

export const json = { 'content-type': 'application/json' };

/** Sends the beginning of a body, closes the connection, and returns when the service has noticed. */
export async function breakOff(service: Service, path: string, token: string, begun: string): Promise<void> {
  let closed: Promise<unknown> | undefined;
  const server = createServer((incoming, response) => {
    closed = once(response, 'close');
    service.listener(incoming, response);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const headers = { authorization: `Bearer ${token}`, ...json, 'content-length': 1000 };
  const call = send({ host: '127.0.0.1', port, path, method: 'POST', headers }).on('error', () => undefined);
  call.write(begun);
  await expect.poll(() => closed !== undefined).toBe(true);
  call.destroy();
  await closed;
  server.close();
}
