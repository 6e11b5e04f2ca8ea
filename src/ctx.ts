import type { Logger } from 'pino';
import type { AccountLoaders } from './account/read.ts';
import type { AliasLoaders } from './alias/read.ts';
import type { CustomerLoaders } from './customer/read.ts';
import type { Statement } from './db/statement.ts';
import type { ChangeFilter } from './history/follower.ts';
import type { ChangeRow } from './history/read.ts';
import type { Cancel } from './lib/cancel.ts';
import type { SettingLoaders } from './setting/read.ts';

/** Who asks: the tenant and key that the bearer token names. */
export interface Viewer {
  tenant: { id: number; name: string; baseCurrency: string; netTermDays: number };
  keyName: string;
  scopes: readonly string[];
  /** When the token stops working; null: never. */
  expiresAt: Date | null;
  /** How the history names the token, for example `key_01m8…`. */
  actor: string;
}

/** What is known of a request before anything of its body is read. */
export interface Caller {
  viewer: Viewer;
  /** Looks the token up again: undefined when it is no longer good. Only where an answer may go on for long. */
  renew?: () => Promise<Viewer | undefined>;
  requestId: string;
  /** The instant of the request. */
  now: Date;
  /** Ends what is done for the request. */
  cancel: Cancel;
}

export interface Loaders extends AccountLoaders, AliasLoaders, CustomerLoaders, SettingLoaders {}

/** Runs a statement for the tenant of the request; there is no way to name another. */
export type Run = <Answer>(statement: Statement<Answer>, values?: Record<string, unknown>) => Promise<Answer>;

/**
 * Runs what others of the tenant ask for, too, at the moment: `call` gets what all of them ask of the group, and each of
 * them gets its whole answer, or its failure.
 */
export type ShareCall = <Ask, Answer>(
  group: string,
  asking: { ask: Ask; size: number; maxSize: number },
  call: (run: Run, asks: readonly Ask[]) => Promise<Answer>,
) => Promise<Answer>;

/** What the loaders are made with. */
export interface LoadCtx {
  run: Run;
  share: ShareCall;
  /** When a loader's batch goes out: once no statement of the request is under way. */
  schedule: (loader: keyof Loaders) => (flush: () => void) => void;
  now: Date;
  selects: Selects;
  /** All of them: what one reads along, it makes known to the others. */
  readonly loaders: Loaders;
}

/** What the document selects. */
export interface Selects {
  /** Whether it selects a field, such as `Account.customer`, anywhere without arguments. */
  field(name: string): boolean;
  /** Whether it selects nothing of a type but these fields. */
  only(type: string, fields: ReadonlySet<string>): boolean;
}

/** What every command and read receives. */
export interface Ctx {
  viewer: Viewer;
  /** The instant of the request: every time that one request writes or compares with is this one. */
  now: Date;
  requestId: string;
  log: Logger;
  selects: Selects;
  run: Run;
  share: ShareCall;
  /** Runs several statements, all or nothing. `work` may be called again, so it must have no other effects. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>;
  loaders: Loaders;
  /** The changes of the tenant's accounts that are accepted from now on. Throws FollowingError. */
  followChanges(filter: ChangeFilter): Promise<AsyncIterableIterator<ChangeRow>>;
}
