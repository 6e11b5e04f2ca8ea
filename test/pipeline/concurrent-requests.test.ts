import { once } from 'node:events';
import { type ClientRequest, request, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { buildASTSchema, parse } from 'graphql';
import { pino } from 'pino';
import { afterEach, expect, it } from 'vitest';
import type { Caller, Ctx, Viewer } from '../../src/ctx.ts';
import { createLanes, type RunOperation } from '../../src/http/lanes.ts';
import { createGraphqlTransports } from '../../src/pipeline/listener.ts';
import { useServer } from '../support/http-server.ts';

const begun: string[] = [];
const ends = new Map<string, () => void>();

const viewer = { tenant: { id: 1 }, scopes: [], actor: 'key_1' } as unknown as Viewer;
const query = JSON.stringify({ query: '{ __typename }' });

/** Holds each operation until `ends` has a call for its request id. */
async function hold({ caller }: { caller: object }, work: () => unknown): Promise<unknown> {
  const { requestId } = caller as Caller;
  begun.push(requestId);
  await new Promise<void>((resolve) => ends.set(requestId, resolve));
  return work();
}

const { listener } = createGraphqlTransports({
  authenticate: async () => viewer,
  corsOrigins: [],
  buildSchema: () => buildASTSchema(parse('type Query { a: Int }')),
  createContext: () => ({}) as Ctx,
  inDryRun: (_, __, work) => work({} as Ctx),
  runOperation: hold as RunOperation,
  inTurn: createLanes<string>({ width: 2, maxWaiting: 2 }),
  documents: { trusted: new Map(), trustedOnly: false },
  exposesSchema: true,
  graphiql: undefined,
  log: pino({ level: 'silent' }),
  spend: undefined,
  tracing: undefined,
});
let seen = 0;
let last: ServerResponse;
const socket = useServer((incoming, response) => {
  seen += 1;
  last = response;
  void listener(incoming, response);
});

afterEach(() => {
  begun.length = 0;
});

/** Opens a request without sending its body. */
function open(token: string, id: string): ClientRequest {
  const type = { 'content-type': 'application/json', 'content-length': query.length };
  return request(socket.url, {
    method: 'POST',
    headers: { authorization: token, 'x-request-id': id, ...type },
    agent: false,
  });
}

/** Waits for the response and returns the request id or the error code. */
async function answered(call: ClientRequest, id: string): Promise<string> {
  const [response] = await once(call, 'response');
  const { errors } = JSON.parse(await text(response));
  return errors === undefined ? id : errors[0].extensions.code;
}

async function send(token: string, id: string): Promise<string> {
  const call = open(token, id);
  call.end(query);
  return answered(call, id);
}

/** Ends operations as they start until `count` have ended. */
async function endAll(count: number): Promise<void> {
  for (let place = 0; place < count; place += 1) {
    await expect.poll(() => ends.has(begun[place] ?? '')).toBe(true);
    ends.get(begun[place] ?? '')?.();
  }
}

it('runs a limited number of requests of a token and rejects those beyond the queue', async () => {
  const answers = ['a1', 'a2', 'a3', 'a4', 'a5'].map((body) => send('a', body));
  expect(await Promise.race(answers)).toBe('RATE_LIMITED');
  expect(begun).toHaveLength(2);
  answers.push(send('b', 'b1'));
  await expect.poll(() => begun).toContain('b1');
  expect(begun).toHaveLength(3);
  await endAll(5);
  expect((await Promise.all(answers)).toSorted()).toEqual(['RATE_LIMITED', ...begun].toSorted());
});

it('does not queue a request whose body is incomplete', async () => {
  const slow = ['s1', 's2', 's3'].map((body) => ({ body, call: open('a', body) }));
  seen = 0;
  for (const { call } of slow) call.write(query.slice(0, 5));
  await expect.poll(() => seen).toBe(3);
  const answers = ['a1', 'a2'].map((body) => send('a', body));
  await expect.poll(() => begun.length).toBe(2);
  for (const { body, call } of slow) {
    call.end(query.slice(5));
    answers.push(answered(call, body));
  }
  await endAll(5);
  expect((await Promise.all(answers)).toSorted()).toEqual(['a1', 'a2', 's1', 's2', 's3']);
});

it('does not run a queued request that the client aborted', async () => {
  const answers = ['a1', 'a2'].map((body) => send('a', body));
  await expect.poll(() => begun.length).toBe(2);
  seen = 0;
  const left = open('a', 'left');
  left.on('error', () => undefined);
  left.end(query);
  await expect.poll(() => seen).toBe(1);
  const gone = new Promise((resolve) => last.on('close', resolve));
  left.destroy();
  await gone;
  answers.push(send('a', 'a3'));
  await endAll(3);
  expect((await Promise.all(answers)).toSorted()).toEqual(['a1', 'a2', 'a3']);
  expect(begun.toSorted()).toEqual(['a1', 'a2', 'a3']);
});
