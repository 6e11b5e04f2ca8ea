import { expect, it } from 'vitest';
import { requestsPerEndpoint } from '../../src/delivery/deliverer.ts';

it('leaves requests for other endpoints, however many do not answer', () => {
  const busy = new Map<number, number>();
  let running = 0;
  // Each endpoint takes as many requests as it can, in the order in which endpoints are found, and none ends.
  for (let endpoint = 0; endpoint < 60; endpoint += 1) {
    while ((busy.get(endpoint) ?? 0) < requestsPerEndpoint(running)) {
      busy.set(endpoint, (busy.get(endpoint) ?? 0) + 1);
      running += 1;
    }
  }
  expect(running).toBeLessThan(256);
  expect(Math.min(...Array.from({ length: 60 }, (_, endpoint) => busy.get(endpoint) ?? 0))).toBeGreaterThan(
    0,
  );
});
