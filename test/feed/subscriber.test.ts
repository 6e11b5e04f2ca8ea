import { describe, expect, it } from 'vitest';
import { maxWaitingChanges } from '../../src/feed/rules.ts';
import { createSubscriber, type Offer } from '../../src/feed/subscriber.ts';
import type { FeedEntry } from '../../src/feed/table.ts';

/** Returns an offer of the changes after a position. */
function offerAfter(position: number, count: number): Offer {
  const positions = Array.from({ length: count }, (_, index) => position + index + 1);
  return {
    changes: positions.map((at) => ({ position: at }) as FeedEntry),
    ids: positions.map(String),
    end: { position: position + count, changeId: null },
  };
}

/** Creates a subscriber that reads these batches of earlier changes, and then gets new ones. */
function subscriberWith({ batches, size }: { batches: number; size: number }) {
  const head = batches * size;
  let ended = 0;
  const subscriber = createSubscriber({
    first: offerAfter(0, 0),
    isNewest: ({ position }) => position >= head,
    read: async ({ position }) => offerAfter(position, size),
    onEnd: () => {
      ended += 1;
    },
  });
  return { subscriber, head, ends: () => ended };
}

describe('a subscriber', () => {
  it('gets earlier changes and then offered ones, each once', async () => {
    const { subscriber, head } = subscriberWith({ batches: 3, size: 2 });
    const taken: number[] = [];
    const take = async () => {
      const { value } = await subscriber.next();
      for (const { position } of value?.changes ?? []) taken.push(position);
    };
    subscriber.offer(offerAfter(head, 1));
    for (let batch = 0; batch < 3; batch += 1) await take();
    subscriber.offer(offerAfter(head - 1, 2));
    subscriber.offer(offerAfter(head - 1, 2));
    subscriber.offer(offerAfter(head + 1, 1));
    for (let batch = 0; batch < 2; batch += 1) await take();
    expect(taken).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('ends if too many changes wait, also after it has read earlier ones', async () => {
    const { subscriber, head, ends } = subscriberWith({ batches: 20, size: 200 });
    for (let batch = 0; batch < 20; batch += 1) await subscriber.next();
    subscriber.offer(offerAfter(head, maxWaitingChanges));
    expect(ends()).toBe(0);
    subscriber.offer(offerAfter(head + maxWaitingChanges, 1));
    expect(ends()).toBe(1);
    await expect(subscriber.next()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await subscriber.next()).toEqual({ value: undefined, done: true });
  });
});
