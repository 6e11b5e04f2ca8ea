import type { Request } from './measure.ts';
import { requestsOf } from './requests.ts';
import type { Running } from './services.ts';
import type { Workload } from './workloads.ts';

/** The share of each workload in a hundred requests: 70 reads, 30 writes. */
export const mixShares: [Workload, number][] = [
  ['W2', 25],
  ['W6', 20],
  ['W5', 5],
  ['W4', 5],
  ['W3', 5],
  ['W8', 10],
  ['W7', 15],
  ['W1', 15],
];
const hundreds = 10;

/** A fixed shuffle, so that every service gets the same order. */
function order(index: number): number {
  return (index * 7919) % 1009;
}

/** Requests of all workloads, mixed by `mixShares`. */
export function mixedRequests(service: Running): Request[] {
  const requests = mixShares.flatMap(([workload, share]) => {
    const all = requestsOf(service, workload);
    return Array.from({ length: share * hundreds }, (_, index) => all[index % all.length] as Request);
  });
  return requests
    .map((request, index) => ({ request, place: order(index) }))
    .sort((a, b) => a.place - b.place)
    .map(({ request }) => request);
}
