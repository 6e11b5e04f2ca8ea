/** The service cannot start or a command cannot run: one sentence for the person at the terminal, no stack trace. */
export class StartupError extends Error {
  override name = 'StartupError';
}

export const errorCodes = {
  INVALID_INPUT: 'The input breaks a rule; `issues` lists every problem with its path.',
  NOT_FOUND: 'Nothing of this type has this id in your tenant.',
  ID_TAKEN: 'The id already names an account or a customer, or is an alias that has not ended.',
  ALIAS_TAKEN: 'An alias already names another account for some or all of the time.',
  VERSION_CONFLICT: 'The entity has changed since the version you expected.',
  NOT_ALLOWED_IN_STATUS: 'The status of the entity, or of its customer, does not allow this change.',
  IDEMPOTENCY_KEY_REUSED: 'The idempotency key was used before with another input.',
  IDEMPOTENCY_IN_PROGRESS: 'The first request with this idempotency key is still running.',
  LIMIT_EXCEEDED: 'The change would take the entity over one of its limits.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An answer the caller can act on. Knows neither GraphQL nor HTTP; everything that is not one of these is a bug. */
export abstract class AppError extends Error {
  abstract readonly code: ErrorCode;
}

/** The token is good, but not for this. Never part of a union: no input can mend it. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError';
  readonly scope: string;

  constructor(scope: string) {
    super(`Your token lacks the scope \`${scope}\`; use a key that has it.`);
    this.scope = scope;
  }
}

const unavailable = {
  BUSY: 'More requests have come than can be served. Nothing was done',
  UNREACHABLE: 'The database cannot be reached. Nothing was done',
  SLOW: 'The database took too long, and the request was taken back. Nothing was written',
  DISK_FULL: "The database's disk is full. Nothing was written",
  DISK_FAILS: 'The database cannot read or write its disk. Nothing was written',
  EXHAUSTED: 'The database is out of memory or connections. Nothing was written',
  ISSUER: 'The keys of the issuer of this token cannot be had. Nothing was done',
  LOST: 'The database gave no answer, so a write may or may not have taken place. With its `idempotencyKey` it takes place once, however often it is sent',
} as const;

/** What a request needs, the database or the issuer of its token, cannot serve it now. No fault of the request: sent again later, it may succeed. */
export class UnavailableError extends Error {
  override name = 'UnavailableError';
  readonly reason: keyof typeof unavailable;
  readonly retryAfterS: number = 1;

  constructor(reason: keyof typeof unavailable, cause?: unknown) {
    super(`${unavailable[reason]}. Send it again in a moment.`, { cause });
    this.reason = reason;
  }
}

export type FollowingCode = 'UNAUTHENTICATED' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';

/** Changes cannot be followed, or not any longer. */
export class FollowingError extends Error {
  override name = 'FollowingError';
  readonly code: FollowingCode;

  constructor(code: FollowingCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The operation took too long and was given up. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';

  constructor(timeoutMs: number) {
    super(
      `This took longer than ${timeoutMs / 1000} s and was given up; ask for less, or send it again. A write was made whole or not at all: its idempotency key tells which.`,
    );
  }
}

/** The tenant has more operations waiting than it may. */
export class BusyError extends Error {
  override name = 'BusyError';

  constructor(maxWaiting: number) {
    super(
      `More than ${maxWaiting} operations of your tenant wait for others to end; send fewer at the same time.`,
    );
  }
}

export type IssueCode =
  | 'REQUIRED'
  | 'INVALID_TYPE'
  | 'INVALID_FORMAT'
  | 'INVALID_VALUE'
  | 'TOO_SHORT'
  | 'TOO_LONG'
  | 'TOO_SMALL'
  | 'TOO_LARGE'
  | 'TOO_FEW'
  | 'TOO_MANY'
  | 'DUPLICATE'
  | 'UNKNOWN_FIELD';

export interface Issue {
  /** Steps from the input object to the value, for example `['address', 'country']`. */
  path: string[];
  code: IssueCode;
  message: string;
}

export class InvalidInputError extends AppError {
  readonly code = 'INVALID_INPUT';
  readonly issues: Issue[];

  constructor(issues: Issue[]) {
    super(issues.map((issue) => `${issue.path.join('.') || 'input'} ${issue.message}`).join('; '));
    this.issues = issues;
  }
}

export type EntityType = 'Account' | 'Customer';
export type NamedType = EntityType | 'Alias' | 'Setting';

export class NotFoundError extends AppError {
  readonly code = 'NOT_FOUND';
  readonly type: NamedType;
  readonly id: string;

  constructor(type: NamedType, id: string, where = '') {
    super(`There is no ${type.toLowerCase()} ${JSON.stringify(id)}${where}.`);
    this.type = type;
    this.id = id;
  }
}

export class IdTakenError extends AppError {
  readonly code = 'ID_TAKEN';
  readonly id: string;
  /** The account that holds the id as its own or as an alias; null when a customer holds it. */
  readonly accountId: string | null;

  constructor(type: NamedType, id: string, accountId: string | null) {
    const holder =
      accountId !== null && accountId !== id
        ? `is an alias of the account ${JSON.stringify(accountId)}`
        : `already names ${type === 'Account' ? 'an' : 'a'} ${type.toLowerCase()}`;
    super(`The id ${JSON.stringify(id)} ${holder}; choose another.`);
    this.id = id;
    this.accountId = accountId;
  }
}

export interface AliasClash {
  value: string;
  accountId: string;
}

/** The bounds to give an alias so that it is accepted; null keeps a bound. */
export interface AliasHint {
  value: string;
  effectiveFrom: Date | null;
  effectiveUntil: Date | null;
}

function hintText({ value, effectiveFrom, effectiveUntil }: AliasHint): string {
  const bounds = [
    ...(effectiveFrom === null ? [] : [`an effectiveFrom of ${effectiveFrom.toISOString()} or later`]),
    ...(effectiveUntil === null ? [] : [`an effectiveUntil of ${effectiveUntil.toISOString()} or earlier`]),
  ];
  return ` Give ${JSON.stringify(value)} ${bounds.join(' and ')}.`;
}

export class AliasTakenError extends AppError {
  readonly code = 'ALIAS_TAKEN';
  readonly clashes: AliasClash[];

  /** @param hints the bounds with which all of the aliases would be accepted; empty if none would help */
  constructor(clashes: AliasClash[], hints: AliasHint[] = []) {
    const holders = [
      ...new Set(clashes.map((c) => `${JSON.stringify(c.value)} (account ${JSON.stringify(c.accountId)})`)),
    ];
    super(`In use for some or all of that time: ${holders.join(', ')}.${hints.map(hintText).join('')}`);
    this.clashes = clashes
      .map(({ value, accountId }) => ({ value, accountId }))
      .filter(
        (clash, index, all) =>
          index === all.findIndex((c) => c.value === clash.value && c.accountId === clash.accountId),
      );
  }
}

export interface LiveAccounts {
  /** The first few. */
  ids: string[];
  total: number;
}

export class NotAllowedInStatusError extends AppError {
  readonly code = 'NOT_ALLOWED_IN_STATUS';
  readonly type: EntityType;
  readonly id: string;
  readonly status: string;
  /** The accounts that stand in the way of archiving a customer; null for every other reason. */
  readonly liveAccounts: LiveAccounts | null;

  constructor(
    type: EntityType,
    id: string,
    status: string,
    reason: string,
    liveAccounts: LiveAccounts | null = null,
  ) {
    super(`The ${type.toLowerCase()} ${JSON.stringify(id)} is ${status}: ${reason}`);
    this.type = type;
    this.id = id;
    this.status = status;
    this.liveAccounts = liveAccounts;
  }
}

export class VersionConflictError extends AppError {
  readonly code = 'VERSION_CONFLICT';
  readonly currentVersion: number;

  constructor(expectedVersion: number, currentVersion: number) {
    super(
      `You expected version ${expectedVersion}, but it is at version ${currentVersion}: read it again, then repeat the change if it still holds.`,
    );
    this.currentVersion = currentVersion;
  }
}

export class LimitExceededError extends AppError {
  readonly code = 'LIMIT_EXCEEDED';
  readonly limit: number;

  constructor(what: string, limit: number) {
    super(`The change would leave more than ${limit} ${what}; remove some first.`);
    this.limit = limit;
  }
}

export class IdempotencyError extends AppError {
  readonly code: 'IDEMPOTENCY_KEY_REUSED' | 'IDEMPOTENCY_IN_PROGRESS';

  constructor(code: IdempotencyError['code']) {
    super(
      code === 'IDEMPOTENCY_KEY_REUSED'
        ? 'This idempotency key was used with another input in the last 24 hours; send a new key for a new request.'
        : 'The first request with this idempotency key is still running; send the same request again in a moment.',
    );
    this.code = code;
  }
}
