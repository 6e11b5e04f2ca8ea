import { once } from 'node:events';
import { type ClientRequest, request, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import { createListener } from '../../src/graphql/listener.ts';
import { createLanes } from '../../src/http/lanes.ts';
import { useSocket } from '../support/socket.ts';

const begun: string[] = [];
const ends = new Map<string, () => void>();

/** Answers a body with itself, once that is told; one that cannot be read with why. */
const listener = createListener({
  endpoint: '/graphql',
  async answer({ read }) {
    try {
      const body = await read();
      begun.push(body);
      await new Promise<void>((resolve) => ends.set(body, resolve));
      return { status: 200, headers: {}, body };
    } catch (error) {
      return { status: 429, headers: {}, body: (error as Error).name };
    }
  },
  inTurn: createLanes<string>({ width: 2, maxWaiting: 2 }),
  yoga: (() => undefined) as never,
  tracedFor: () => undefined,
  traceHeader: 'trace',
  log: pino({ level: 'silent' }),
});
let seen = 0;
let last: ServerResponse;
const socket = useSocket((incoming, response) => {
  seen += 1;
  last = response;
  listener(incoming, response);
});

afterEach(() => {
  begun.length = 0;
});

/** A request whose body is still to be sent. */
function open(token: string, length: number): ClientRequest {
  const headers = { authorization: token, 'content-type': 'application/json', 'content-length': length };
  return request(socket.url, { method: 'POST', headers, agent: false });
}

async function send(token: string, body: string): Promise<string> {
  const call = open(token, body.length);
  call.end(body);
  const [response] = await once(call, 'response');
  return text(response);
}

/** Lets end what has begun, and what begins then, until so many have. */
async function endAll(count: number): Promise<void> {
  for (let place = 0; place < count; place += 1) {
    await expect.poll(() => ends.has(begun[place] ?? '')).toBe(true);
    ends.get(begun[place] ?? '')?.();
  }
}

it('serves so many of a token at a time, and refuses what is more than may wait', async () => {
  const answers = ['a1', 'a2', 'a3', 'a4', 'a5'].map((body) => send('a', body));
  expect(await Promise.race(answers)).toBe('BusyError');
  expect(begun).toHaveLength(2);
  answers.push(send('b', 'b1'));
  await expect.poll(() => begun).toContain('b1');
  expect(begun).toHaveLength(3);
  await endAll(5);
  expect((await Promise.all(answers)).toSorted()).toEqual(['BusyError', ...begun].toSorted());
});

it('gives no turn to a request that is still on its way', async () => {
  const slow = ['s1', 's2', 's3'].map((body) => ({ body, call: open('a', body.length) }));
  seen = 0;
  for (const { call } of slow) call.write('s');
  await expect.poll(() => seen).toBe(3);
  const answers = ['a1', 'a2'].map((body) => send('a', body));
  await expect.poll(() => begun.length).toBe(2);
  for (const { body, call } of slow) {
    call.end(body.slice(1));
    answers.push(once(call, 'response').then(([response]) => text(response)));
  }
  await endAll(5);
  expect((await Promise.all(answers)).toSorted()).toEqual(['a1', 'a2', 's1', 's2', 's3']);
});

it('does nothing for a client that left before his turn', async () => {
  const answers = ['a1', 'a2'].map((body) => send('a', body));
  await expect.poll(() => begun.length).toBe(2);
  seen = 0;
  const left = open('a', 4);
  left.on('error', () => undefined);
  left.end('left');
  await expect.poll(() => seen).toBe(1);
  const gone = new Promise((resolve) => last.on('close', resolve));
  left.destroy();
  await gone;
  answers.push(send('a', 'a3'));
  await endAll(3);
  expect((await Promise.all(answers)).toSorted()).toEqual(['a1', 'a2', 'a3']);
  expect(begun.toSorted()).toEqual(['a1', 'a2', 'a3']);
});
