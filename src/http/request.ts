import { newUuid } from '../lib/id.ts';

/** Returns the id that a client gave its request in `X-Request-Id`, or a new one. */
export function requestIdFrom(given: string | null | undefined): string {
  return given != null && /^[\w.:-]{1,100}$/.test(given) ? given : newUuid();
}
