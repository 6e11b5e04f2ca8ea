import type { Logger } from 'pino';
import { accountLoaders } from './account/read.ts';
import { aliasLoaders } from './alias/read.ts';
import type { Caller, Ctx, LoadCtx, Loaders, Run, Selects } from './ctx.ts';
import { customerLoaders } from './customer/read.ts';
import type { Database } from './db/client.ts';
import type { ChangeFeed } from './history/feed.ts';
import type { CancelSignal } from './lib/cancel.ts';
import { UnavailableError } from './lib/errors.ts';
import { createGate, createGates, type Gate } from './lib/gate.ts';
import type { Share } from './lib/share.ts';
import { settingLoaders } from './setting/read.ts';

/** What the contexts of all requests have in common. */
export interface ContextParts {
  database: Database;
  /** Not shared with others, when it is left out. */
  share?: Share;
  log: Logger;
  /** A command follows no changes. */
  feed?: ChangeFeed;
  /** Undefined: a command may use the whole pool. */
  shares?: PoolShares;
}

/** How many statements may be under way at a time, so that others find connections. */
export interface PoolShares {
  perRequest: number;
  /** The gate of a tenant. */
  ofTenant(tenantId: number): Gate;
}

/** Whether the database is away: what waits for its share would only find that out later. */
const isOutage = (error: unknown): boolean =>
  error instanceof UnavailableError && ['UNREACHABLE', 'LOST'].includes(error.reason);

/** Half of the pool for a tenant, and a quarter for a request. */
export function createPoolShares(poolSize: number): PoolShares {
  return {
    perRequest: Math.max(1, Math.floor(poolSize / 4)),
    ofTenant: createGates<number>({ width: Math.max(1, Math.floor(poolSize / 2)), failsAll: isOutage }),
  };
}

/** Loaders whose rows lead to further keys go first, so that a later one is asked once for the keys of all paths. */
const flushOrder: { [Name in keyof Loaders]: number } = {
  accountByAlias: 1,
  account: 2,
  customer: 3,
  aliases: 4,
  settings: 4,
};

/** None is a getter: of an object that has getters of its own, V8 keeps all they reach until its next full collection. */
function createLoaders(given: Omit<LoadCtx, 'loaders'>): Loaders {
  const { run, share, schedule, now, selects } = given;
  const loaders = {} as Loaders;
  const ctx = { run, share, schedule, now, selects, loaders };
  return Object.assign(
    loaders,
    accountLoaders(ctx),
    aliasLoaders(ctx),
    customerLoaders(ctx),
    settingLoaders(ctx),
  );
}

/** The database as a request has it: for its tenant, and while there is time. */
type Statements = Pick<Ctx, 'run' | 'share' | 'transaction'>;

/** The share of one request, within that of its tenant. A statement that waits for it takes no connection. */
function gateOf(shares: PoolShares | undefined, tenantId: number): Gate {
  if (shares === undefined) return (work) => work();
  const [ofRequest, ofTenant] = [
    createGate({ width: shares.perRequest, failsAll: isOutage }),
    shares.ofTenant(tenantId),
  ];
  return (work) => ofRequest(() => ofTenant(work));
}

/** The signal of `cancel` ends what runs, and nothing begins after it. */
function statementsFor(
  { database, share = alone, shares }: ContextParts,
  { cancel, viewer }: Caller,
): Statements {
  const tenantId = viewer.tenant.id;
  const gate = gateOf(shares, tenantId);
  async function inTime<T>(begin: (signal: CancelSignal) => Promise<T>): Promise<T> {
    const { signal } = cancel;
    signal.throwIfAborted();
    return begin(signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error;
    });
  }
  const runUntil =
    (signal: CancelSignal): Run =>
    (statement, values) =>
      gate(() => {
        signal.throwIfAborted();
        return database.run(statement, { ...values, tenantId }, signal);
      });
  return {
    run: (statement, values) => inTime((signal) => runUntil(signal)(statement, values)),
    share: (group, { ask, size, maxSize }, load) =>
      inTime((signal) =>
        share(`${tenantId} ${group}`, { ask, size, maxSize, signal }, (asks, until) =>
          load(runUntil(until), asks),
        ),
      ),
    transaction: (work) =>
      inTime((signal) =>
        gate(() =>
          database.transaction(
            (run) => work((statement, values) => run(statement, { ...values, tenantId })),
            signal,
          ),
        ),
      ),
  };
}

/** Each ask by itself. */
const alone: Share = (_, { ask, signal }, load) => load([ask], signal);

/** Where there is no document: nothing is read along, and what is read is whole. */
const nothing: Selects = { field: () => false, only: () => false };

/** Puts batches off until no statement is under way: keys from all paths of a document meet. */
function createRunner(statements: Statements): Statements & Pick<LoadCtx, 'schedule'> {
  let underWay = 0;
  let waiting: { turn: number; flush: () => void }[] = [];

  const flushWhenIdle = () => {
    if (underWay > 0 || waiting.length === 0) return;
    const next = Math.min(...waiting.map(({ turn }) => turn));
    const flushes = waiting.filter(({ turn }) => turn === next);
    waiting = waiting.filter(({ turn }) => turn !== next);
    for (const { flush } of flushes) flush();
    if (waiting.length > 0) setImmediate(flushWhenIdle);
  };
  async function track<T>(work: Promise<T>): Promise<T> {
    underWay += 1;
    try {
      return await work;
    } finally {
      underWay -= 1;
      if (underWay === 0 && waiting.length > 0) setImmediate(flushWhenIdle);
    }
  }
  return {
    schedule: (loader) => (flush) => {
      waiting.push({ turn: flushOrder[loader], flush });
      // Not at once: what awaits the same answers may still ask for keys of its own.
      if (underWay === 0) setImmediate(flushWhenIdle);
    },
    run: (statement, values) => track(statements.run(statement, values)),
    share: (group, asking, load) => track(statements.share(group, asking, load)),
    transaction: (work) => track(statements.transaction(work)),
  };
}

/**
 * The context of one request, the same for every way in. Without `selects`, what belongs to entities is read when it is
 * asked for.
 */
export function createContext(parts: ContextParts, caller: Caller, selects: Selects = nothing): Ctx {
  const { log, feed } = parts;
  const { viewer, now, requestId, renew } = caller;
  const { run, share, transaction, schedule } = createRunner(statementsFor(parts, caller));
  return {
    viewer,
    now,
    requestId,
    log,
    selects,
    run,
    share,
    transaction,
    loaders: createLoaders({ run, share, schedule, now, selects }),
    async followChanges(filter) {
      if (feed === undefined || renew === undefined) throw new Error('No changes are followed here.');
      return feed.follow({ viewer, filter, renew });
    },
  };
}
