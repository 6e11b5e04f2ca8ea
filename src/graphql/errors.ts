import {
  type AppError,
  type ErrorCode,
  errorCodes,
  InvalidInputError,
  type IssueCode,
  NotFoundError,
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

export const ErrorInterface = builder.interfaceRef<AppError>('Error');
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

export const Issue = builder.objectRef<InvalidInputError['issues'][number]>('InputIssue').implement({
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
  description: 'The input refers to an entity that does not exist.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    type: t.exposeString('type', { description: 'The type of the missing entity, such as `Customer`.' }),
    id: t.exposeID('id', { description: 'The id that was not found.' }),
  }),
});
