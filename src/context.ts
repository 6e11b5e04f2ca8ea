import type { Logger } from 'pino';
import { accountLoaders } from './account/read.ts';
import { aliasLoaders } from './alias/read.ts';
import type { Caller, Ctx, LoadCtx, Loaders, Selects } from './ctx.ts';
import { customerLoaders } from './customer/read.ts';
import type { Database } from './db/client.ts';
import type { ChangeFeed } from './history/feed.ts';
import { settingLoaders } from './setting/read.ts';

export interface ContextParts extends Caller {
  database: Database;
  log: Logger;
  /** Nothing, when it is left out: then what belongs to entities is read when it is asked for. */
  selects?: Selects;
  /** A command follows no changes. */
  feed?: ChangeFeed;
}

/** Loaders whose rows lead to further keys go first, so that a later one is asked once for the keys of all paths. */
const flushOrder: readonly (readonly (keyof Loaders)[])[] = [
  ['accountByAlias'],
  ['account'],
  ['customer'],
  ['aliases', 'settings'],
];

type Statements = Pick<Database, 'run' | 'transaction'>;

/** The database while there is time: the signal cancels what runs, and nothing begins after it. */
function until(cancel: AbortController, database: Database): Statements {
  async function inTime<T>(begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = cancel;
    signal.throwIfAborted();
    return begin(signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : error;
    });
  }
  return {
    run: (statement, values) => inTime((signal) => database.run(statement, values, signal)),
    transaction: (work) => inTime((signal) => database.transaction(work, signal)),
  };
}

/** Runs statements for one tenant, and puts batches off until none is under way: keys from all paths of a document meet. */
function createRunner(
  database: Statements,
  tenantId: number,
): Pick<LoadCtx, 'run' | 'schedule'> & Pick<Ctx, 'transaction'> {
  let underWay = 0;
  const waiting = flushOrder.map((): (() => void)[] => []);

  const flushWhenIdle = () => {
    if (underWay > 0) return;
    const next = waiting.find((flushes) => flushes.length > 0);
    if (next === undefined) return;
    for (const flush of next.splice(0)) flush();
    setImmediate(flushWhenIdle);
  };
  async function track<T>(work: Promise<T>): Promise<T> {
    underWay += 1;
    try {
      return await work;
    } finally {
      underWay -= 1;
      if (underWay === 0) setImmediate(flushWhenIdle);
    }
  }
  return {
    schedule: (loader) => (flush) => {
      waiting[flushOrder.findIndex((loaders) => loaders.includes(loader))]?.push(flush);
      // Not at once: what awaits the same answers may still ask for keys of its own.
      if (underWay === 0) setImmediate(flushWhenIdle);
    },
    run: (statement, values) => track(database.run(statement, { ...values, tenantId })),
    transaction: (work) =>
      track(
        database.transaction((run) => work((statement, values) => run(statement, { ...values, tenantId }))),
      ),
  };
}

/** The context of one request, the same for every way in. */
export function createContext(parts: ContextParts): Ctx {
  const { database, selects = () => false, feed, renew, cancel, ...request } = parts;
  const { schedule, ...runner } = createRunner(until(cancel, database), request.viewer.tenant.id);
  const { now, viewer } = request;
  const { run } = runner;
  const loadCtx: LoadCtx = { run, schedule, now, selects, loaders: {} as Loaders };
  Object.assign(loadCtx.loaders, accountLoaders(loadCtx), aliasLoaders(loadCtx));
  Object.assign(loadCtx.loaders, customerLoaders(loadCtx), settingLoaders(loadCtx));
  return {
    ...request,
    ...runner,
    selects,
    loaders: loadCtx.loaders,
    async followChanges(filter) {
      if (feed === undefined || renew === undefined) throw new Error('No changes are followed here.');
      return feed.follow({ viewer, filter, renew });
    },
  };
}
