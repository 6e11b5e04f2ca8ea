import type { Logger } from 'pino';
import type { Caller, Ctx, Loader, Run, Selects, WebhookTools } from './ctx.ts';
import type { StatementRunner } from './db/client.ts';
import type { Append } from './feed/append.ts';
import type { LiveFeed } from './feed/live.ts';
import type { Cancel, CancelSignal } from './lib/cancel.ts';
import { UnavailableError } from './lib/errors.ts';
import { createGate, createGates, type Gate } from './lib/gate.ts';
import { type BatchReader, createBatchReader } from './lib/loader.ts';
import type { RequestBatcher } from './lib/request-batching.ts';

/** The parts that the contexts of all requests share. */
export interface ContextParts {
  database: StatementRunner;
  /** undefined: requests are not batched. */
  batcher?: RequestBatcher;
  log: Logger;
  /** Passes a changed tenant to later requests. undefined: there are none. */
  noteTenant?: Ctx['noteTenant'];
  /** undefined: the context cannot read the feed. */
  feed?: { append: Append; live: LiveFeed };
  webhooks?: WebhookTools | undefined;
  /** undefined: the context does no work in the background. */
  background?: Background;
  /** undefined: a request can use the whole pool. */
  shares?: PoolShares;
  /** Whether `database` rolls everything back at the end of the request. Default: false. */
  isDryRun?: boolean;
}

/** Runs work that no response waits for, one at a time. */
export interface Background {
  /** Drops the work if other work is running. */
  start(tenantId: number, work: (run: Run) => Promise<void>): void;
  /** Waits for the running work. */
  close(): Promise<void>;
}

export function createBackground(database: StatementRunner, log: Logger): Background {
  let running: Promise<void> | undefined;
  return {
    start(tenantId, work) {
      running ??= work((statement, values) => database.run(statement, { ...values, tenantId }))
        .catch((error: unknown) => log.warn({ err: error }, 'Work in the background failed'))
        .finally(() => {
          running = undefined;
        });
    },
    async close() {
      await running;
    },
  };
}

/** Limits of concurrent statements, so that other requests and tenants get connections. */
export interface PoolShares {
  perRequest: number;
  /** Returns the gate of a tenant. */
  ofTenant(tenantId: number): Gate;
}

/** Returns whether the database is down. Then all waiting statements fail at once. */
const isOutage = (error: unknown): boolean =>
  error instanceof UnavailableError && ['UNREACHABLE', 'LOST'].includes(error.reason);

/** Limits a tenant to half of the pool, and a request to a quarter. */
export function createPoolShares(poolSize: number): PoolShares {
  return {
    perRequest: Math.max(1, Math.floor(poolSize / 4)),
    ofTenant: createGates<number>({ width: Math.max(1, Math.floor(poolSize / 2)), failsAll: isOutage }),
  };
}

/** The functions that run statements of a request, for its tenant and until its deadline. */
type Statements = Pick<Ctx, 'run' | 'batch' | 'transaction'>;

/** Returns the gate of a request, inside that of its tenant. A statement that waits at a gate uses no connection. */
function gateOf(shares: PoolShares | undefined, tenantId: number): Gate {
  if (shares === undefined) return (work) => work();
  const [ofRequest, ofTenant] = [
    createGate({ width: shares.perRequest, failsAll: isOutage }),
    shares.ofTenant(tenantId),
  ];
  return (work) => ofRequest(() => ofTenant(work));
}

/** Starts work unless it was canceled. Throws the reason if it is canceled meanwhile. */
async function inTime<T>({ signal }: Cancel, begin: (signal: CancelSignal) => Promise<T>): Promise<T> {
  signal.throwIfAborted();
  return begin(signal).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : error;
  });
}

/** Returns functions that run statements. `cancel` ends running statements, and prevents new ones. */
function statementsFor(
  { database, batcher = runAlone, shares }: ContextParts,
  { cancel, viewer }: Caller,
): Statements {
  const tenantId = viewer.tenant.id;
  const gate = gateOf(shares, tenantId);
  const runUntil =
    (signal: CancelSignal): Run =>
    (statement, values) =>
      gate(() => {
        signal.throwIfAborted();
        return database.run(statement, { ...values, tenantId }, signal);
      });
  return {
    run: (statement, values) => inTime(cancel, (signal) => runUntil(signal)(statement, values)),
    batch: (group, request, work) =>
      inTime(cancel, (signal) =>
        batcher(`${tenantId} ${group}`, { ...request, signal }, (items, batchSignal) =>
          work(runUntil(batchSignal), items),
        ),
      ),
    transaction: (work) =>
      inTime(cancel, (signal) =>
        gate(() =>
          database.transaction(
            (run) => work((statement, values) => run(statement, { ...values, tenantId })),
            signal,
          ),
        ),
      ),
  };
}

/** Runs each request alone. */
const runAlone: RequestBatcher = (_, { item, signal }, run) => run([item], signal);

/** Without a document, rows have all columns and no related rows. */
const selectsNothing: Selects = { field: () => false, only: () => false };

type Schedule = (turn: number, flush: () => void) => void;

/** Calls a function when all promises that are settled now have been handled. */
function afterPromises(call: () => void): void {
  void Promise.resolve().then(() => process.nextTick(call));
}

/**
 * Delays the batches of loaders until no statement of the request is running, so that they collect the keys of all
 * paths of a document.
 */
function trackStatements(statements: Statements): Statements & { schedule: Schedule } {
  let running = 0;
  let waiting: { turn: number; flush: () => void }[] = [];

  const flushWhenIdle = () => {
    if (running > 0 || waiting.length === 0) return;
    const next = Math.min(...waiting.map(({ turn }) => turn));
    const flushes = waiting.filter(({ turn }) => turn === next);
    waiting = waiting.filter(({ turn }) => turn !== next);
    for (const { flush } of flushes) flush();
    if (waiting.length > 0) afterPromises(flushWhenIdle);
  };
  async function track<T>(work: Promise<T>): Promise<T> {
    running += 1;
    try {
      return await work;
    } finally {
      running -= 1;
      if (running === 0 && waiting.length > 0) afterPromises(flushWhenIdle);
    }
  }
  return {
    schedule(turn, flush) {
      waiting.push({ turn, flush });
      // Other resolvers that await the same rows may still add keys.
      if (running === 0) afterPromises(flushWhenIdle);
    },
    run: (statement, values) => track(statements.run(statement, values)),
    batch: (group, request, work) => track(statements.batch(group, request, work)),
    transaction: (work) => track(statements.transaction(work)),
  };
}

/** Returns the functions of a context that read through loaders. Each loader caches its values for the request. */
function createLoading(ctx: () => Ctx, schedule: Schedule): Pick<Ctx, 'load' | 'prime' | 'forget'> {
  const readers = new Map<object, BatchReader<never, unknown>>();
  function readerOf<Key, Value>(loader: Loader<Key, Value>): BatchReader<Key, Value> {
    const known = readers.get(loader) as BatchReader<Key, Value> | undefined;
    if (known !== undefined) return known;
    const reader = createBatchReader<Key, Value>({
      load: (keys) => loader.load(ctx(), keys),
      schedule: (flush) => schedule(loader.turn, flush),
      keyOf: loader.keyOf,
    });
    readers.set(loader, reader as BatchReader<never, unknown>);
    return reader;
  }
  return {
    load: (loader, key) => readerOf(loader).load(key),
    prime: (loader, key, value) => readerOf(loader).prime(key, value),
    forget() {
      for (const reader of readers.values()) reader.forget();
    },
  };
}

/** Returns the context of a request. Without `selects`, entities are read without related rows. */
export function createContext(parts: ContextParts, caller: Caller, selects: Selects = selectsNothing): Ctx {
  const { log, feed, webhooks, background, isDryRun = false } = parts;
  const { viewer, now, requestId, renew, lastEventId } = caller;
  const { run, batch, transaction, schedule } = trackStatements(statementsFor(parts, caller));
  const ctx: Ctx = {
    viewer,
    now,
    requestId,
    isDryRun,
    log,
    selects,
    run,
    batch,
    transaction,
    webhooks,
    inBackground: (work) => background?.start(viewer.tenant.id, work),
    ...createLoading(() => ctx, schedule),
    noteTenant(tenant) {
      ctx.viewer = { ...ctx.viewer, tenant };
      parts.noteTenant?.(tenant);
    },
    async appendChanges() {
      if (feed === undefined) throw new Error('This context has no change feed.');
      await feed.append();
    },
    async subscribeToChanges(filter, after) {
      if (feed === undefined || renew === undefined) throw new Error('This context has no change feed.');
      // A browser that reconnects sends the same arguments with a newer event id.
      return feed.live.subscribe({ viewer, filter, renew, after: lastEventId ?? after ?? undefined });
    },
  };
  return ctx;
}

/** Runs work with the context of a request, in a transaction that is rolled back. */
export type InDryRun = <T>(caller: Caller, selects: Selects, work: (ctx: Ctx) => Promise<T>) => Promise<T>;

/**
 * Returns a function that runs work in a dry run. Reads of the work see its writes. The transaction has one connection of
 * the request's share. Its statements join no batch, which would write for other requests, and nothing runs in the
 * background, which would keep what is rolled back.
 */
export function createInDryRun(all: ContextParts): InDryRun {
  const { batcher: _, background: __, shares, ...parts } = all;
  return (caller, selects, work) => {
    const gate = gateOf(shares, caller.viewer.tenant.id);
    return inTime(caller.cancel, (signal) =>
      gate(async () => {
        signal.throwIfAborted();
        return parts.database.inOneTransaction(
          (database) => work(createContext({ ...parts, database, isDryRun: true }, caller, selects)),
          { isDryRun: true, signal },
        );
      }),
    );
  };
}
