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

/** Defines an enum whose values have descriptions. */
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
  'The kind of a refusal. Stable, for programs.',
  errorCodes,
);

const issueCodes: Record<IssueCode, string> = {
  REQUIRED: 'A value is missing.',
  INVALID_TYPE: 'The value has the wrong type.',
  INVALID_FORMAT: 'The value has the wrong format.',
  INVALID_VALUE: 'The value is not allowed here.',
  TOO_SHORT: 'The text has too few characters.',
  TOO_LONG: 'The text has too many characters.',
  TOO_SMALL: 'The number is below its minimum.',
  TOO_LARGE: 'The number is above its maximum.',
  TOO_FEW: 'The list has too few elements.',
  TOO_MANY: 'The list or object has too many elements.',
  DUPLICATE: 'The element repeats another element of the list.',
  UNKNOWN_FIELD: 'The object has a field that does not exist.',
};
const IssueCodeEnum = describedEnum<IssueCode>(
  'InputIssueCode',
  'The kind of a problem in an input.',
  issueCodes,
);

const ErrorInterface = builder.interfaceRef<AppError>('Error');
ErrorInterface.implement({
  description:
    'Why a mutation was refused; nothing was written. Select `... on Error { code message }` to cover every error, future ones included.',
  fields: (t) => ({
    message: t.exposeString('message', {
      description: 'What is wrong and how to correct it, for people.',
    }),
    code: t.expose('code', {
      type: ErrorCodeEnum,
      description: 'The kind of the refusal, for programs.',
    }),
  }),
});

const Issue = builder.objectRef<InvalidInputError['issues'][number]>('InputIssue').implement({
  description: 'One problem in an input.',
  fields: (t) => ({
    path: t.exposeStringList('path', {
      description:
        'The path from `input` to the value, without `input` itself: `["address", "country"]`, `["aliases", "1"]`.',
    }),
    code: t.expose('code', { type: IssueCodeEnum, description: 'The kind of the problem, for programs.' }),
    message: t.exposeString('message', {
      description: 'What the value must be. Continues the name of the field.',
    }),
  }),
});

builder.objectType(InvalidInputError, {
  name: 'InvalidInputError',
  description: 'The input breaks one or more rules. Lists every problem.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.expose('issues', { type: [Issue], description: 'Every problem, in the order of the input.' }),
  }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'The input refers to something that the tenant does not have.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    type: t.exposeString('type', { description: 'The type of the missing entity, such as `Customer`.' }),
    id: t.exposeID('id', { description: 'The id that was not found.' }),
  }),
});

builder.objectType(IdTakenError, {
  name: 'IdTakenError',
  description:
    'The id is in use. Account ids and aliases share one namespace: an alias holds an id while it is in force and before it begins, but not after it has ended.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The id in use.' }),
    accountId: t.exposeID('accountId', {
      nullable: true,
      description: 'The account that has it as its id or alias; `null` if a customer has it as its id.',
    }),
  }),
});

const AliasClash = builder.objectRef<AliasTakenError['clashes'][number]>('AliasClash').implement({
  description: 'A value in use, and its holder.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'The requested value.' }),
    accountId: t.exposeID('accountId', {
      description:
        'The account that holds it, as an alias or as its id, during some or all of the requested time.',
    }),
  }),
});

builder.objectType(AliasTakenError, {
  name: 'AliasTakenError',
  description: 'Other accounts hold some of the values during some or all of the requested time.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    clashes: t.expose('clashes', { type: [AliasClash], description: 'Every value in use.' }),
  }),
});

builder.objectType(NotAllowedInStatusError, {
  name: 'NotAllowedInStatusError',
  description: 'The status of the entity, or of its customer, does not allow the change.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    type: t.exposeString('type', {
      description: 'The type of the entity in that status, `Account` or `Customer`.',
    }),
    id: t.exposeID('id', {
      description: 'The id of the entity in that status: the account, or its customer.',
    }),
    status: t.exposeString('status', {
      description: 'The status, such as `ARCHIVED`.',
    }),
    liveAccountIds: t.idList({
      nullable: true,
      description:
        'The first live accounts of a customer, if they prevent archiving it. Empty without the scope `accounts:read`; `null` for other reasons.',
      resolve: (error) => error.liveAccounts?.ids ?? null,
    }),
    liveAccountCount: t.int({
      nullable: true,
      description: 'The number of live accounts; `null` for other reasons.',
      resolve: (error) => error.liveAccounts?.total ?? null,
    }),
  }),
});

builder.objectType(IdempotencyError, {
  name: 'IdempotencyError',
  description:
    'The idempotency key was used with another input (`IDEMPOTENCY_KEY_REUSED`), or its first request still runs (`IDEMPOTENCY_IN_PROGRESS`).',
  interfaces: [ErrorInterface],
});

builder.objectType(VersionConflictError, {
  name: 'VersionConflictError',
  description: 'The version of the entity differs from `expectedVersion`, because somebody else changed it.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    currentVersion: t.exposeInt('currentVersion', { description: 'The version that the entity has now.' }),
  }),
});

builder.objectType(LimitExceededError, {
  name: 'LimitExceededError',
  description: 'The change would exceed a limit of the entity.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    limit: t.exposeInt('limit', { description: 'The maximum that the change would exceed.' }),
  }),
});

/** The errors that every mutation can return. */
export const commonErrors = [InvalidInputError, IdempotencyError];

export const replayedDescription =
  'Whether this repeats the first result of the same idempotency key. Data that the first request did not change is current.';
