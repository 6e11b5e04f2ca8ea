import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { CancelSignal } from '../../src/lib/cancel.ts';
import { createShare } from '../../src/lib/share.ts';

interface Call {
  asks: readonly string[];
  signal: CancelSignal;
  answer(value: string): void;
  fail(error: Error): void;
}

/** The end of this turn, and of the one that comes of it. */
const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Loads that are answered by hand. */
function useLoads() {
  const share = createShare();
  const calls: Call[] = [];
  const load = (asks: readonly string[], signal: CancelSignal) =>
    new Promise<string>((answer, fail) => calls.push({ asks, signal, answer, fail }));
  const ask = (name: string, { size = 1, signal = new AbortController().signal, group = 'g' } = {}) =>
    share(group, { ask: name, size, maxSize: 500, signal }, load);
  /** Has two loads under way. */
  async function busy(group = 'g') {
    const asked: Promise<string>[] = [];
    for (const name of ['a', 'b']) {
      asked.push(ask(name, { group }));
      await turn();
    }
    return asked;
  }
  return { ask, calls, busy };
}

it('what is asked in one turn goes out as one, at its end', async () => {
  const { ask, calls } = useLoads();
  const answers = ['a', 'b', 'c'].map((name) => ask(name));
  expect(calls).toEqual([]);
  await turn();
  expect(calls.map(({ asks }) => asks)).toEqual([['a', 'b', 'c']]);
  calls[0]?.answer('ABC');
  expect(await Promise.all(answers)).toEqual(['ABC', 'ABC', 'ABC']);
});

it('what is asked while two loads are under way goes out as one, in the turn in which the first of them ends', async () => {
  const { ask, calls, busy } = useLoads();
  const two = await busy();
  const answers = [...two, ...['c', 'd', 'e'].map((name) => ask(name))];
  await turn();
  expect(calls.map(({ asks }) => asks)).toEqual([['a'], ['b']]);
  calls[1]?.answer('B');
  await answers[1];
  answers.push(ask('f'));
  await turn();
  expect(calls[2]?.asks).toEqual(['c', 'd', 'e', 'f']);
  calls[2]?.answer('C-F');
  calls[0]?.answer('A');
  expect(await Promise.all(answers)).toEqual(['A', 'B', 'C-F', 'C-F', 'C-F', 'C-F']);
});

it('what is asked later is not answered by a load that began before', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const waiting = ask('c');
  calls[0]?.answer('A');
  await turn();
  void ask('d');
  expect(calls[2]?.asks).toEqual(['c']);
  calls[2]?.answer('C');
  expect(await waiting).toBe('C');
  await turn();
  expect(calls[3]?.asks).toEqual(['d']);
});

it('groups do not wait for each other', async () => {
  const { calls, busy } = useLoads();
  for (const group of ['one', 'other']) void (await busy(group));
  expect(calls.map(({ asks }) => asks)).toEqual([['a'], ['b'], ['a'], ['b']]);
});

it('nobody waits for long for loads that do not end, nor for more than fits', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  void ask('c');
  while (calls.length === 2) await sleep(5);
  expect(calls[2]?.asks).toEqual(['c']);
  void ask('d', { size: 400 });
  await turn();
  expect(calls).toHaveLength(3);
  void ask('e', { size: 101 });
  await turn();
  expect(calls[3]?.asks).toEqual(['d']);
});

it('a failure is that of all who asked, and of nobody else', async () => {
  const { ask, calls, busy } = useLoads();
  const [a, b] = await busy();
  const [c, d] = ['c', 'd'].map((name) => ask(name));
  calls[0]?.fail(new Error('lost'));
  await expect(a).rejects.toThrow('lost');
  await turn();
  expect(calls[2]?.asks).toEqual(['c', 'd']);
  calls[2]?.fail(new Error('lost, too'));
  await expect(c).rejects.toThrow('lost, too');
  await expect(d).rejects.toThrow('lost, too');
  calls[1]?.answer('B');
  expect(await b).toBe('B');
  const after = ask('e');
  await turn();
  calls[3]?.answer('E');
  expect(await after).toBe('E');
});

it('nothing is loaded for those who left before their turn', async () => {
  const { ask, calls, busy } = useLoads();
  const first = await busy();
  const gone = new AbortController();
  const answers = [ask('c', { signal: gone.signal }), ask('d')];
  gone.abort(new Error('gone'));
  calls[0]?.answer('A');
  await turn();
  expect(calls[2]?.asks).toEqual(['d']);
  calls[2]?.answer('D');
  await expect(answers[0]).rejects.toThrow('gone');
  expect(await answers[1]).toBe('D');
  calls[1]?.answer('B');
  await Promise.all(first);
});

it('a load ends when nobody waits for it any more', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const [one, other] = [new AbortController(), new AbortController()];
  const answers = [ask('c', { signal: one.signal }), ask('d', { signal: other.signal })];
  calls[0]?.answer('A');
  await turn();
  one.abort();
  expect(calls[2]?.signal.aborted).toBe(false);
  other.abort();
  expect(calls[2]?.signal.aborted).toBe(true);
  calls[2]?.fail(new Error('ended'));
  for (const answer of answers) await expect(answer).rejects.toThrow('ended');
});

it('who leaves before his turn takes nobody with him', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const left = new AbortController();
  ask('c', { signal: left.signal, size: 500 }).catch(() => undefined);
  left.abort(new Error('too late'));
  const waiting = ask('d', { size: 500 });
  await turn();
  expect(calls).toHaveLength(2);
  calls[0]?.answer('A');
  await turn();
  expect(calls[2]?.asks).toEqual(['d']);
  calls[2]?.answer('D');
  expect(await waiting).toBe('D');
});

it('a turn to which nobody is left is passed over', async () => {
  const { ask, calls, busy } = useLoads();
  void (await busy());
  const left = new AbortController();
  const answer = ask('c', { signal: left.signal });
  left.abort(new Error('too late'));
  calls[0]?.answer('A');
  await expect(answer).rejects.toThrow('too late');
  expect(calls).toHaveLength(2);
  const after = ask('d');
  await turn();
  calls[2]?.answer('D');
  expect(await after).toBe('D');
});
