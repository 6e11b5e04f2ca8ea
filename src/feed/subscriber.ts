import type { ChangeBatch, ChangeStream } from '../ctx.ts';
import { SubscriptionError, type SubscriptionErrorCode } from '../lib/errors.ts';
import { encodePosition } from './position.ts';
import { maxWaitingChanges } from './rules.ts';
import type { Place } from './table.ts';

/** Changes of a subscription up to a place, without those that its filter leaves out. */
export interface Offer extends ChangeBatch {
  end: Place;
}

/** A subscription. It reads earlier changes first, and then gets new ones as they are offered. */
export interface Subscriber extends ChangeStream {
  /** Adds new changes. Has no effect for changes that the subscription already has. */
  offer(offer: Offer): void;
  /** Completes after the queued changes. With a reason, fails at once. */
  end(code?: SubscriptionErrorCode, message?: string): void;
}

interface SubscriberOptions {
  /** The changes that were read when the subscription began. */
  first: Offer;
  /** Returns whether `place` is the newest one that was offered to subscribers. */
  isNewest(place: Place): boolean;
  /** Reads the changes after a place. */
  read(place: Place): Promise<Offer>;
  /** Called once when the subscription ends. */
  onEnd(): void;
}

const tooSlow = `More than ${maxWaitingChanges} changes are waiting for the client. Subscribe again after \`position\`.`;

/** Returns the part of an offer after a position. */
function after(offer: Offer, position: number): Offer {
  const from = offer.changes.findIndex((change) => change.position > position);
  if (from === 0) return offer;
  const at = from < 0 ? offer.changes.length : from;
  return { changes: offer.changes.slice(at), ids: offer.ids.slice(at), end: offer.end };
}

export function createSubscriber({ first, isNewest, read, onEnd }: SubscriberOptions): Subscriber {
  let queue: Offer[] = first.changes.length > 0 ? [first] : [];
  let waiting = first.changes.length;
  /** The end of what was queued, and of what the reader has taken. */
  let queued = first.end;
  let taken = first.end;
  let isReplaying = !isNewest(first.end);
  let isOpen = true;
  let failure: { code: SubscriptionErrorCode; message: string } | undefined;
  let wake = () => {};

  const place = () => (queue.length === 0 ? queued : taken);
  function end(code?: SubscriptionErrorCode, message = ''): void {
    if (!isOpen) return;
    isOpen = false;
    if (code !== undefined) failure = { code, message };
    onEnd();
    wake();
  }
  /** Reads earlier changes until there are some for the reader, or no more. */
  async function replay(): Promise<void> {
    while (isOpen && isReplaying && queue.length === 0) {
      const offer = await read(queued);
      queued = offer.end;
      // From here on, new changes are offered.
      isReplaying = !isNewest(queued);
      if (offer.changes.length > 0) queue.push(offer);
      waiting += offer.changes.length;
    }
  }
  async function take(): Promise<Offer | undefined> {
    await replay();
    while (queue.length === 0 && isOpen) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (failure !== undefined) {
      const { code, message } = failure;
      failure = undefined;
      queue = [];
      throw new SubscriptionError(code, message, encodePosition(taken));
    }
    const offer = queue.shift();
    waiting -= offer?.changes.length ?? 0;
    taken = offer?.end ?? taken;
    return offer;
  }
  const subscriber: Subscriber = {
    // Not a generator, because `return` of a generator waits for the next change.
    async next() {
      const value = await take();
      return value === undefined ? { value, done: true } : { value, done: false };
    },
    async return() {
      queue = [];
      end();
      return { value: undefined, done: true };
    },
    [Symbol.asyncIterator]: () => subscriber,
    position: () => encodePosition(place()),
    offer(offer) {
      if (!isOpen || isReplaying || offer.end.position <= queued.position) return;
      const fresh = after(offer, queued.position);
      queued = offer.end;
      if (fresh.changes.length === 0) return;
      queue.push(fresh);
      waiting += fresh.changes.length;
      if (waiting > maxWaitingChanges) end('SERVICE_UNAVAILABLE', tooSlow);
      else wake();
    },
    end,
  };
  return subscriber;
}
