import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, it } from 'vitest';
import { maxFollowersPerKey } from '../../src/history/rules.ts';
import { openStream } from '../support/event-stream.ts';
import { useServer } from '../support/http-server.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const socket = useServer((incoming, response) => service.listener(incoming, response));
const subscription = 'subscription { accountChanged { version } }';
let client: Client;

beforeAll(async () => {
  client = await service.newTenant();
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

/** Opens as many subscriptions as a key may have, closes them, and returns their statuses. */
async function openAll(): Promise<number[]> {
  const streams = await Promise.all(
    Array.from({ length: maxFollowersPerKey }, () => openStream(socket.url, client, subscription)),
  );
  const first = streams.map((stream) => stream.status);
  for (const stream of streams) stream.leave();
  return first;
}

it.each(ways)('releases 1,000 subscriptions that are %s', { timeout: 60_000 }, async (_, way) => {
  for (let sent = 0; sent < 1000; sent += 25) {
    const statuses = await Promise.all(Array.from({ length: 25 }, () => send(way)));
    if (way.cutAfterMs === undefined) expect(new Set(statuses)).toEqual(new Set([406]));
  }
  // The service notices a closed connection a moment later.
  let statuses: number[] = [];
  for (let tries = 0; tries < 20; tries += 1) {
    statuses = await openAll();
    if (!statuses.includes(429)) break;
    await sleep(100);
  }
  expect(statuses).toEqual(Array(maxFollowersPerKey).fill(200));
});

it('returns 401 for a subscription without a token, even if no supported type is accepted', async () => {
  const response = await fetch(socket.url, {
    method: 'POST',
    headers: { accept: 'text/html', 'content-type': 'application/json' },
    body: JSON.stringify({ query: subscription }),
  });
  expect(response.status).toBe(401);
});
