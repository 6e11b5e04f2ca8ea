import type { Logger } from 'pino';
import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { FollowingError } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import { firstUuidAt } from '../lib/id.ts';
import { createFollower, type Follower, tooSlow } from './follower.ts';
import { changesSince } from './read.ts';
import { type ChangeFilter, maxFollowers, maxFollowersPerKey, maxWaitingChanges } from './rules.ts';
import type { ChangeRow } from './table.ts';

/** While anybody follows: a change is under way for half of it on average. */
const lookEveryMs = 200;
/** How long a token that is no longer good may go on following, beside what the authenticator remembers. */
const renewEveryMs = 1000;
/** No write is under way for as long. */
const longestWriteMs = 60 * 60 * 1000;

/** Who wants to follow, and whether that still holds. */
export interface Subscriber {
  viewer: Viewer;
  /** Looks the token up again: undefined when it is no longer good. */
  renew(): Promise<Viewer | undefined>;
  filter: ChangeFilter;
}

interface Following extends Follower {
  viewer: Viewer;
  renew: Subscriber['renew'];
  renewedAt: number;
  /** Since the look after which it is given what is new. */
  joined: boolean;
}

/** The changes of accounts as they are written, by this replica and by all others. */
export interface ChangeFeed {
  /** Changes of the viewer's tenant that are accepted from now on. Throws FollowingError. */
  follow(subscriber: Subscriber): Promise<AsyncIterableIterator<ChangeRow>>;
  /** Ends all who follow, in peace, and takes no more. */
  close(): void;
}

function newFollowing({ viewer, renew, filter }: Subscriber, leave: () => void): Following {
  return { ...createFollower(filter, leave), viewer, renew, renewedAt: Date.now(), joined: false };
}

function assertRoom(following: ReadonlySet<Following>, { actor }: Viewer): void {
  const ofKey = [...following].filter(({ viewer }) => viewer.actor === actor).length;
  if (ofKey >= maxFollowersPerKey) {
    throw new FollowingError(
      'RATE_LIMITED',
      `Your key has ${maxFollowersPerKey} subscriptions already: end one, or let one serve several purposes.`,
    );
  }
  if (following.size >= maxFollowers) {
    throw new FollowingError(
      'SERVICE_UNAVAILABLE',
      'Too many follow the changes here; subscribe again later.',
    );
  }
}

/** The changes of each account in the order of its versions: that of their transactions' beginnings may be another. */
function inOrder(changes: ChangeRow[]): ChangeRow[] {
  const accounts = groupBy(changes, ({ accountId }) => accountId);
  return [...accounts.values()].flatMap((group) => group.toSorted((a, b) => a.version - b.version));
}

/** Lets one go who could not begin to follow. */
function failed(follower: Following) {
  return (error: unknown): never => {
    follower.end();
    throw error;
  };
}

/** Gives each what is new of its tenant. */
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

/** Ends one who follows with a token that is no longer good. */
async function renewToken(follower: Following): Promise<void> {
  follower.renewedAt = Date.now();
  // A database that cannot be asked has no changes either.
  const viewer = await follower.renew().catch(() => follower.viewer);
  const same = viewer?.scopes.join() === follower.viewer.scopes.join();
  if (same) return;
  follower.end(
    new FollowingError('UNAUTHENTICATED', 'Your token is no longer good: subscribe again with another one.'),
  );
}

function renewTokens(following: Iterable<Following>): void {
  for (const follower of following) {
    if (Date.now() - follower.renewedAt >= renewEveryMs) void renewToken(follower);
  }
}

/** Looks from time to time while that is wanted, one look after another. */
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
    // What this look did not see, the next one will.
    now().catch((error: unknown) => {
      if (!failing) log.warn({ err: error }, 'changes reach their followers later');
      failing = true;
    });
  }
  return {
    /** Looks now; a look that is under way will do. */
    now,
    stop(): void {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}

/**
 * Makes the feed of a replica. It looks into the history, with one statement for all who follow and only while anybody
 * does. A write pays nothing for it: NOTIFY would make all that commit wait for each other.
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
