import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createPoller } from '../../src/feed/poller.ts';
import { newGate } from '../support/webhooks.ts';

const log = pino({ level: 'silent' });

describe('a poller', () => {
  it('runs one poll at a time, whenever it is called', async () => {
    let running = 0;
    let most = 0;
    const gate = newGate();
    const poller = createPoller(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await gate.opened;
        running -= 1;
        return false;
      },
      { hasReaders: () => false, log },
    );
    const polls = [poller.now(), poller.now()];
    gate.open();
    // In each step between the end of the first poll and the start of the next one.
    for (let step = 0; step < 20; step += 1) {
      await Promise.resolve();
      polls.push(poller.now());
    }
    await Promise.all(polls);
    expect(most).toBe(1);
  });

  it('begins a poll for each caller that comes while one is running', async () => {
    const gates = [newGate(), newGate(), newGate()];
    let begun = 0;
    const poller = createPoller(
      async () => {
        const gate = gates[begun];
        begun += 1;
        await gate?.opened;
        return false;
      },
      { hasReaders: () => false, log },
    );
    const first = poller.now();
    const second = poller.now();
    expect(begun).toBe(1);
    gates[0]?.open();
    await first;
    gates[1]?.open();
    await second;
    expect(begun).toBe(2);
  });

  it('starts nothing after it is stopped, and waits for the running poll', async () => {
    const gate = newGate();
    let begun = 0;
    let ended = 0;
    const poller = createPoller(
      async () => {
        begun += 1;
        await gate.opened;
        ended += 1;
        return true;
      },
      { hasReaders: () => true, idleMs: 1, log },
    );
    void poller.now();
    const stopped = poller.stop();
    gate.open();
    await stopped;
    expect({ begun, ended }).toEqual({ begun: 1, ended: 1 });
    poller.soon();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(begun).toBe(1);
  });
});
