import { AppError, type EntityType, type NamedType } from '../lib/errors.ts';

export class IdTakenError extends AppError {
  readonly code = 'ID_TAKEN';
  readonly id: string;
  /** The account that holds the id as its id or alias; null if a customer or setting holds it. */
  readonly accountId: string | null;

  /** @param isArchived whether the holder is archived, so that it can be restored instead */
  constructor(type: NamedType, id: string, accountId: string | null, isArchived = false) {
    const hint = isArchived
      ? `Use another id, or restore the archived ${type.toLowerCase()}.`
      : 'Use another id.';
    const holder =
      accountId !== null && accountId !== id
        ? `is an alias of the account ${JSON.stringify(accountId)}`
        : `already names ${type === 'Account' ? 'an' : 'a'} ${type.toLowerCase()}`;
    super(`The id ${JSON.stringify(id)} ${holder}. ${hint}`);
    this.id = id;
    this.accountId = accountId;
  }
}

export interface LiveAccounts {
  /** The first few ids. */
  ids: string[];
  total: number;
}

export class NotAllowedInStatusError extends AppError {
  readonly code = 'NOT_ALLOWED_IN_STATUS';
  readonly type: EntityType;
  readonly id: string;
  readonly status: string;
  /** The accounts that prevent archiving a customer; null for other reasons. */
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
      `The version is ${currentVersion}, not the expected ${expectedVersion}. Read the entity again, then repeat the change if it still applies.`,
    );
    this.currentVersion = currentVersion;
  }
}

export class LimitExceededError extends AppError {
  readonly code = 'LIMIT_EXCEEDED';
  readonly limit: number;

  constructor(what: string, limit: number) {
    super(`The change would exceed the limit of ${limit} ${what}. Remove some first.`);
    this.limit = limit;
  }
}

export class IdempotencyError extends AppError {
  readonly code: 'IDEMPOTENCY_KEY_REUSED' | 'IDEMPOTENCY_IN_PROGRESS';

  constructor(code: IdempotencyError['code']) {
    super(
      code === 'IDEMPOTENCY_KEY_REUSED'
        ? 'This idempotency key was used with another input in the last 24 hours. Use a new key for a new request.'
        : 'The first request with this idempotency key is still running. Send the same request again in a moment.',
    );
    this.code = code;
  }
}
