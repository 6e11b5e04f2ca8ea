import type { Logger } from 'pino';
import type { Statement } from './db/statement.ts';
import type { ChangeFilter } from './feed/rules.ts';
import type { FeedEntry } from './feed/table.ts';
import type { Cancel } from './lib/cancel.ts';
import type { BatchRequest } from './lib/request-batching.ts';
import type { TenantRow } from './tenant/table.ts';

/** The caller, identified by its bearer token. */
export interface Viewer {
  tenant: TenantRow;
  keyName: string;
  scopes: readonly string[];
  /** When the token expires; null: never. */
  expiresAt: Date | null;
  /** The token's name in the history, such as `key_01m8…`. */
  actor: string;
}

/** Consecutive changes of a subscription. Subscriptions with equal filters get the same object. */
export interface ChangeBatch {
  changes: readonly FeedEntry[];
  /** The positions of the changes, encoded. */
  ids: readonly string[];
}

/** The changes of a subscription. */
export interface ChangeStream extends AsyncIterableIterator<ChangeBatch> {
  /** Returns the position up to which all changes have been taken from the stream or left out by its filter. */
  position(): string;
}

/** The part of a request that is known before its body is read. */
export interface Caller {
  viewer: Viewer;
  /** Looks the token up again, and returns undefined if it is no longer valid. Only for responses that can last long. */
  renew?: () => Promise<Viewer | undefined>;
  /** The `Last-Event-ID` of a client that subscribes again. */
  lastEventId?: string | undefined;
  requestId: string;
  /** The instant of the request. */
  now: Date;
  /** Cancels the work for the request. */
  cancel: Cancel;
}

/** Runs a statement for the tenant of the request. No other tenant can be named. */
export type Run = <Answer>(statement: Statement<Answer>, values?: Record<string, unknown>) => Promise<Answer>;

/** The part of a batch that one request contributes. */
export type BatchItem<Item> = Omit<BatchRequest<Item>, 'signal'>;

/**
 * Runs `work` once for concurrent requests of the tenant in the same group. It gets the items of all of them, and each
 * request gets the whole result, or the error.
 */
export type BatchCall = <Item, Result>(
  group: string,
  request: BatchItem<Item>,
  work: (run: Run, items: readonly Item[]) => Promise<Result>,
) => Promise<Result>;

/** Defines what a request reads by key: in batches, each key once. `ctx.load` reads through it. */
export interface Loader<Key, Value> {
  name: string;
  /**
   * The order in which waiting batches are sent. A loader whose rows lead to keys of other loaders has a lower turn.
   */
  turn: 1 | 2 | 3 | 4;
  keyOf(key: Key): string;
  /** Returns the values in the order of the keys. */
  load(ctx: Ctx, keys: readonly Key[]): Promise<Value[]>;
}

/** The fields that the document selects. */
export interface Selects {
  /** Returns whether it selects a field, such as `Account.customer`, anywhere without arguments. */
  field(name: string): boolean;
  /** Returns whether it selects nothing of a type but these fields. */
  only(type: string, fields: ReadonlySet<string>): boolean;
}

/** What the server needs to send webhooks. */
export interface WebhookTools {
  /** Encrypts a secret; `open` needs the same context. */
  seal(secret: string, context: string): Buffer;
  open(sealed: Buffer, context: string): string;
  /** Returns why a URL is not allowed; undefined if it is. */
  problemOf(url: string): string | undefined;
  /** Sends one request. Network problems are part of the result. */
  send(url: string, headers: Record<string, string>, body: string): Promise<SentRequest>;
}

/** The outcome of a request to an endpoint. It succeeded if `status` is 2xx, even if the rest of the body did not arrive. */
export interface SentRequest {
  /** null: no response arrived. */
  status: number | null;
  /** Why the response did not arrive completely. */
  error: string | null;
  /** The first 1,024 bytes of the response body as text without NUL characters. */
  response: string;
  durationMs: number;
  /** The `Retry-After` header, at most 24 hours. */
  retryAfterMs: number | null;
}

/** The context of a request, which every command and read receives. */
export interface Ctx {
  viewer: Viewer;
  /** The instant of the request, used for all that it writes and compares. */
  now: Date;
  requestId: string;
  /** Whether everything is rolled back at the end of the request. */
  isDryRun: boolean;
  log: Logger;
  selects: Selects;
  run: Run;
  batch: BatchCall;
  /** Runs several statements in a transaction. `work` can be called again, so it must have no other effects. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>;
  /**
   * Runs work that no response waits for. It is dropped if other such work is running, and its errors are only logged.
   */
  inBackground(work: (run: Run) => Promise<void>): void;
  /** Returns a known value without a promise, because a promise per value would slow down large pages. */
  load<Key, Value>(loader: Loader<Key, Value>, key: Key): Value | Promise<Value>;
  /** Adds a value to the cache of a loader, unless it has one for the key. */
  prime<Key, Value>(loader: Loader<Key, Value>, key: Key, value: Value): void;
  /** Clears the caches of all loaders. A write calls this before it primes the new values. */
  forget(): void;
  /** Sets the changed tenant of the viewer, for the rest of this request and for later requests to this replica. */
  noteTenant(tenant: TenantRow): void;
  /** undefined: the server has no keys to encrypt the secrets of webhooks. */
  webhooks: WebhookTools | undefined;
  /** Appends the changes that have committed to the feed, so that a read has them. */
  appendChanges(): Promise<void>;
  /**
   * Returns the changes of the tenant after a position, or from now on. Throws SubscriptionError and InvalidInputError.
   */
  subscribeToChanges(filter: ChangeFilter, after: string | null | undefined): Promise<ChangeStream>;
}
