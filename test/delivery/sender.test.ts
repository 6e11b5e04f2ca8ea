import type { RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createSender, type SenderOptions } from '../../src/delivery/sender.ts';
import { freePort } from '../support/ports.ts';
import { openHttp, openHttps, openTcp } from './servers.ts';

function newSender(options: Partial<SenderOptions> = {}) {
  const sender = createSender({ allowPrivateTargets: true, ...options });
  onTestFinished(() => sender.close());
  return sender;
}

function trustAllCertificates() {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
}

const answerWith =
  (status: number, headers: Record<string, string> = {}, body: string | Buffer = ''): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };

/** Sends to a server that answers all requests in the same way. */
async function attemptOf(listener: RequestListener, options: Partial<SenderOptions> = {}) {
  const { url } = await openHttp(listener);
  return newSender(options).send(url, {}, '{}');
}

const closeOf = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve));

const closedEarly = 'The connection was closed before the response ended';
const timedOut = { status: null, error: 'Timed out after 0.2 s', response: '', retryAfterMs: null };
const timeoutMs = 200;

describe('send', () => {
  it('posts the body as JSON with the given headers', async () => {
    const body = JSON.stringify({ name: 'Zoë 🚀' });
    let seen: unknown;
    const { url } = await openHttp((request, response) => {
      const { method, url: path, headers } = request;
      void text(request).then((received) => {
        seen = { method, path, headers, body: received };
        response.writeHead(202).end('taken');
      });
    });
    const headers = { 'webhook-id': 'change_1', 'Content-Type': 'text/plain', 'User-Agent': 'other' };
    expect(await newSender().send(url, headers, body)).toEqual({
      ...{ status: 202, error: null, response: 'taken', retryAfterMs: null },
      durationMs: expect.any(Number),
    });
    expect(seen).toMatchObject({ method: 'POST', path: '/hook?a=1', body });
    expect(seen).toHaveProperty('headers', {
      'webhook-id': 'change_1',
      'content-type': 'application/json',
      'user-agent': 'accountgraph-webhooks/1',
      'content-length': String(Buffer.byteLength(body)),
      host: new URL(url).host,
      connection: 'keep-alive',
    });
  });

  it.each([200, 204, 304, 404, 410, 429, 500, 503])('returns the status %i', async (status) => {
    expect(await attemptOf(answerWith(status))).toMatchObject({ status, error: null });
  });

  it('follows no redirects', async () => {
    let reached = 0;
    const other = await openHttp((_, response) => {
      reached += 1;
      response.end();
    });
    for (const status of [301, 302, 303, 307, 308]) {
      const attempt = await attemptOf(answerWith(status, { location: other.url }));
      expect(attempt).toMatchObject({ status, error: null });
    }
    expect(reached).toBe(0);
  });

  it('reuses connections', async () => {
    const { url, connections } = await openHttp(answerWith(200, {}, 'ok'));
    const sender = newSender();
    for (let count = 0; count < 3; count += 1) await sender.send(url, {}, '{}');
    expect(connections).toHaveLength(1);
  });

  it('sends again if the server closes a reused connection', async () => {
    const bodies: string[] = [];
    const used = new Set();
    const { url } = await openHttp((request, response) => {
      void text(request).then((body) => {
        bodies.push(body);
        if (used.has(request.socket)) request.socket.destroy();
        else response.end('ok');
        used.add(request.socket);
      });
    });
    const sender = newSender();
    await sender.send(url, {}, '1');
    expect(await sender.send(url, {}, '2')).toMatchObject({ status: 200, error: null });
    expect(bodies).toEqual(['1', '2', '2']);
  });

  it('does not send again after a status has arrived', async () => {
    let count = 0;
    const { url } = await openHttp((request, response) => {
      count += 1;
      request.resume();
      if (count === 1) response.end('ok');
      else response.writeHead(200).write('x', () => request.socket.destroy());
    });
    const sender = newSender();
    await sender.send(url, {}, '{}');
    expect(await sender.send(url, {}, '{}')).toMatchObject({
      status: 200,
      error: closedEarly,
      response: 'x',
    });
    expect(count).toBe(2);
  });

  it.each(['127.0.0.1', 'localhost', '0.0.0.0'])(
    'reaches %s if private targets are allowed',
    async (host) => {
      const { port } = await openHttp(answerWith(200));
      const attempt = await newSender().send(`http://${host}:${port}/`, {}, '{}');
      expect(attempt).toMatchObject({ status: 200, error: null });
    },
  );

  it('throws for invalid headers', async () => {
    const sent = newSender().send('http://127.0.0.1:1/', { 'webhook-id': 'a\nb' }, '{}');
    await expect(sent).rejects.toThrow(TypeError);
  });

  it('sends over TLS, and closes its connections when the sender is closed', async () => {
    trustAllCertificates();
    const { url, connections } = await openHttps(answerWith(200, {}, 'ok'));
    const sender = newSender();
    for (let count = 0; count < 2; count += 1) {
      expect(await sender.send(url, {}, '{}')).toMatchObject({ status: 200, error: null, response: 'ok' });
    }
    expect(connections).toHaveLength(1);
    const closed = Promise.all(connections.map(closeOf));
    sender.close();
    await closed;
  });

  it('ends running requests when the sender is closed', async () => {
    const sender = newSender();
    const { url } = await openHttp(() => sender.close());
    expect(await sender.send(url, {}, '{}')).toMatchObject({ status: null, error: closedEarly });
  });

  it('sends no request again when the sender is closed', async () => {
    const sender = newSender();
    let count = 0;
    const { url } = await openHttp((request, response) => {
      count += 1;
      if (count === 1) answerWith(200)(request, response);
      else sender.close();
    });
    expect(await sender.send(url, {}, '{}')).toMatchObject({ status: 200 });
    expect(await sender.send(url, {}, '{}')).toMatchObject({
      status: null,
      error: 'The service is stopping',
    });
    expect(count).toBe(2);
  });
});

describe('the response', () => {
  it('is cut after 1,024 bytes, between characters', async () => {
    const { response } = await attemptOf(answerWith(200, {}, `x${'é'.repeat(2000)}`));
    expect(response).toBe(`x${'é'.repeat(511)}`);
  });

  it('is put together from chunks', async () => {
    const { response } = await attemptOf((_, answer) => {
      const bytes = [...Buffer.from('añb🚀')];
      const writeNext = () => {
        const byte = bytes.shift();
        if (byte === undefined) answer.end();
        else answer.write(Buffer.of(byte), () => setImmediate(writeNext));
      };
      writeNext();
    });
    expect(response).toBe('añb🚀');
  });

  it('is valid text without NUL characters', async () => {
    const body = Buffer.from([0x61, 0x00, 0xff, 0xed, 0xa0, 0x80, 0x00, 0x62]);
    const { response } = await attemptOf(answerWith(200, {}, body));
    expect(response).toBe(`a${'\ufffd'.repeat(4)}b`);
  });

  it('is not read beyond 64 kB', async () => {
    let closed: Promise<unknown> | undefined;
    const pour = (answer: ServerResponse) => {
      while (!answer.destroyed && answer.write('x'.repeat(10_000)));
    };
    const attempt = await attemptOf((request, answer) => {
      closed = closeOf(request.socket);
      answer.writeHead(201).on('drain', () => pour(answer));
      pour(answer);
    });
    expect(attempt).toMatchObject({ status: 201, error: null, response: 'x'.repeat(1024) });
    await closed;
  });
});

const dayMs = 86_400_000;
const retryAfters: [string, string, number | null][] = [
  ['zero seconds', '0', 0],
  ['seconds', '120', 120_000],
  ['seconds that look like a year', '2030', 2_030_000],
  ['more than a day', '86401', dayMs],
  ['a number that is too large', '9'.repeat(400), dayMs],
  ['a date after more than a day', new Date(Date.now() + 365 * dayMs).toUTCString(), dayMs],
  ['a date in the past', 'Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ['a date in the old form', 'Sunday, 06-Nov-94 08:49:37 GMT', 0],
  ['a negative number', '-1', null],
  ['a fraction', '1.5', null],
  ['a date in another form', '2030-01-01', null],
  ['a word', 'soon', null],
  ['no date', 'Never, I said GMT', null],
];

describe('Retry-After', () => {
  it.each(retryAfters)('can be %s', async (_, value, retryAfterMs) => {
    expect(await attemptOf(answerWith(503, { 'retry-after': value }))).toMatchObject({ retryAfterMs });
  });

  it('can be a date in the near future', async () => {
    const value = new Date(Date.now() + 3_600_000).toUTCString();
    const { retryAfterMs } = await attemptOf(answerWith(429, { 'retry-after': value }));
    expect(retryAfterMs).toBeGreaterThan(3_500_000);
    expect(retryAfterMs).toBeLessThanOrEqual(3_600_000);
  });
});

describe('the timeout', () => {
  it('includes the DNS lookup', async () => {
    const sender = newSender({ timeoutMs, lookup: () => {} });
    expect(await sender.send('http://hooks.example/', {}, '{}')).toMatchObject(timedOut);
  });

  it('includes the TLS handshake', async () => {
    const { port } = await openTcp(() => {});
    expect(await newSender({ timeoutMs }).send(`https://127.0.0.1:${port}/`, {}, '{}')).toMatchObject(
      timedOut,
    );
  });

  it('includes the upload', async () => {
    const { url } = await openTcp((socket) => socket.pause());
    expect(await newSender({ timeoutMs }).send(url, {}, 'x'.repeat(50_000_000))).toMatchObject(timedOut);
  });

  it('includes the time until the response', async () => {
    expect(await attemptOf(() => {}, { timeoutMs })).toMatchObject(timedOut);
  });

  it('ends endless interim responses', async () => {
    const { url, connections } = await openTcp((socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 102 Processing\r\n\r\n'), 10);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await newSender({ timeoutMs }).send(url, {}, '{}')).toMatchObject(timedOut);
    expect(connections).toHaveLength(1);
  });

  it('ends a response that drips, and keeps its status', async () => {
    let closed: Promise<unknown> | undefined;
    const attempt = await attemptOf(
      (request, response) => {
        closed = closeOf(request.socket);
        response.writeHead(200, { 'retry-after': '7' });
        const timer = setInterval(() => response.write('.'), 10);
        response.on('close', () => clearInterval(timer));
      },
      { timeoutMs },
    );
    expect(attempt).toMatchObject({ status: 200, error: timedOut.error, retryAfterMs: 7000 });
    expect(attempt.response).toMatch(/^\.+$/);
    await closed;
  });
});

const notHttp = 'The response is not valid HTTP';

describe('the error', () => {
  const errorOf = async (url: string, options: Partial<SenderOptions> = {}) => {
    const { error, status } = await newSender(options).send(url, {}, '{}');
    return { error, status };
  };
  const lookupError = (code: string): Partial<SenderOptions> => ({
    lookup: (_hostname, _options, callback) => callback(Object.assign(new Error(code), { code }), ''),
  });

  it('names a refused connection', async () => {
    const port = await freePort();
    expect(await errorOf(`http://127.0.0.1:${port}/`)).toEqual({ error: 'Connection refused', status: null });
    const { error } = await errorOf(`http://localhost:${port}/`);
    expect(error).toBe('Connection refused');
  });

  it('names failures of the DNS lookup', async () => {
    const url = 'http://hooks.example/';
    expect((await errorOf(url, lookupError('ENOTFOUND'))).error).toBe('The host name is unknown');
    expect((await errorOf(url, lookupError('EAI_AGAIN'))).error).toBe('The host name lookup failed');
    expect((await errorOf(url, lookupError('EOTHER'))).error).toBe('The request failed');
    const checked = { ...lookupError('ENOTFOUND'), allowPrivateTargets: false };
    expect((await errorOf('https://hooks.example/', checked)).error).toBe('The host name is unknown');
  });

  it('names an untrusted certificate', async () => {
    let reached = 0;
    const { url } = await openHttps((_, response) => {
      reached += 1;
      response.end();
    });
    const error = 'TLS certificate error: the certificate is self-signed';
    expect(await errorOf(url)).toEqual({ error, status: null });
    expect(reached).toBe(0);
  });

  it('names a server without TLS', async () => {
    const { port } = await openHttp(answerWith(200));
    expect((await errorOf(`https://127.0.0.1:${port}/`)).error).toBe('The TLS handshake failed');
  });

  it('names a failed handshake', async () => {
    const handshakeFailure = Buffer.from([21, 3, 3, 0, 2, 2, 40]);
    const { port } = await openTcp((socket) => {
      socket.once('data', () => socket.end(handshakeFailure));
    });
    expect((await errorOf(`https://127.0.0.1:${port}/`)).error).toBe('The TLS handshake failed');
  });

  it('names a handshake without the client certificate that the server requires', async () => {
    trustAllCertificates();
    const { url } = await openHttps(answerWith(200), { requestCert: true, rejectUnauthorized: true });
    expect((await errorOf(url)).error).toBe('The TLS handshake failed');
  });

  it('names an upgrade, and closes its connection', async () => {
    const { url, connections } = await openTcp((socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    });
    expect((await errorOf(url)).error).toBe('The server switched to another protocol');
    for (const socket of connections) if (!socket.destroyed) await closeOf(socket.resume());
  });

  it.each<[string, string, number | null, string]>([
    ['none', '', null, closedEarly],
    ['half a body', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', 200, closedEarly],
    ['a broken chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', 200, closedEarly],
    ['another protocol', 'SSH-2.0-OpenSSH_9.6\r\n', null, notHttp],
    ['large headers', `HTTP/1.1 200 OK\r\nx-large: ${'x'.repeat(20_000)}\r\n\r\n`, null, notHttp],
  ])('names a broken response: %s', async (_, response, status, error) => {
    const { url } = await openTcp((socket) => {
      socket.once('data', () => socket.end(response));
    });
    expect(await errorOf(url)).toEqual({ error, status });
  });

  it('names what is wrong with the URL', async () => {
    expect((await errorOf('ftp://hooks.example/')).error).toBe('The URL must be an https or http URL');
    const { error } = await errorOf('http://hooks.example/', { allowPrivateTargets: false });
    expect(error).toBe('The URL must be an https URL');
  });
});
