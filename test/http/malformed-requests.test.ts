import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { createHttpServer } from '../../src/http/malformed.ts';
import { useService } from '../support/service.ts';

const service = useService();

it.each([
  ['bytes that are not HTTP', 'nothing like it\r\n\r\n', 400],
  ['two lengths', 'GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400],
  ['headers that are too large', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
  ['an invalid host', 'GET /graphql HTTP/1.1\r\nhost: a b\r\n\r\n', 400],
  ['no host', 'GET /graphql HTTP/1.1\r\nhost:\r\n\r\n', 400],
  ['a missing host', 'GET /graphql HTTP/1.1\r\n\r\n', 400],
  ['a missing host of REST', 'GET http:///accounts HTTP/1.1\r\n\r\n', 400],
  ...[
    'a/b',
    'u@b',
    'a?b',
    'a#b',
    'a\\b',
    '%41',
    '\xfc',
    'a\tb',
    'a\xadb',
    '[::1',
    '[a]',
    'a:b',
    'a:99999',
  ].flatMap((host) =>
    ['/accounts', '/graphql', '/health/live'].map((path): [string, string, number] => [
      `the host ${JSON.stringify(host)} at ${path}`,
      `GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
      400,
    ]),
  ),
  ...['http://u:p@127.0.0.1/accounts', 'http://%41/accounts', '/\\x', '/accounts\\x'].map(
    (target): [string, string, number] => [
      `the target ${target}`,
      `GET ${target} HTTP/1.1\r\nhost: x\r\n\r\n`,
      400,
    ],
  ),
  ['another expectation', 'GET /graphql HTTP/1.1\r\nhost: x\r\nexpect: foo\r\n\r\n', 417],
  ['a CONNECT', 'CONNECT x:443 HTTP/1.1\r\nhost: x\r\n\r\n', 405],
  ['a target that is not a path', 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', 400],
  ['a target with an invalid host', 'GET http://[/graphql HTTP/1.1\r\nhost: x\r\n\r\n', 400],
  ['a request that breaks off', 'POST / HTTP/1.1\r\nhost: x\r\n', 400],
])('returns JSON for %s', async (_, sent, status) => {
  const server = createHttpServer({}, (request, response) => service.listener(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(Buffer.from(sent, 'latin1'));
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  server.closeAllConnections();
  expect(head).toMatch(`HTTP/1.1 ${status} `);
  expect(JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '').errors[0].extensions.code).toBe('BAD_REQUEST');
  server.close();
});

it.each(['LOCALHOST', 'localhost:', 'x:80', '127.1', '[::1]:4000', 'my_service', 'a.b.example.'])(
  'accepts the host %s',
  async (host) => {
    const server = createHttpServer({}, (request, response) => service.listener(request, response));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    for (const path of ['/accounts', '/graphql']) {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`);
      expect(await text(socket)).toMatch(/^HTTP\/1.1 401 /);
    }
    server.close();
  },
);
