import { setImmediate as yieldToOthers } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ChangeStream, Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { SubscriptionError } from '../lib/errors.ts';
import { type Append, createLateAppend } from './append.ts';
import { createPoller } from './poller.ts';
import { encodePosition, type GivenPosition, parsePosition, start } from './position.ts';
import { type FeedNews, feedNews, feedPage, matches, pageFrom, pageValues } from './read.ts';
import { type ChangeFilter, maxSubscriptions, maxSubscriptionsPerKey } from './rules.ts';
import { createSubscriber, type Offer, type Subscriber } from './subscriber.ts';
import type { FeedEntry, Place } from './table.ts';

/** Interval for rechecking the tokens of subscribers. The authenticator caches tokens for some time more. */
const renewIntervalMs = 1000;
/** The entries that a subscriber reads at once until it has reached the newest ones. */
const replaySize = 200;
/** Subscribers that get a batch before other work of the process continues. */
const offersAtOnce = 50;

/** A caller that wants to subscribe, and its filter. */
export interface SubscriptionRequest {
  viewer: Viewer;
  /** Looks the token up again. Returns undefined if it is no longer valid. */
  renew(): Promise<Viewer | undefined>;
  filter: ChangeFilter;
  /** A position; undefined: from now on. */
  after: string | undefined;
}

interface Active {
  viewer: Viewer;
  renew: SubscriptionRequest['renew'];
  renewedAt: number;
  filter: ChangeFilter;
  /** Equal for equal filters. */
  filterKey: string;
  /** undefined until the subscription begins. */
  subscriber: Subscriber | undefined;
}

/** The changes of all replicas, in the order of the feed. */
export interface LiveFeed {
  /** Subscribes to changes of the viewer's tenant. Throws SubscriptionError and InvalidInputError. */
  subscribe(request: SubscriptionRequest): Promise<ChangeStream>;
  /** Notes that this replica may have written a change. */
  noteWrite(): void;
  /** Completes all subscriptions and rejects new ones. */
  close(): void;
}

function assertCapacity(active: ReadonlySet<Active>, { actor }: Viewer): void {
  const ofKey = [...active].filter(({ viewer }) => viewer.actor === actor).length;
  if (ofKey >= maxSubscriptionsPerKey) {
    throw new SubscriptionError(
      'RATE_LIMITED',
      `Your key already has ${maxSubscriptionsPerKey} subscriptions. End one, or use one for several purposes.`,
    );
  }
  if (active.size >= maxSubscriptions) {
    throw new SubscriptionError(
      'SERVICE_UNAVAILABLE',
      'This server has too many subscriptions. Subscribe again later.',
    );
  }
}

/** Ends a subscription whose token is no longer valid or whose scopes have changed. */
async function renewToken(active: Active): Promise<void> {
  active.renewedAt = Date.now();
  // If the database is unavailable, keep the subscription: there are no changes to send.
  const viewer = await active.renew().catch(() => active.viewer);
  if (viewer?.scopes.join() === active.viewer.scopes.join()) return;
  active.subscriber?.end(
    'UNAUTHENTICATED',
    'Your token is no longer valid. Subscribe again after `position` with another token.',
  );
}

function renewTokens(actives: Iterable<Active>): void {
  for (const active of actives) {
    if (Date.now() - active.renewedAt >= renewIntervalMs) void renewToken(active);
  }
}

/** Returns the entries that a filter selects, up to a place. */
function offerOf(entries: readonly FeedEntry[], filter: ChangeFilter, end: Place): Offer {
  const changes = entries.filter((entry) => matches(filter, entry));
  return { changes, ids: changes.map(({ position, id }) => encodePosition({ position, changeId: id })), end };
}

/** The end of the entries, or else that of the feed. */
function endOf({ entries, head }: FeedNews): Place {
  const last = entries.at(-1);
  return last === undefined ? (head ?? start) : { position: last.position, changeId: last.id };
}

/** Offers new entries to the subscribers of their tenant. Those with equal filters get the same offer. */
async function dispatch(news: FeedNews, actives: Iterable<Active>): Promise<void> {
  if (news.entries.length === 0) return;
  const offers = new Map<string, Offer>();
  let offered = 0;
  for (const { viewer, filter, filterKey, subscriber } of actives) {
    if (viewer.tenant.id !== news.tenantId || subscriber === undefined) continue;
    const offer = offers.get(filterKey) ?? offerOf(news.entries, filter, endOf(news));
    offers.set(filterKey, offer);
    subscriber.offer(offer);
    offered += 1;
    if (offered % offersAtOnce === 0) await yieldToOthers();
  }
}

/** Reads the changes of a subscription after a place. With a position, checks that it is of this feed. */
async function readOffer(
  database: Database,
  { viewer, filter }: Active,
  place: Place | GivenPosition,
): Promise<Offer> {
  const request = { after: place, filter, size: replaySize };
  const found = await database.run(feedPage, { ...pageValues(request), tenantId: viewer.tenant.id });
  const { entries, end } = pageFrom(request, found);
  return offerOf(entries, filter, end);
}

const keyOf = ({ accountId, customerId, kinds, accountsOnly }: ChangeFilter): string =>
  JSON.stringify([accountId, customerId, kinds, accountsOnly]);

/**
 * Creates the live feed of a replica. While there are subscribers, it appends and polls with a few statements for all
 * of them. NOTIFY would serialize the commits of all writes.
 */
export function createLiveFeed({
  database,
  log,
  append,
}: {
  database: Database;
  log: Logger;
  append: Append;
}): LiveFeed {
  const actives = new Set<Active>();
  /** The newest place that was offered to the subscribers of each tenant. */
  let heads = new Map<number, Place>();
  let isClosed = false;
  const late = createLateAppend(append, log);

  async function poll(): Promise<boolean> {
    await append();
    const tenantIds = [...new Set([...actives].map(({ viewer }) => viewer.tenant.id))];
    const positions = tenantIds.map((id) => heads.get(id)?.position ?? -1);
    const found = await database.run(feedNews, { tenantIds, positions: `{${positions.join()}}` });
    heads = new Map(found.map((news) => [news.tenantId, endOf(news)]));
    for (const news of found) await dispatch(news, actives);
    renewTokens(actives);
    return found.some((news) => endOf(news).position < (news.head?.position ?? 0));
  }
  const poller = createPoller(poll, { hasReaders: () => actives.size > 0, log });

  async function begin(active: Active, after: GivenPosition | undefined): Promise<Subscriber> {
    // From the place where this poll ends, new changes are offered.
    await poller.now();
    const head = () => heads.get(active.viewer.tenant.id) ?? start;
    const first = after && (await readOffer(database, active, after));
    const subscriber = createSubscriber({
      first: first ?? { changes: [], ids: [], end: head() },
      isNewest: (place) => place.position >= head().position,
      read: (place) => readOffer(database, active, place),
      onEnd: () => actives.delete(active),
    });
    // Before anything else runs: a poll that ends before would not offer its changes.
    active.subscriber = subscriber;
    if (isClosed) subscriber.end();
    return subscriber;
  }
  return {
    async subscribe({ viewer, renew, filter, after }) {
      assertCapacity(actives, viewer);
      const given = after === undefined ? undefined : parsePosition(after);
      const active: Active = {
        viewer,
        renew,
        renewedAt: Date.now(),
        filter,
        filterKey: keyOf(filter),
        subscriber: undefined,
      };
      actives.add(active);
      try {
        return await begin(active, given);
      } catch (error) {
        actives.delete(active);
        throw error;
      }
    },
    noteWrite() {
      if (actives.size > 0) poller.soon();
      else late.schedule();
    },
    close() {
      isClosed = true;
      late.stop();
      for (const { subscriber } of actives) subscriber?.end();
      void poller.stop();
    },
  };
}
