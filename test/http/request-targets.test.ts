import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHttpServer } from '../../src/http/malformed.ts';
import { createLog } from '../../src/observe/log.ts';
import { type Client, useService } from '../support/service.ts';

const logged: string[] = [];
const stream = new Writable({
  write(line: Buffer, _, done) {
    logged.push(line.toString());
    done();
  },
});
const service = useService({ log: createLog('warn', undefined, stream) });
const server = createHttpServer({}, (request, response) => service.listener(request, response));
let client: Client;

beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  client = await service.newTenant();
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const port = () => (server.address() as AddressInfo).port;

/** Sends a request line, headers and a body, and returns the status and body of the response. */
async function send(line: string, headers: string[], body = ''): Promise<{ status: number; body: string }> {
  const socket = connect(port(), '127.0.0.1');
  const lengths = body === '' ? [] : [`Content-Length: ${body.length}`, 'Content-Type: application/json'];
  socket.write([line, ...headers, ...lengths, 'Connection: close', '', body].join('\r\n'));
  const answer = await text(socket);
  return { status: Number(answer.slice(9, 12)), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) };
}

const bearer = () => `Authorization: Bearer ${client.token}`;
const host = () => `Host: 127.0.0.1:${port()}`;
const query = '{"query":"{ __typename }"}';

describe('a request in absolute form', () => {
  const absolute = (path: string) => `http://127.0.0.1:${port()}${path}`;

  it('is served by GraphQL', async () => {
    const { status, body } = await send(`POST ${absolute('/graphql')} HTTP/1.1`, [host(), bearer()], query);
    expect([status, JSON.parse(body)]).toEqual([200, { data: { __typename: 'Query' } }]);
  });

  it.each(['/graphql', '/accounts'])('returns 401 for %s without a token', async (path) => {
    const { status, body } = await send(`GET ${absolute(path)} HTTP/1.1`, [host()]);
    expect(status).toBe(401);
    expect(JSON.parse(body)).toBeTypeOf('object');
  });

  it('is served by the REST API', async () => {
    const { status, body } = await send(`GET ${absolute('/accounts')} HTTP/1.1`, [host(), bearer()]);
    expect([status, JSON.parse(body).data]).toEqual([200, []]);
  });

  it.each(['/health/live', '/health/ready'])('is served at %s', async (path) => {
    expect((await send(`GET ${absolute(path)} HTTP/1.1`, [host()])).status).toBe(200);
  });

  it.each(['', '?query={__typename}'])('has the path / with nothing but %j', async (search) => {
    const { status } = await send(`GET ${absolute('')}${search} HTTP/1.1`, [host(), bearer()]);
    expect(status).toBe(404);
  });

  it('is served with another port in `Host`', async () => {
    const { status } = await send(`GET ${absolute('/health/live')} HTTP/1.1`, ['Host: localhost:1']);
    expect(status).toBe(200);
  });
});

it.each([
  ['two `Host` headers', () => [host(), host()]],
  ['two `Host` headers in different case', () => [host(), `HOST: other`]],
  ['two `Authorization` headers', () => [host(), bearer(), bearer()]],
  ['two `Authorization` headers, one of them bad', () => [host(), bearer(), 'authorization: Bearer x']],
])('rejects %s', async (_, headers) => {
  for (const path of ['/graphql', '/accounts', '/health/live']) {
    const { status, body } = await send(`GET ${path}?query={__typename} HTTP/1.1`, headers());
    expect([status, JSON.parse(body).errors[0].extensions.code]).toEqual([400, 'BAD_REQUEST']);
  }
});

it('masks and logs an error outside an operation', async () => {
  const broken = createHttpServer({}, (request, response) => {
    Object.defineProperty(request, 'headers', {
      get() {
        throw new Error('secret of the house');
      },
    });
    service.listener(request, response);
  });
  await once(broken.listen(0, '127.0.0.1'), 'listening');
  const { port: brokenPort } = broken.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${brokenPort}/graphql`);
  expect(response.status).toBe(500);
  const body = await response.text();
  expect(JSON.parse(body).errors[0].extensions.code).toBe('INTERNAL_SERVER_ERROR');
  expect(body).not.toContain('secret');
  expect(logged.join('')).toContain('secret of the house');
  broken.closeAllConnections();
  broken.close();
});
