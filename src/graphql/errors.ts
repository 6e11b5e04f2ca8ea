import {
  AliasTakenError,
  type AppError,
  type ErrorCode,
  errorCodes,
  IdempotencyError,
  IdTakenError,
  InvalidInputError,
  type IssueCode,
  LimitExceededError,
  NotAllowedInStatusError,
  NotFoundError,
  VersionConflictError,
} from '../lib/errors.ts';
import { builder } from './builder.ts';

/** An enum whose values carry their meaning. */
export function describedEnum<Name extends string>(
  name: string,
  description: string,
  meanings: Record<Name, string>,
) {
  const values = Object.entries(meanings).map(([value, meaning]) => [
    value,
    { description: meaning as string },
  ]);
  return builder.enumType(name, {
    description,
    values: Object.fromEntries(values) as Record<Name, { description: string }>,
  });
}

const ErrorCodeEnum = describedEnum<ErrorCode>(
  'ErrorCode',
  'What kind of refusal an error is; stable, for programs.',
  errorCodes,
);

const issueCodes: Record<IssueCode, string> = {
  REQUIRED: 'A value is missing.',
  INVALID_TYPE: 'The value is of another type.',
  INVALID_FORMAT: 'The value is not written as it must be.',
  INVALID_VALUE: 'The value is not one of those allowed here.',
  TOO_SHORT: 'The text has too few characters.',
  TOO_LONG: 'The text has too many characters.',
  TOO_SMALL: 'The number is below its minimum.',
  TOO_LARGE: 'The number is above its maximum.',
  TOO_FEW: 'The list has too few elements.',
  TOO_MANY: 'The list or object has too many elements.',
  DUPLICATE: 'The element repeats another one of the same list.',
  UNKNOWN_FIELD: 'The object has a field that does not exist.',
};
const IssueCodeEnum = describedEnum<IssueCode>(
  'InputIssueCode',
  'What kind of problem an input has.',
  issueCodes,
);

const ErrorInterface = builder.interfaceRef<AppError>('Error');
ErrorInterface.implement({
  description:
    'Why a mutation was refused; nothing was written. Select `... on Error { code message }` to meet every kind, those to come included.',
  fields: (t) => ({
    message: t.exposeString('message', {
      description: 'What is wrong and how to mend it, a sentence for people.',
    }),
    code: t.expose('code', {
      type: ErrorCodeEnum,
      description: 'What kind of refusal this is, for programs.',
    }),
  }),
});

const Issue = builder.objectRef<InvalidInputError['issues'][number]>('InputIssue').implement({
  description: 'One problem of an input.',
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description:
        'The steps from `input` to the value, `input` itself left out: `["address", "country"]`, `["aliases", "1"]`.',
    }),
    code: t.expose('code', { type: IssueCodeEnum, description: 'What kind of problem it is, for programs.' }),
    message: t.exposeString('message', {
      description: 'What the value must be; reads on from the name of the field.',
    }),
  }),
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input breaks one or more rules. Every problem is listed at once.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.expose('issues', { type: [Issue], description: 'All problems, in the order of the input.' }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'The input names something that your tenant does not have.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    type: t.exposeString('type', { description: 'The type of what is missing, such as `Customer`.' }),
    id: t.exposeID('id', { description: 'The id that was looked for.' }),
  }),
});

builder.objectType(IdTakenError, {
  name: 'IdTakenError',
  description:
    'The id is in use. Account ids and aliases share one look-up space: an alias takes an id while it is in force and before it begins. An alias that has ended does not.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id that is taken.' }),
    accountId: t.exposeID('accountId', {
      nullable: true,
      description: 'The account that has it as its id or alias; `null` when a customer has it as its id.',
    }),
  }),
});

const AliasClash = builder.objectRef<AliasTakenError['clashes'][number]>('AliasClash').implement({
  description: 'A value that is in use, and by whom.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'The value that was wanted.' }),
    accountId: t.exposeID('accountId', {
      description: 'The account it names, as an alias or as its own id, for some or all of the time wanted.',
    }),
  }),
});

builder.objectType(AliasTakenError, {
  name: 'AliasTakenError',
  description: 'Values are in use by other accounts for some or all of the time wanted.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    clashes: t.expose('clashes', { type: [AliasClash], description: 'Every value that is in use.' }),
  }),
});

builder.objectType(NotAllowedInStatusError, {
  name: 'NotAllowedInStatusError',
  description: 'The entity, or the customer it belongs to, is in a status that does not allow this.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    type: t.exposeString('type', {
      description: 'The type of what is in that status, `Account` or `Customer`.',
    }),
    id: t.exposeID('id', {
      description:
        'The id of what is in that status: of the account itself, or of the customer it belongs to.',
    }),
    status: t.exposeString('status', {
      description: 'The status that does not allow it, such as `ARCHIVED`.',
    }),
    liveAccountIds: t.idList({
      nullable: true,
      description:
        'The first accounts of a customer that are not archived, because of which it cannot be archived. Empty without the scope `accounts:read`; `null` for every other reason.',
      resolve: (error) => error.liveAccounts?.ids ?? null,
    }),
    liveAccountCount: t.int({
      nullable: true,
      description: 'How many accounts those are in all; `null` for every other reason.',
      resolve: (error) => error.liveAccounts?.total ?? null,
    }),
  }),
});

builder.objectType(IdempotencyError, {
  name: 'IdempotencyError',
  description:
    'The idempotency key does not fit: it was used with another input (`IDEMPOTENCY_KEY_REUSED`), or its first request still runs (`IDEMPOTENCY_IN_PROGRESS`).',
  interfaces: [ErrorInterface],
});

builder.objectType(VersionConflictError, {
  name: 'VersionConflictError',
  description: 'The entity is at another version than `expectedVersion`: somebody else changed it meanwhile.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', { description: 'The version it is at.' }),
  }),
});

builder.objectType(LimitExceededError, {
  name: 'LimitExceededError',
  description: 'The change would take the entity over one of its limits.',
  interfaces: [ErrorInterface],
  fields: (t) => ({ limit: t.exposeInt('limit', { description: 'How many there may be.' }) }),
});

/** The errors that any mutation with an idempotency key can meet. */
export const commonErrors = [InvalidInputError, IdempotencyError];

export const replayedDescription =
  'True when this is the first answer again, to a request sent before with the same idempotency key. What that request did not touch is shown as it is now.';
