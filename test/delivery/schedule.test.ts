import { describe, expect, it } from 'vitest';
import { defaultSchedule, nextDelayMs, parseSchedule } from '../../src/delivery/schedule.ts';

const middle = () => 0.5;

describe('defaultSchedule', () => {
  it('is the schedule of Standard Webhooks', () => {
    expect(parseSchedule('5s,5m,30m,2h,5h,10h,14h,20h,24h')).toEqual(defaultSchedule);
    expect(defaultSchedule[1]).toBe(300_000);
  });
});

describe('parseSchedule', () => {
  it('returns milliseconds', () => {
    expect(parseSchedule('5s, 30m ,2h')).toEqual([5000, 1_800_000, 7_200_000]);
  });

  it.each(['', ',', '5s,', '5', '5d', '0s', '-5s', '1.5h', '5 s', '5s;5m', '5S', '100000s', '1e3s'])(
    'rejects %j',
    (text) => {
      expect(parseSchedule(text)).toBeUndefined();
    },
  );
});

describe('nextDelayMs', () => {
  it('returns the delay before each next attempt, and undefined after the last', () => {
    const delays = [1, 2, 3].map((attempts) => nextDelayMs([5000, 300_000], attempts, middle));
    expect(delays).toEqual([5000, 300_000, undefined]);
    expect(nextDelayMs(defaultSchedule, 9, middle)).toBe(86_400_000);
    expect(nextDelayMs(defaultSchedule, 10, middle)).toBeUndefined();
    expect(nextDelayMs([], 1, middle)).toBeUndefined();
  });

  it('varies by 10 % in both directions', () => {
    expect(nextDelayMs([10_000], 1, () => 0)).toBe(9000);
    expect(nextDelayMs([10_000], 1, () => 1)).toBe(11_000);
    const delays = Array.from({ length: 50 }, () => nextDelayMs([1_000_000], 1));
    expect(new Set(delays).size).toBeGreaterThan(1);
  });
});
