import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { SentRequest, WebhookTools } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import type { Append } from '../feed/append.ts';
import { createPoller } from '../feed/poller.ts';
import { encodePosition } from '../feed/position.ts';
import type { FeedEntry } from '../feed/table.ts';
import { presentFields } from '../history/present.ts';
import { newUuid, toTypeId } from '../lib/id.ts';
import type { EndpointRow } from '../webhook/table.ts';
import {
  type ClaimedLane,
  claimedChanges,
  claimLanes,
  deleteEmptyLanes,
  disableEndpoint,
  dispatchEntries,
  dispatchedEndpoints,
  endLease,
  extendLease,
  findUnchanged,
  hasEndpoints,
  type LaneOutcome,
  recordAttempts,
  releaseLanes,
  slowDown,
} from './lanes.ts';
import { webhookBody } from './payload.ts';
import { nextDelayMs, type Schedule } from './schedule.ts';
import { type SigningKeys, signatureHeaders, signingKeysOf } from './signature.ts';

/** Requests of this replica that run at the same time: in all, and to one endpoint. */
const maxRequests = 256;
const maxRequestsPerEndpoint = 8;
/** A replica without a lease loses its lanes. It extends the lease well before the end. */
const leaseMs = 8000;
const extendEveryMs = 2000;
/** Interval of looking for new endpoints while there are none. */
const idleMs = 1000;
/** How long an endpoint waits that answers 429, 502 or 504 without `Retry-After`. */
const slowDownMs = 10_000;

export interface DelivererOptions {
  database: Database;
  log: Logger;
  append: Append;
  tools: Pick<WebhookTools, 'open' | 'send'> & { close(): void };
  schedule: Schedule;
  /** Called for each request to an endpoint. */
  onAttempt?: ((succeeded: boolean) => void) | undefined;
}

/** Delivers the changes of the feed to webhook endpoints. */
export interface Deliverer {
  /** Notes that this replica may have written a change. */
  noteWrite(): void;
  /** Ends when the running requests have ended and their outcomes are stored. */
  close(): Promise<void>;
}

interface AttemptRecord {
  tenantId: number;
  endpointId: string;
  id: string;
  changeId: string;
  attempt: number;
  at: string;
  durationMs: number;
  status: number | null;
  error: string | null;
  response: string;
}

const isSuccess = ({ status }: Pick<SentRequest, 'status'>): boolean =>
  status !== null && status >= 200 && status < 300;

/** Returns how long an endpoint asked to wait; undefined if it did not. */
function waitOf({ status, retryAfterMs }: Pick<SentRequest, 'status' | 'retryAfterMs'>): number | undefined {
  if (status === 429 || status === 502 || status === 504) return retryAfterMs ?? slowDownMs;
  return status === 503 ? (retryAfterMs ?? undefined) : undefined;
}

function bodyOf(entry: FeedEntry, { payload }: EndpointRow): string {
  const position = encodePosition({ position: entry.position, changeId: entry.id });
  const fields = { before: presentFields(entry.before), after: presentFields(entry.after) };
  return webhookBody({ ...entry, ...fields, id: toTypeId('Change', entry.id), position }, payload);
}

/** The outcome of a claimed lane. */
interface Delivery {
  outcome: LaneOutcome;
  records: AttemptRecord[];
  /** The failed request that ended the delivery. */
  failure: SentRequest | undefined;
}

/** Returns a function that decrypts and parses the secrets of an endpoint, those in use once. */
function createKeys({ open }: Pick<WebhookTools, 'open'>) {
  const known = new LRUCache<string, SigningKeys[]>({ max: 1000 });
  return (endpoint: EndpointRow): SigningKeys[] => {
    const now = new Date();
    const { secret, previousSecret, previousSecretExpiresAt: expiresAt } = endpoint;
    const isRotating = expiresAt !== null && expiresAt > now;
    const key = `${secret.toString('base64')} ${isRotating ? previousSecret?.toString('base64') : ''}`;
    const keys = known.get(key) ?? signingKeysOf(endpoint, open, now);
    known.set(key, keys);
    return keys;
  };
}

/**
 * Returns a function that delivers the changes of a lane in their order, until one fails, the endpoint is changed or the
 * replica stops.
 */
function createLaneDelivery({ database, tools, schedule }: DelivererOptions, isClosing: () => boolean) {
  const keysOf = createKeys(tools);
  async function send({ endpoint }: ClaimedLane, entry: FeedEntry, secrets: SigningKeys[]) {
    const at = new Date();
    const body = bodyOf(entry, endpoint);
    const headers = signatureHeaders({ id: toTypeId('Change', entry.id), timestamp: at, body, secrets });
    return { at: at.toISOString(), sent: await tools.send(endpoint.url, headers, body) };
  }
  /** The claim has checked the endpoint for the first entry. A failure also stops, to keep the outcome until here. */
  async function mustStop({ endpoint, entries }: ClaimedLane, entry: FeedEntry): Promise<boolean> {
    if (isClosing()) return true;
    if (entry === entries[0]) return false;
    const { tenantId: tenant, id, version } = endpoint;
    const found = await database.run(findUnchanged, { tenant, id, version }).catch(() => []);
    return found.length === 0;
  }
  /** Returns when the change is tried again, or that it is skipped or blocks its lane. */
  function afterFailure(sent: SentRequest, failed: number, { onExhausted }: EndpointRow) {
    const delayMs = nextDelayMs(schedule, failed);
    const waitMs = Math.max(delayMs ?? 0, waitOf(sent) ?? 0);
    if (delayMs !== undefined)
      return { skips: false, nextAttemptAt: new Date(Date.now() + waitMs).toISOString() };
    const skips = onExhausted === 'SKIP';
    return { skips, nextAttemptAt: skips ? new Date().toISOString() : 'infinity' };
  }

  return async (lane: ClaimedLane): Promise<Delivery> => {
    const { tenantId, endpointId, isAccount, entityId, endpoint, entries, againRequests } = lane;
    const secrets = keysOf(endpoint);
    const records: AttemptRecord[] = [];
    let failed = lane.attempts;
    let delivered: number | null = null;
    const outcome = (upTo: number | null, attempts: number, nextAttemptAt = new Date().toISOString()) => ({
      ...{ tenantId, endpointId, isAccount, entityId, againRequests },
      ...{ delivered: upTo, attempts, nextAttemptAt },
    });
    for (const entry of entries) {
      if (await mustStop(lane, entry)) break;
      const { sent, at } = await send(lane, entry, secrets);
      // A replica that stops cuts its requests. That is no failure of the endpoint.
      if (isClosing() && !isSuccess(sent))
        return { outcome: outcome(delivered, failed), records, failure: undefined };
      const { durationMs, status, error, response } = sent;
      const attempt = { attempt: failed + 1, at, durationMs, status, error, response };
      records.push({ tenantId, endpointId, id: newUuid(), changeId: entry.id, ...attempt });
      if (!isSuccess(sent)) {
        failed += 1;
        const { skips, nextAttemptAt } = afterFailure(sent, failed, endpoint);
        const [upTo, attempts] = skips ? [entry.version, 0] : [delivered, failed];
        return { outcome: outcome(upTo, attempts, nextAttemptAt), records, failure: sent };
      }
      failed = 0;
      delivered = entry.version;
    }
    // With fewer changes than a claim can have, the filter leaves out the rest.
    const isComplete = entries.length < claimedChanges && (delivered ?? 0) === (entries.at(-1)?.version ?? 0);
    const ended = isComplete ? outcome(lane.until ?? delivered, 0) : outcome(delivered, failed);
    return { outcome: ended, records, failure: undefined };
  };
}

/** Returns a function that stores the outcomes of deliveries, those of several in one go, until it succeeds. */
function createOutcomes(database: Database, log: Logger) {
  let waiting: (Delivery & { claimedBy: string })[] = [];
  let running: Promise<void> | undefined;

  async function store(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const outcomes = JSON.stringify(batch.map(({ outcome, claimedBy }) => ({ ...outcome, claimedBy })));
        const attempts = JSON.stringify(batch.flatMap(({ records }) => records));
        await database.run(recordAttempts, { attempts });
        await database.run(releaseLanes, { outcomes });
        await database.run(deleteEmptyLanes, { outcomes });
      } catch (error) {
        waiting = [...batch, ...waiting];
        throw error;
      }
    }
  }
  return {
    /** `claimedBy` is the lease with which the lane was claimed. */
    add: (delivery: Delivery, claimedBy: string) => waiting.push({ ...delivery, claimedBy }),
    /** Stores what is waiting. A failure is logged, and the outcomes are stored the next time. */
    async flush(): Promise<void> {
      running ??= store()
        .catch((error: unknown) => log.warn({ err: error }, 'Storing the outcomes of webhooks failed'))
        .finally(() => {
          running = undefined;
        });
      await running;
    },
  };
}

/** Disables an endpoint that is gone, and makes one wait that asks for it. */
async function heed(database: Database, { endpoint }: ClaimedLane, sent: SentRequest): Promise<void> {
  const { tenantId: tenant, id, url } = endpoint;
  if (sent.status === 410) await database.run(disableEndpoint, { tenant, id, url, changeId: newUuid() });
  const delayMs = waitOf(sent);
  if (delayMs !== undefined) await database.run(slowDown, { tenant, id, url, delayMs });
}

function logFailure(log: Logger, { endpointId }: ClaimedLane): (error: unknown) => void {
  const endpoint = toTypeId('WebhookEndpoint', endpointId);
  return (error) => log.error({ err: error, endpoint }, 'Delivering webhooks failed');
}

/** The outcome of a lane that this replica could not deliver. */
function putOff(lane: ClaimedLane): Delivery {
  const { tenantId, endpointId, isAccount, entityId, attempts, againRequests } = lane;
  const nextAttemptAt = new Date(Date.now() + slowDownMs).toISOString();
  const outcome = {
    tenantId,
    endpointId,
    isAccount,
    entityId,
    attempts,
    againRequests,
    delivered: null,
    nextAttemptAt,
  };
  return { outcome, records: [], failure: undefined };
}

/**
 * Returns how many requests to one endpoint can run beside this many in all. The fewer are left, the fewer an endpoint
 * gets, so that endpoints that do not answer leave some for the others.
 */
export function requestsPerEndpoint(running: number): number {
  if (running < maxRequests / 2) return maxRequestsPerEndpoint;
  return running < (maxRequests * 3) / 4 ? 2 : 1;
}

/** Creates the lease of a replica, which begins when it is extended. */
function createLease(database: Database) {
  let id = newUuid();
  let extendedAt = Number.NEGATIVE_INFINITY;
  return {
    id: () => id,
    async extend(): Promise<void> {
      const now = performance.now();
      if (now - extendedAt < extendEveryMs) return;
      // Another replica may have the lanes of the old lease, so late outcomes must not free them.
      if (now - extendedAt > leaseMs) id = newUuid();
      await database.run(extendLease, { holder: id, leaseMs });
      extendedAt = now;
    },
    end: () => database.run(endLease, { holder: id }),
  };
}

/** Starts to deliver webhooks. Replicas share the work: a lane belongs to the replica that has claimed it. */
export function startDeliverer(options: DelivererOptions): Deliverer {
  const { database, log, append, tools, onAttempt } = options;
  const lease = createLease(database);
  const running = new Map<Promise<void>, string>();
  const outcomes = createOutcomes(database, log);
  let isActive = false;
  let isClosing = false;
  const deliver = createLaneDelivery(options, () => isClosing);

  async function work(lane: ClaimedLane): Promise<void> {
    const fail = logFailure(log, lane);
    const claimedBy = lease.id();
    const delivery = await deliver(lane).catch((error: unknown) => {
      fail(error);
      return putOff(lane);
    });
    const { records, failure } = delivery;
    for (const record of records) onAttempt?.(isSuccess(record));
    // Before the lane is free, so that no replica sends to an endpoint that is gone.
    if (failure !== undefined) await heed(database, lane, failure).catch(fail);
    outcomes.add(delivery, claimedBy);
    await outcomes.flush();
  }
  function begin(lane: ClaimedLane): void {
    const job = work(lane).finally(() => {
      running.delete(job);
      if (!isClosing) poller.soon();
    });
    running.set(job, lane.endpointId);
  }
  async function claim(): Promise<number> {
    const limit = maxRequests - running.size;
    if (limit === 0) return 0;
    const busy: Record<string, number> = {};
    for (const id of running.values()) busy[id] = (busy[id] ?? 0) + 1;
    const values = {
      holder: lease.id(),
      limit,
      perEndpoint: requestsPerEndpoint(running.size),
      busy: JSON.stringify(busy),
    };
    const lanes = await database.run(claimLanes, values);
    for (const lane of lanes) begin(lane);
    return lanes.length;
  }
  async function poll(): Promise<boolean> {
    if (isClosing) return false;
    const [found] = await database.run(hasEndpoints, {});
    isActive = found?.exists === true;
    if (isActive || running.size > 0) await lease.extend();
    if (!isActive) return false;
    await append();
    const moved = await database.run(dispatchEntries, {});
    await outcomes.flush();
    if (isClosing) return false;
    const claimed = await claim();
    const mayHaveMore = moved.length === dispatchedEndpoints || moved.some(({ hasMore }) => hasMore);
    return mayHaveMore || (claimed > 0 && running.size < maxRequests);
  }
  const poller = createPoller(poll, { hasReaders: () => isActive || running.size > 0, idleMs, log });
  poller.soon();
  return {
    noteWrite() {
      if (isActive) poller.soon();
    },
    async close() {
      isClosing = true;
      tools.close();
      await poller.stop();
      await Promise.all(running.keys());
      await outcomes.flush();
      await lease.end().catch(() => undefined);
    },
  };
}
