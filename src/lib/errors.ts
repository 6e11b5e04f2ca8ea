/**
 * The service cannot start or a command cannot run. The message is one or two sentences for the terminal, without a
 * stack trace.
 */
export class StartupError extends Error {
  override name = 'StartupError';
  /** The exit code of the process. */
  readonly exitCode: number = 1;
}

/** The command line is wrong. */
export class UsageError extends StartupError {
  override readonly exitCode = 2;
}

/** The database or the service cannot be reached, so the same command may succeed later. */
export class UnreachableError extends StartupError {
  override readonly exitCode = 3;
}

export const errorCodes = {
  INVALID_INPUT: 'The input breaks a rule; `issues` lists every problem with its path.',
  NOT_FOUND: 'The tenant has no entity of this type with this id.',
  ID_TAKEN: 'The id already names an account or a customer, or is an alias that has not ended.',
  ALIAS_TAKEN: 'An alias already names another account for some or all of the time.',
  NAME_TAKEN: 'Another tenant has the name, or had it before.',
  VERSION_CONFLICT: 'The entity has changed since the expected version.',
  NOT_ALLOWED_IN_STATUS: 'The status of the entity, or of its customer, does not allow this change.',
  IDEMPOTENCY_KEY_REUSED: 'The idempotency key was used before with another input.',
  IDEMPOTENCY_IN_PROGRESS: 'The first request with this idempotency key is still running.',
  LIMIT_EXCEEDED: 'The change would exceed a limit of the entity.',
  REVERT_REFUSED: 'Values or aliases of the earlier version cannot be written now.',
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** An error that the caller can act on. It does not depend on GraphQL or HTTP. */
export abstract class AppError extends Error {
  abstract readonly code: ErrorCode;
}

/** The token lacks a scope. Not part of unions, because no other input helps. */
export class ForbiddenError extends Error {
  override name = 'ForbiddenError';
  readonly scope: string;

  constructor(scope: string) {
    super(`Your token lacks the scope \`${scope}\`. Use a key that has it.`);
    this.scope = scope;
  }
}

const unavailable = {
  BUSY: 'The service is overloaded. Nothing was done',
  UNREACHABLE: 'The database is unreachable. Nothing was done',
  SLOW: 'The database took too long, and the request was rolled back. Nothing was written',
  DISK_FULL: "The database's disk is full. Nothing was written",
  DISK_FAILS: 'The database cannot read or write its disk. Nothing was written',
  EXHAUSTED: 'The database is out of memory or connections. Nothing was written',
  ISSUER: "The token issuer's signing keys are unavailable. Nothing was done",
  LOST: 'The connection to the database was lost, so a write may or may not have happened. With its `idempotencyKey`, it happens only once',
} as const;

/** The database or the token issuer is unavailable. The request is valid, and may succeed later. */
export class UnavailableError extends Error {
  override name = 'UnavailableError';
  readonly reason: keyof typeof unavailable;
  readonly retryAfterS: number = 1;

  constructor(reason: keyof typeof unavailable, cause?: unknown) {
    super(`${unavailable[reason]}. Try again in a moment.`, { cause });
    this.reason = reason;
  }
}

export type SubscriptionErrorCode = 'UNAUTHENTICATED' | 'RATE_LIMITED' | 'SERVICE_UNAVAILABLE';

/** A subscription to changes cannot start, or has ended early. */
export class SubscriptionError extends Error {
  override name = 'SubscriptionError';
  readonly code: SubscriptionErrorCode;
  /** Subscribe again after this position to miss no change. Undefined if the subscription did not begin. */
  readonly position: string | undefined;

  constructor(code: SubscriptionErrorCode, message: string, position?: string) {
    super(message);
    this.code = code;
    this.position = position;
  }
}

/** The operation exceeded its deadline. */
export class DeadlineError extends Error {
  override name = 'DeadlineError';

  constructor(timeoutMs: number) {
    super(
      `The operation took longer than ${timeoutMs / 1000} s and was canceled. Request less, or try again. A write has happened completely or not at all; a retry with its idempotency key is safe.`,
    );
  }
}

/** Too many operations of the tenant are waiting. */
export class BusyError extends Error {
  override name = 'BusyError';

  constructor(maxWaiting: number) {
    super(`More than ${maxWaiting} operations of your tenant are waiting. Send fewer at the same time.`);
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
  /** The path from the input object to the value, such as `['address', 'country']`. */
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
export type NamedType = EntityType | 'Alias' | 'Setting' | 'WebhookEndpoint';

export class NotFoundError extends AppError {
  readonly code = 'NOT_FOUND';
  readonly type: NamedType;
  readonly id: string;

  constructor(type: NamedType, id: string, where = '') {
    const words = type.replace(/\B[A-Z]/g, ' $&').toLowerCase();
    super(`There is no ${words} ${JSON.stringify(id)}${where}.`);
    this.type = type;
    this.id = id;
  }
}
