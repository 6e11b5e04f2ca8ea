import type { Logger } from 'pino';
import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { SubscriptionError } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import { firstUuidAt } from '../lib/id.ts';
import { changesSince } from './read.ts';
import { type ChangeFilter, maxFollowers, maxFollowersPerKey, maxWaitingChanges } from './rules.ts';
import { createSubscription, type Subscription, tooSlowError } from './subscription.ts';
import type { ChangeRow } from './table.ts';

/** Poll interval while there are subscribers. The average delay of a change is half of it. */
const pollIntervalMs = 200;
/** Interval for rechecking the tokens of subscribers. The authenticator caches tokens for some time more. */
const renewIntervalMs = 1000;
/** Longer than any write can take. */
const longestWriteMs = 60 * 60 * 1000;

/** A caller that wants to subscribe, and its filter. */
export interface SubscriptionRequest {
  viewer: Viewer;
  /** Looks the token up again. Returns undefined if it is no longer valid. */
  renew(): Promise<Viewer | undefined>;
  filter: ChangeFilter;
}

interface ActiveSubscription extends Subscription {
  viewer: Viewer;
  renew: SubscriptionRequest['renew'];
  renewedAt: number;
  /** Whether the first poll has completed. The subscription gets the changes of later polls. */
  hasStarted: boolean;
}

/** A feed of the changes of accounts that all replicas write. */
export interface ChangeFeed {
  /** Subscribes to changes of the viewer's tenant from now on. Throws SubscriptionError. */
  subscribe(request: SubscriptionRequest): Promise<AsyncIterableIterator<ChangeRow>>;
  /** Completes all subscriptions and rejects new ones. */
  close(): void;
}

function openSubscription(
  { viewer, renew, filter }: SubscriptionRequest,
  onEnd: () => void,
): ActiveSubscription {
  return { ...createSubscription(filter, onEnd), viewer, renew, renewedAt: Date.now(), hasStarted: false };
}

function assertCapacity(subscriptions: ReadonlySet<ActiveSubscription>, { actor }: Viewer): void {
  const ofKey = [...subscriptions].filter(({ viewer }) => viewer.actor === actor).length;
  if (ofKey >= maxFollowersPerKey) {
    throw new SubscriptionError(
      'RATE_LIMITED',
      `Your key already has ${maxFollowersPerKey} subscriptions. End one, or use one for several purposes.`,
    );
  }
  if (subscriptions.size >= maxFollowers) {
    throw new SubscriptionError(
      'SERVICE_UNAVAILABLE',
      'This server has too many subscriptions. Subscribe again later.',
    );
  }
}

/** Orders the changes of each account by version: transactions can commit in another order than they began. */
function orderByVersion(changes: ChangeRow[]): ChangeRow[] {
  const accounts = groupBy(changes, ({ accountId }) => accountId);
  return [...accounts.values()].flatMap((group) => group.toSorted((a, b) => a.version - b.version));
}

/** Returns a handler that removes a subscription whose first poll failed. */
function endAndRethrow(subscription: ActiveSubscription) {
  return (error: unknown): never => {
    subscription.end();
    throw error;
  };
}

/** Passes new changes to the subscriptions of their tenants. */
function dispatch(changes: ChangeRow[], subscriptions: Iterable<ActiveSubscription>): void {
  const tenants = groupBy(changes, ({ tenantId }) => tenantId);
  const ordered = new Map([...tenants].map(([id, own]) => [id, orderByVersion(own)]));
  for (const subscription of subscriptions) {
    const own = ordered.get(subscription.viewer.tenant.id) ?? [];
    if (!subscription.hasStarted) continue;
    if (own.length > maxWaitingChanges) subscription.end(tooSlowError());
    else for (const change of own) subscription.offer(change);
  }
}

/** Ends a subscription whose token is no longer valid or whose scopes have changed. */
async function renewToken(subscription: ActiveSubscription): Promise<void> {
  subscription.renewedAt = Date.now();
  // If the database is unavailable, keep the subscription: there are no changes to send.
  const viewer = await subscription.renew().catch(() => subscription.viewer);
  const same = viewer?.scopes.join() === subscription.viewer.scopes.join();
  if (same) return;
  subscription.end(
    new SubscriptionError(
      'UNAUTHENTICATED',
      'Your token is no longer valid. Subscribe again with another token.',
    ),
  );
}

function renewTokens(subscriptions: Iterable<ActiveSubscription>): void {
  for (const subscription of subscriptions) {
    if (Date.now() - subscription.renewedAt >= renewIntervalMs) void renewToken(subscription);
  }
}

/** Polls at an interval while `hasSubscribers` returns true, one poll at a time. */
function createPoller(poll: () => Promise<void>, hasSubscribers: () => boolean, log: Logger) {
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;

  async function pollOnce(): Promise<void> {
    try {
      await poll();
      failing = false;
    } finally {
      running = undefined;
      if (hasSubscribers()) timer ??= setTimeout(pollAgain, pollIntervalMs).unref();
    }
  }
  function now(): Promise<void> {
    running ??= pollOnce();
    return running;
  }
  function pollAgain(): void {
    timer = undefined;
    // The next poll sees what this one missed.
    now().catch((error: unknown) => {
      if (!failing) log.warn({ err: error }, 'Change feed delayed: polling the history failed');
      failing = true;
    });
  }
  return {
    /** Polls now, or joins the running poll. */
    now,
    stop(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/**
 * Creates the feed of a replica. It polls the history with one statement for all subscribers, and only while there are
 * any. NOTIFY would serialize the commits of all writes.
 */
export function createFeed({ database, log }: { database: Database; log: Logger }): ChangeFeed {
  const subscriptions = new Set<ActiveSubscription>();
  const hasSubscribers = () => subscriptions.size > 0;
  const floor = firstUuidAt(Date.now() - longestWriteMs);
  let seen: string | null = null;
  let closed = false;

  async function poll(): Promise<void> {
    const tenantIds = [...subscriptions].map(({ viewer }) => viewer.tenant.id);
    const [found] = await database.run(changesSince, { tenantIds: [...new Set(tenantIds)], seen, floor });
    seen = hasSubscribers() && found ? found.snapshot : null;
    dispatch(found?.fresh ?? [], subscriptions);
    renewTokens(subscriptions);
  }
  const poller = createPoller(poll, hasSubscribers, log);

  function onEnd(subscription: ActiveSubscription): void {
    subscriptions.delete(subscription);
    if (hasSubscribers()) return;
    poller.stop();
    seen = null;
  }
  return {
    async subscribe(request) {
      assertCapacity(subscriptions, request.viewer);
      const subscription: ActiveSubscription = openSubscription(request, () => onEnd(subscription));
      subscriptions.add(subscription);
      if (closed) subscription.end();
      await poller.now().catch(endAndRethrow(subscription));
      subscription.hasStarted = true;
      return subscription.changes;
    },
    close() {
      closed = true;
      for (const subscription of subscriptions) subscription.end();
    },
  };
}
