import type { Answer, Client, Json, Service } from './service.ts';

export interface RawAnswer extends Answer {
  text: string;
}

/** Sends a request as it is, with the client's token unless `headers` has another; the answer must be JSON. */
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
  const response = await service.fetch(request);
  const text = await response.text();
  const { data, errors } = JSON.parse(text) as Json;
  return { status: response.status, headers: response.headers, data, errors, text };
}

export const json = { 'content-type': 'application/json' };
