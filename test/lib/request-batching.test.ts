import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { CancelSignal } from '../../src/lib/cancel.ts';
import { createRequestBatcher } from '../../src/lib/request-batching.ts';

interface Call {
  asks: readonly string[];
  signal: CancelSignal;
  answer(value: string): void;
  fail(error: Error): void;
}

/** Waits for the end of this event loop turn and the next. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Creates loads that tests settle. */
function useLoads(maxRunning?: number) {
  const share = createRequestBatcher(maxRunning);
  const calls: Call[] = [];
  const load = (asks: readonly string[], signal: CancelSignal) =>
    new Promise<string>((answer, fail) => calls.push({ asks, signal, answer, fail }));
  const ask = (name: string, { size = 1, signal = new AbortController().signal, group = 'g' } = {}) =>
    share(group, { item: name, size, maxSize: 500, signal }, load);
  /** Starts a load. Returns the promise in an object, so that `await` does not wait for the load. */
  async function busy(group = 'g') {
    const answer = ask('a', { group });
    await turn();
    return { answer };
  }
  return { ask, calls, busy };
}

it('sends the calls of one turn as one load at its end', async () => {
  const { ask, calls } = useLoads();
  const answers = ['a', 'b', 'c'].map((name) => ask(name));
  expect(calls).toEqual([]);
  await turn();
  expect(calls.map(({ asks }) => asks)).toEqual([['a', 'b', 'c']]);
  calls[0]?.answer('ABC');
  expect(await Promise.all(answers)).toEqual(['ABC', 'ABC', 'ABC']);
});

it('sends calls during a load as one load when that ends, with the calls of that turn', async () => {
  const { ask, calls, busy } = useLoads();
  const first = await busy();
  const answers = ['b', 'c'].map((name) => ask(name));
  await turn();
  expect(calls.map(({ asks }) => asks)).toEqual([['a']]);
  const sentBefore = first.answer.then((answer) => [answer, calls.length, answers.push(ask('d'))]);
  calls[0]?.answer('A');
  expect(await sentBefore).toEqual(['A', 1, 3]);
  await turn();
  expect(calls[1]?.asks).toEqual(['b', 'c', 'd']);
  calls[1]?.answer('B-D');
  expect(await Promise.all(answers)).toEqual(['B-D', 'B-D', 'B-D']);
});

it('starts as many loads at a time as it may, and collects the calls beyond them', async () => {
  const { ask, calls } = useLoads(2);
  for (const name of ['a', 'b', 'c', 'd']) {
    void ask(name);
    await turn();
  }
  expect(calls.map(({ asks }) => asks)).toEqual([['a'], ['b']]);
  calls[1]?.answer('B');
  await turn();
  expect(calls[2]?.asks).toEqual(['c', 'd']);
});

it('does not add calls to a load that has started', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const waiting = ask('b');
  calls[0]?.answer('A');
  await turn();
  void ask('c');
  expect(calls[1]?.asks).toEqual(['b']);
  calls[1]?.answer('B');
  expect(await waiting).toBe('B');
  await turn();
  expect(calls[2]?.asks).toEqual(['c']);
});

it('loads groups independently', async () => {
  const { calls, busy } = useLoads();
  for (const group of ['one', 'other']) void (await busy(group));
  expect(calls.map(({ asks }) => asks)).toEqual([['a'], ['a']]);
});

it('limits the wait for a load that does not end, and the size of a load', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  void ask('b');
  while (calls.length === 1) await sleep(5);
  expect(calls[1]?.asks).toEqual(['b']);
  void ask('c', { size: 400 });
  await turn();
  expect(calls).toHaveLength(2);
  void ask('d', { size: 101 });
  await turn();
  expect(calls[2]?.asks).toEqual(['c']);
});

it('rejects all calls of a failed load and no others', async () => {
  const { ask, calls, busy } = useLoads();
  const first = await busy();
  const [b, c] = ['b', 'c'].map((name) => ask(name));
  calls[0]?.fail(new Error('lost'));
  await expect(first.answer).rejects.toThrow('lost');
  await turn();
  expect(calls[1]?.asks).toEqual(['b', 'c']);
  calls[1]?.fail(new Error('lost, too'));
  await expect(b).rejects.toThrow('lost, too');
  await expect(c).rejects.toThrow('lost, too');
  const after = ask('d');
  await turn();
  calls[2]?.answer('D');
  expect(await after).toBe('D');
});

it('does not load calls that were aborted before', async () => {
  const { ask, calls, busy } = useLoads();
  const first = await busy();
  const gone = new AbortController();
  const answers = [ask('c', { signal: gone.signal }), ask('d')];
  gone.abort(new Error('gone'));
  calls[0]?.answer('A');
  await turn();
  expect(calls[1]?.asks).toEqual(['d']);
  calls[1]?.answer('D');
  await expect(answers[0]).rejects.toThrow('gone');
  expect(await answers[1]).toBe('D');
  expect(await first.answer).toBe('A');
});

it('aborts a load if all of its calls are aborted', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const [one, other] = [new AbortController(), new AbortController()];
  const answers = [ask('c', { signal: one.signal }), ask('d', { signal: other.signal })];
  calls[0]?.answer('A');
  await turn();
  one.abort();
  expect(calls[1]?.signal.aborted).toBe(false);
  other.abort();
  expect(calls[1]?.signal.aborted).toBe(true);
  calls[1]?.fail(new Error('ended'));
  for (const answer of answers) await expect(answer).rejects.toThrow('ended');
});

it('removes an aborted call without affecting others', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const left = new AbortController();
  ask('c', { signal: left.signal, size: 500 }).catch(() => undefined);
  left.abort(new Error('too late'));
  const waiting = ask('d', { size: 500 });
  await turn();
  expect(calls).toHaveLength(1);
  calls[0]?.answer('A');
  await turn();
  expect(calls[1]?.asks).toEqual(['d']);
  calls[1]?.answer('D');
  expect(await waiting).toBe('D');
});

it('skips a load without calls', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const left = new AbortController();
  const answer = ask('c', { signal: left.signal });
  left.abort(new Error('too late'));
  calls[0]?.answer('A');
  await expect(answer).rejects.toThrow('too late');
  expect(calls).toHaveLength(1);
  const after = ask('d');
  await turn();
  calls[1]?.answer('D');
  expect(await after).toBe('D');
});
