/** The service cannot start or a command cannot run: one sentence for the person at the terminal, no stack trace. */
export class StartupError extends Error {
  override name = 'StartupError';
}

export const errorCodes = {
  INVALID_INPUT: 'The input breaks a rule; `issues` lists every problem with its path.',
  NOT_FOUND: 'The tenant has no entity of this type with this id.',
  ID_TAKEN: 'The id already names an account or a customer, or is an alias that has not ended.',
  ALIAS_TAKEN: 'An alias already names another account for some or all of the time.',
  VERSION_CONFLICT: 'The entity has changed since the expected version.',
  NOT_ALLOWED_IN_STATUS: 'The status of the entity, or of its customer, does not allow this change.',
  IDEMPOTENCY_KEY_REUSED: 'The idempotency key was used before with another input.',
  IDEMPOTENCY_IN_PROGRESS: 'The first request with this idempotency key is still running.',
  LIMIT_EXCEEDED: 'The change would exceed a limit of the entity.',
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
