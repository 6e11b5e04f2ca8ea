import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { maxBodyBytes } from '../../src/http/body.ts';
import { tenantWithCustomer } from '../support/fixtures.ts';
import { openReplica } from '../support/replica.ts';
import { type Client, type Json, useService } from '../support/service.ts';

/** Requests as the generated Python and Ruby clients of the original API send them, over a socket. */

const service = useService();
let server: Server;
let client: Client;
let close: () => Promise<void>;

beforeAll(async () => {
  const replica = openReplica(service);
  server = createServer(replica.listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close = replica.close;
  client = await tenantWithCustomer(service);
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await close();
});

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Json;
  raw: string;
}

function parsed(raw: string): Reply {
  const final = raw.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '');
  const [head = '', ...rest] = final.split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  );
  let text = rest.join('\r\n\r\n');
  if (headers['transfer-encoding'] === 'chunked')
    text = text.replaceAll(/(^|\r\n)[0-9a-f]+\r\n/g, '').trimEnd();
  return {
    status: Number(first.split(' ')[1]),
    headers,
    body: text === '' ? undefined : JSON.parse(text),
    raw,
  };
}

/** Sends a request with `Connection: close` and reads the response. */
function exchange(lines: string[], body = ''): Promise<Reply> {
  const { port } = server.address() as AddressInfo;
  const head = [lines[0], `Host: 127.0.0.1:${port}`, 'Connection: close', ...lines.slice(1), '', ''].join(
    '\r\n',
  );
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(head + body));
    let raw = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      raw += chunk;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(parsed(raw)));
  });
}

const python = () => [
  'Accept-Encoding: identity',
  'Accept: application/json',
  'User-Agent: OpenAPI-Generator/1.0.3/python',
  `Authorization: Bearer ${client.token}`,
];
/** The Ruby client sends a JSON content type with and without a body. */
const ruby = () => [
  'User-Agent: OpenAPI-Generator/1.0.2/ruby',
  'Content-Type: application/json',
  'Accept: application/json',
  `Authorization: Bearer ${client.token}`,
];

const withBody = (body: string) => [
  'Content-Type: application/json',
  `Content-Length: ${Buffer.byteLength(body)}`,
];

/** Formats JSON like `json.dumps`, with spaces and in ASCII. */
const pythonJson = (value: unknown) =>
  JSON.stringify(value, null, 1)
    .replaceAll(/\n */g, ' ')
    .replaceAll(/[\u0080-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

async function post(path: string, body: string, headers = python()): Promise<Reply> {
  return exchange([`POST ${path} HTTP/1.1`, ...headers, ...withBody(body)], body);
}

describe('the Python client', () => {
  it('creates an account and reads it by an id with special characters', async () => {
    const id = 'a/b c+d%é?#&=😀';
    const created = await post('/accounts', pythonJson({ id, name: 'Primäres Konto', customerId: 'C1' }));
    expect(created).toMatchObject({ status: 201, body: { id, name: 'Primäres Konto' } });
    const path = `/accounts/${encodeURIComponent(id)}`;
    expect(path).toContain('a%2Fb%20c%2Bd%25%C3%A9');
    const read = await exchange([`GET ${path} HTTP/1.1`, ...python()]);
    expect(read).toMatchObject({ status: 200, body: created.body });
    expect(read.headers['content-type']).toBe('application/json');
  });

  it('reads aliases at an instant in both of its formats', async () => {
    const accountAliases = [
      {
        value: 'then',
        effectiveFrom: '2024-01-01T00:00:00+00:00',
        effectiveUntil: '2024-01-01T00:00:00.500000+00:00',
      },
    ];
    await post('/accounts', pythonJson({ id: 'P1', name: 'Account', customerId: 'C1', accountAliases }));
    for (const instant of ['2024-01-01T00%3A00%3A00%2B0000', '2024-01-01T00%3A00%3A00.499999%2B0000']) {
      const read = await exchange([`GET /accounts/P1?effectiveOn=${instant} HTTP/1.1`, ...python()]);
      expect(read.body.aliases).toEqual([{ alias: 'then' }]);
    }
  });

  it('reads pages with sizes that are floats', async () => {
    const first = await exchange(['GET /accounts?pageSize=1.0 HTTP/1.1', ...python()]);
    expect(first.body.data).toHaveLength(1);
    const token = encodeURIComponent(first.body.nextToken);
    const next = await exchange([`GET /accounts?nextToken=${token}&pageSize=1.0 HTTP/1.1`, ...python()]);
    expect(next.body.data).toHaveLength(1);
  });

  it('gets a token without a body and a content type', async () => {
    const answer = await exchange(['POST /authenticate HTTP/1.1', ...python(), 'Content-Length: 0']);
    expect(answer).toMatchObject({
      status: 200,
      body: { token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) },
    });
  });

  it('gets errors as JSON with one field', async () => {
    const missing = await exchange(['GET /accounts/nobody HTTP/1.1', ...python()]);
    expect(missing).toMatchObject({ status: 404, body: { message: expect.any(String) } });
    expect(Object.keys(missing.body)).toEqual(['message']);
    expect(missing.headers).toMatchObject({
      'content-type': 'application/json',
      'x-error-code': 'NOT_FOUND',
    });
  });
});

describe('the Ruby client', () => {
  it('sends a JSON content type on GET, and on DELETE without a body', async () => {
    await post('/accounts', JSON.stringify({ id: 'R1', name: 'Account', customerId: 'C1' }));
    expect(await exchange(['GET /accounts/R1 HTTP/1.1', ...ruby()])).toMatchObject({
      status: 200,
      body: { id: 'R1' },
    });
    expect(await exchange(['DELETE /accounts/R1 HTTP/1.1', ...ruby()])).toMatchObject({
      status: 200,
      body: { success: true },
    });
  });

  it('sends a space in a path as a plus, and a plus as %2B', async () => {
    await post(
      '/accounts',
      JSON.stringify({ id: 'two words+more', name: 'Account', customerId: 'C1', aliases: ['+1 (555) 0'] }),
    );
    const read = await exchange(['GET /accounts/two+words%2Bmore HTTP/1.1', ...ruby()]);
    expect(read).toMatchObject({ status: 200, body: { id: 'two words+more' } });
    for (const path of ['%2B1+%28555%29+0', '+1%20(555)%200']) {
      expect((await exchange([`GET /aliases/${path} HTTP/1.1`, ...ruby()])).body).toMatchObject({
        value: '+1 (555) 0',
      });
    }
  });

  it('sends instants in the format of Time', async () => {
    const accountAliases = [
      { value: 'utc', effectiveFrom: '2022-06-04 00:00:00 UTC' },
      { value: 'offset', effectiveFrom: '2022-06-04 05:30:00 +0530' },
    ];
    const body = JSON.stringify({ id: 'R2', name: 'Account', customerId: 'C1', accountAliases });
    expect((await post('/accounts', body)).status).toBe(201);
    for (const query of ['2022-06-04%2000%3A00%3A00%20UTC', '2022-06-04+00:00:00+UTC']) {
      const read = await exchange([`GET /accounts/R2?effectiveOn=${query} HTTP/1.1`, ...ruby()]);
      expect(read.body.aliases).toHaveLength(2);
    }
    const before = await exchange([
      'GET /accounts/R2?effectiveOn=2022-06-03%2023%3A59%3A59%20UTC HTTP/1.1',
      ...ruby(),
    ]);
    expect(before.body).not.toHaveProperty('aliases');
  });

  it('gets a token with a JSON content type and an empty body', async () => {
    const answer = await exchange(['POST /authenticate HTTP/1.1', ...ruby(), 'Content-Length: 0']);
    expect(answer).toMatchObject({ status: 200, body: { token: expect.any(String) } });
  });
});

describe('a request body', () => {
  const account = (id: string) => JSON.stringify({ id, name: 'Account', customerId: 'C1' });

  it('is requested with 100 Continue if the client expects it', async () => {
    const body = account('W1');
    const headers = [...python(), ...withBody(body), 'Expect: 100-continue'];
    const reply = await exchange(['POST /accounts HTTP/1.1', ...headers], body);
    expect(reply.raw).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 201 /);
  });

  it('is accepted in chunks up to the limit', async () => {
    const chunked = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n0\r\n\r\n`;
    const headers = [...python(), 'Content-Type: application/json', 'Transfer-Encoding: chunked'];
    const taken = await exchange(['POST /accounts HTTP/1.1', ...headers], chunked(account('W2')));
    expect(taken).toMatchObject({ status: 201, body: { id: 'W2' } });
    const tooLong = account('W3').padEnd(maxBodyBytes + 1);
    const refused = await exchange(['POST /accounts HTTP/1.1', ...headers], chunked(tooLong));
    expect(refused).toMatchObject({ status: 413, body: { message: expect.any(String) } });
  });

  it('is rejected if its declared length is too large', async () => {
    const headers = [...python(), 'Content-Type: application/json', `Content-Length: ${maxBodyBytes + 1}`];
    const tooLong = '{}'.padEnd(maxBodyBytes + 1);
    const refused = await exchange(['POST /accounts HTTP/1.1', ...headers], tooLong);
    expect(refused).toMatchObject({ status: 413, body: { message: expect.any(String) } });
  });
});

it('serves GraphQL on the same port', async () => {
  const body = JSON.stringify({ query: '{ viewer { keyName } }' });
  expect(await post('/graphql', body)).toMatchObject({
    status: 200,
    body: { data: { viewer: { keyName: 'test' } } },
  });
  expect(await post('/graphql/x', body)).toMatchObject({
    status: 404,
    body: { errors: [{ message: expect.any(String) }] },
  });
});
