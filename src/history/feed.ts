import type { Logger } from 'pino';
import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { SubscriptionError } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import { firstUuidAt } from '../lib/id.ts';
import { createFollower, type Follower, tooSlow } from './follower.ts';
import { changesSince } from './read.ts';
import { type ChangeFilter, maxFollowers, maxFollowersPerKey, maxWaitingChanges } from './rules.ts';
import type { ChangeRow } from './table.ts';

/** Poll interval while there are subscribers. The average delay of a change is half of it. */
const lookEveryMs = 200;
/** Interval for rechecking the tokens of subscribers. The authenticator caches tokens for some time more. */
const renewEveryMs = 1000;
/** Longer than any write can take. */
const longestWriteMs = 60 * 60 * 1000;

/** A caller that wants to subscribe, and its filter. */
export interface Subscriber {
  viewer: Viewer;
  /** Looks the token up again. Returns undefined if it is no longer valid. */
  renew(): Promise<Viewer | undefined>;
  filter: ChangeFilter;
}

interface Following extends Follower {
  viewer: Viewer;
  renew: Subscriber['renew'];
  renewedAt: number;
  /** Whether the first poll has completed. The subscription gets the changes of later polls. */
  joined: boolean;
}

/** A feed of the changes of accounts that all replicas write. */
export interface ChangeFeed {
  /** Subscribes to changes of the viewer's tenant from now on. Throws SubscriptionError. */
  follow(subscriber: Subscriber): Promise<AsyncIterableIterator<ChangeRow>>;
  /** Completes all subscriptions and rejects new ones. */
  close(): void;
}

function newFollowing({ viewer, renew, filter }: Subscriber, leave: () => void): Following {
  return { ...createFollower(filter, leave), viewer, renew, renewedAt: Date.now(), joined: false };
}

function assertRoom(following: ReadonlySet<Following>, { actor }: Viewer): void {
  const ofKey = [...following].filter(({ viewer }) => viewer.actor === actor).length;
  if (ofKey >= maxFollowersPerKey) {
    throw new SubscriptionError(
      'RATE_LIMITED',
      `Your key already has ${maxFollowersPerKey} subscriptions. End one, or use one for several purposes.`,
    );
  }
  if (following.size >= maxFollowers) {
    throw new SubscriptionError(
      'SERVICE_UNAVAILABLE',
      'This server has too many subscriptions. Subscribe again later.',
    );
  }
}

/** Orders the changes of each account by version: transactions can commit in another order than they began. */
function inOrder(changes: ChangeRow[]): ChangeRow[] {
  const accounts = groupBy(changes, ({ accountId }) => accountId);
  return [...accounts.values()].flatMap((group) => group.toSorted((a, b) => a.version - b.version));
}

/** Returns a handler that removes a subscription whose first poll failed. */
function failed(follower: Following) {
  return (error: unknown): never => {
    follower.end();
    throw error;
  };
}

/** Passes new changes to the subscriptions of their tenants. */
function hand(changes: ChangeRow[], following: Iterable<Following>): void {
  const tenants = groupBy(changes, ({ tenantId }) => tenantId);
  const ordered = new Map([...tenants].map(([id, own]) => [id, inOrder(own)]));
  for (const follower of following) {
    const own = ordered.get(follower.viewer.tenant.id) ?? [];
    if (!follower.joined) continue;
    if (own.length > maxWaitingChanges) follower.end(tooSlow());
    else for (const change of own) follower.offer(change);
  }
}

/** Ends a subscription whose token is no longer valid or whose scopes have changed. */
async function renewToken(follower: Following): Promise<void> {
  follower.renewedAt = Date.now();
  // If the database is unavailable, keep the subscription: there are no changes to send.
  const viewer = await follower.renew().catch(() => follower.viewer);
  const same = viewer?.scopes.join() === follower.viewer.scopes.join();
  if (same) return;
  follower.end(
    new SubscriptionError(
      'UNAUTHENTICATED',
      'Your token is no longer valid. Subscribe again with another token.',
    ),
  );
}

function renewTokens(following: Iterable<Following>): void {
  for (const follower of following) {
    if (Date.now() - follower.renewedAt >= renewEveryMs) void renewToken(follower);
  }
}

/** Polls at an interval while `isWanted` returns true, one poll at a time. */
function createWatch(look: () => Promise<void>, isWanted: () => boolean, log: Logger) {
  let looking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let failing = false;

  async function lookOnce(): Promise<void> {
    try {
      await look();
      failing = false;
    } finally {
      looking = undefined;
      if (isWanted()) timer ??= setTimeout(again, lookEveryMs).unref();
    }
  }
  function now(): Promise<void> {
    looking ??= lookOnce();
    return looking;
  }
  function again(): void {
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
  const following = new Set<Following>();
  const isWanted = () => following.size > 0;
  const floor = firstUuidAt(Date.now() - longestWriteMs);
  let seen: string | null = null;
  let closed = false;

  async function look(): Promise<void> {
    const tenantIds = [...following].map(({ viewer }) => viewer.tenant.id);
    const [found] = await database.run(changesSince, { tenantIds: [...new Set(tenantIds)], seen, floor });
    seen = isWanted() && found ? found.snapshot : null;
    hand(found?.fresh ?? [], following);
    renewTokens(following);
  }
  const watch = createWatch(look, isWanted, log);

  function leave(follower: Following): void {
    following.delete(follower);
    if (isWanted()) return;
    watch.stop();
    seen = null;
  }
  return {
    async follow(subscriber) {
      assertRoom(following, subscriber.viewer);
      const follower: Following = newFollowing(subscriber, () => leave(follower));
      following.add(follower);
      if (closed) follower.end();
      await watch.now().catch(failed(follower));
      follower.joined = true;
      return follower.changes;
    },
    close() {
      closed = true;
      for (const follower of following) follower.end();
    },
  };
}
