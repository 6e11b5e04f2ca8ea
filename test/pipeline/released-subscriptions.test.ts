import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { maxSubscriptionsPerKey } from '../../src/feed/rules.ts';
import { openStream } from '../support/event-stream.ts';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const socket = useServer((incoming, response) => service.listener(incoming, response));
const subscription = 'subscription { accountChanged { version } }';
let client: Client;

beforeAll(async () => {
  client = await tenantWithCustomer(service);
});

interface Way {
  method?: 'GET';
  accept: string;
  /** Milliseconds after which the client closes the connection; `undefined` if it reads the response. */
  cutAfterMs?: number;
}

/** Sends a subscription. Returns the status, or `undefined` if the connection was closed before. */
function send({ method, accept, cutAfterMs }: Way): Promise<number | undefined> {
  return new Promise((resolve) => {
    const search = method === 'GET' ? `?query=${encodeURIComponent(subscription)}` : '';
    const call = request(socket.url + search, {
      method: method ?? 'POST',
      headers: { authorization: `Bearer ${client.token}`, accept, 'content-type': 'application/json' },
      agent: false,
    });
    call.on('error', () => resolve(undefined));
    call.on('close', () => resolve(undefined));
    call.on('response', (response) => {
      resolve(response.statusCode);
      response.resume();
      if (cutAfterMs !== undefined) call.destroy();
    });
    call.end(method === 'GET' ? undefined : JSON.stringify({ query: subscription }), () => {
      if (cutAfterMs !== undefined) setTimeout(() => call.destroy(), cutAfterMs);
    });
  });
}

const ways: [string, Way][] = [
  [
    'rejected for the `Accept` header of Apollo',
    { accept: 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/json' },
  ],
  ['rejected as a GET for JSON', { method: 'GET', accept: 'application/json' }],
  ['rejected for text/html', { accept: 'text/html' }],
  ['aborted immediately', { accept: 'text/event-stream', cutAfterMs: 0 }],
  ['aborted after 1 ms', { accept: 'text/event-stream', cutAfterMs: 1 }],
  ['aborted after 2 ms', { accept: 'text/event-stream', cutAfterMs: 2 }],
  ['aborted when the response begins', { accept: 'text/event-stream', cutAfterMs: 1000 }],
  ['aborted immediately, as a GET', { method: 'GET', accept: 'text/event-stream', cutAfterMs: 0 }],
];

/** Opens as many subscriptions as a key may have, and returns the error code of each, or undefined. */
async function openAll(): Promise<(string | undefined)[]> {
  const streams = await Promise.all(
    Array.from({ length: maxSubscriptionsPerKey }, () => openStream(socket.url, client, subscription)),
  );
  // A refusal is the first event of its stream. The others get this change.
  await createAccount(client, { id: randomUUID() });
  const events = await Promise.all(streams.map((stream) => stream.next()));
  for (const stream of streams) stream.leave();
  return events.map((event) => event?.data.errors?.[0].extensions.code);
}

/** Fails unless a key can open as many subscriptions as it may have. */
async function expectReleased(): Promise<void> {
  // The service notices a closed connection a moment later.
  let codes: (string | undefined)[] = [];
  for (let tries = 0; tries < 20; tries += 1) {
    codes = await openAll();
    if (!codes.includes('RATE_LIMITED')) break;
    await sleep(100);
  }
  expect(new Set(codes)).toEqual(new Set([undefined]));
}

it.each(ways)('releases 1,000 subscriptions that are %s', { timeout: 60_000 }, async (_, way) => {
  for (let sent = 0; sent < 1000; sent += 25) {
    const statuses = await Promise.all(Array.from({ length: 25 }, () => send(way)));
    if (way.cutAfterMs === undefined) expect(new Set(statuses)).toEqual(new Set([406]));
  }
  await expectReleased();
});

it.each([0, 1, 5, 100])(
  'releases 200 pairs of subscriptions that are pipelined, if the connection closes after %s ms',
  async (cutAfterMs) => {
    const body = JSON.stringify({ query: subscription });
    const head = [
      'POST /graphql HTTP/1.1',
      'Host: x',
      `Authorization: Bearer ${client.token}`,
      'Accept: text/event-stream',
    ];
    const sent = [...head, 'Content-Type: application/json', `Content-Length: ${body.length}`, '', body].join(
      '\r\n',
    );
    const { port, hostname } = new URL(socket.url);
    for (let batch = 0; batch < 10; batch += 1) {
      const pair = async () => {
        const connection = connect(Number(port), hostname).on('error', () => undefined);
        await new Promise((resolve) => connection.write(sent + sent, resolve));
        await sleep(cutAfterMs);
        connection.destroy();
      };
      await Promise.all(Array.from({ length: 20 }, pair));
    }
    await expectReleased();
  },
);

it('returns 401 for a subscription without a token, even if no supported type is accepted', async () => {
  const response = await fetch(socket.url, {
    method: 'POST',
    headers: { accept: 'text/html', 'content-type': 'application/json' },
    body: JSON.stringify({ query: subscription }),
  });
  expect(response.status).toBe(401);
});
