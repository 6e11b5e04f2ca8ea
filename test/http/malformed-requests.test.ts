import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { answerMalformed } from '../../src/http/malformed.ts';
import { useService } from '../support/service.ts';

const service = useService();

it.each([
  ['bytes that are not HTTP', 'nothing like it\r\n\r\n', 400],
  ['two lengths', 'GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400],
  ['headers that are too large', `GET / HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, 431],
  ['an invalid host', 'GET /graphql HTTP/1.1\r\nhost: a b\r\n\r\n', 400],
  ['no host', 'GET /graphql HTTP/1.1\r\nhost:\r\n\r\n', 400],
  ['a target that is not a path', 'OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n', 400],
  ['a target with an invalid host', 'GET http://[/graphql HTTP/1.1\r\nhost: x\r\n\r\n', 400],
  ['a request that breaks off', 'POST / HTTP/1.1\r\nhost: x\r\n', 400],
])('returns JSON for %s', async (_, sent, status) => {
  const server = createServer((request, response) => service.listener(request, response)).on(
    'clientError',
    answerMalformed,
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(sent);
  const [head = '', body = ''] = (await text(socket)).split('\r\n\r\n');
  server.closeAllConnections();
  expect(head).toMatch(`HTTP/1.1 ${status} `);
  expect(JSON.parse(/\{.*\}/.exec(body)?.[0] ?? '').errors[0].extensions.code).toBe('BAD_REQUEST');
  server.close();
});
