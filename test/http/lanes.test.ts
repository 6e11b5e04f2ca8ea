import { describe, expect, it } from 'vitest';
import { createLanes } from '../../src/http/lanes.ts';
import { BusyError } from '../../src/lib/errors.ts';
import { useService } from '../support/service.ts';

/** Creates work that ends when `end` is called. */
function useWork() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)));
  };
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const end = async (name: string) => {
    ends.get(name)?.();
    await settle();
  };
  return { begun, work, end };
}

describe('a lane', () => {
  it('runs a limited number of calls per tenant in order', async () => {
    const { begun, work, end } = useWork();
    const inLane = createLanes<number>({ width: 2, maxWaiting: 10 });
    const results = ['a1', 'a2', 'a3', 'a4'].map(async (name) => inLane(1, 1, work(name)));
    results.push((async () => inLane(2, 1, work('b1')))());
    expect(begun).toEqual(['a1', 'a2', 'b1']);
    await end('a2');
    expect(begun).toEqual(['a1', 'a2', 'b1', 'a3']);
    await end('a3');
    await end('a1');
    for (const name of ['a4', 'b1']) await end(name);
    expect(await Promise.all(results)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1']);
  });

  it('counts the cost of a call, even above the width of the lane', async () => {
    const { begun, work, end } = useWork();
    const inLane = createLanes<number>({ width: 4, maxWaiting: 10 });
    const costs = { a1: 1, a2: 9, a3: 1, a4: 2, a5: 2, a6: 1 };
    const results = Object.entries(costs).map(async ([name, cost]) => inLane(1, cost, work(name)));
    expect(begun).toEqual(['a1', 'a2']);
    await end('a1');
    expect(begun).toEqual(['a1', 'a2']);
    await end('a2');
    expect(begun).toEqual(['a1', 'a2', 'a3', 'a4', 'a5']);
    for (const name of ['a3', 'a4', 'a5', 'a6']) await end(name);
    expect(await Promise.all(results)).toEqual(Object.keys(costs));
  });

  it('continues after a call fails, immediately or later', async () => {
    const inLane = createLanes<number>({ width: 1, maxWaiting: 10 });
    const fail = () => {
      throw new Error('at once');
    };
    expect(() => inLane(1, 1, fail)).toThrow('at once');
    const later = inLane(1, 1, () => Promise.reject(new Error('later')));
    const waiting = [inLane(1, 1, fail), inLane(1, 1, () => 'fine')];
    await expect(later).rejects.toThrow('later');
    await expect(waiting[0]).rejects.toThrow('at once');
    await expect(waiting[1]).resolves.toBe('fine');
  });

  it('rejects calls beyond the queue', async () => {
    const { work, end } = useWork();
    const inLane = createLanes<number>({ width: 1, maxWaiting: 1 });
    const results = ['a1', 'a2'].map(async (name) => inLane(1, 1, work(name)));
    expect(() => inLane(1, 1, work('a3'))).toThrow(BusyError);
    for (const name of ['a1', 'a2']) await end(name);
    expect(await Promise.all(results)).toEqual(['a1', 'a2']);
    expect(inLane(1, 1, () => 'fine')).toBe('fine');
  });
});

describe('a flood of requests of one tenant', () => {
  const service = useService({ poolSize: 2, operationTimeoutMs: 60_000 });

  it('does not delay another tenant', async () => {
    const [flooding, other] = [await service.newTenant(), await service.newTenant()];
    // Open the connections first, because waiting for them is not part of the flood.
    await service.database.transaction(() => other.send('{ viewer { keyName } accounts { totalCount } }'));
    const answered: string[] = [];
    const query = '{ customers(first: 100) { totalCount nodes { id history { nodes { id } } } } }';
    const flood = Array.from({ length: 100 }, async (_, n) => {
      const { status } = await flooding.send(query);
      answered.push(`flood ${n}`);
      return status;
    });
    const { status } = await other.send('{ customer(id: "none") { id } accounts { totalCount } }');
    answered.push('other');
    expect(status).toBe(200);
    expect(new Set(await Promise.all(flood))).toEqual(new Set([200]));
    expect(answered.indexOf('other')).toBeLessThan(70);
  });
});
