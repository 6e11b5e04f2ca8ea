import {
  defaultFieldResolver,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  isObjectType,
} from 'graphql';
import type { Ctx } from '../ctx.ts';
import { builder } from '../graphql/builder.ts';
import { instantOf } from '../graphql/scalars.ts';
import { InvalidInputError } from '../lib/errors.ts';
import type { FieldChange as FieldChangeShape } from './diff.ts';
import type { AnyTime } from './read.ts';

/**
 * Extensions of a field whose resolver also answers for rows of the past, from the row alone or as of the same instant.
 * Other resolvers refuse such rows.
 */
export const anyTime = { anyTime: true };

export const asOfDescription = (type: string) =>
  `The instant to read at. Returns the ${type} as it was recorded then, or \`null\` if it did not exist. An instant in the future means the newest version. \`history\`, \`diff\` and lists of other entities cannot be selected with it. Default: the current state.`;

export const diffDescription = (type: string, more = '') =>
  `The fields that differ between two instants, ordered by name. A field that changed and changed back is not included. An instant before the creation has no fields, so a diff from there has every value of the ${type}.${more}`;

export const diffArgs = builder.args((t) => ({
  from: t.field({ type: 'DateTime', required: true, description: 'The earlier instant.' }),
  to: t.field({ type: 'DateTime', description: 'The later instant. Default: the current state.' }),
}));

/** The cost of a diff, which reads two states. */
export const diffCost = { cost: 40 };

interface PeriodArguments {
  from: unknown;
  to?: unknown;
}

/** Returns the period of a diff of a current row. Throws InvalidInputError. */
export function periodOf({ updatedAt }: { updatedAt: Date }, { from, to }: PeriodArguments, { now }: Ctx) {
  // The clock of the replica that wrote the row can be ahead.
  const current = updatedAt > now ? updatedAt : now;
  return { from: instantOf('from', from), to: to ? instantOf('to', to) : current };
}

export const FieldChange = builder.objectRef<FieldChangeShape>('FieldChange').implement({
  description:
    'A field whose values at two instants differ, and the last change of the field up to the later one.',
  fields: (t) => ({
    field: t.exposeString('field', {
      description:
        'The name of the field, such as `name`, `address.line1` or `billingInformation.emailRecipients`. An alias is `aliases.<value>`, a setting `settings.<namespace>.<id>`. `tags` and `metadata` are compared as a whole.',
    }),
    before: t.expose('before', {
      type: 'JSON',
      nullable: true,
      description:
        'The value at the earlier instant. `null` if there was none. For an alias, its spans of time; for a setting, all its fields.',
    }),
    after: t.expose('after', {
      type: 'JSON',
      nullable: true,
      description: 'The value at the later instant, in the form of `before`. `null` if there was none.',
    }),
    version: t.exposeInt('version', {
      description: 'The version of the account or customer after the last change of the field.',
    }),
    at: t.expose('at', { type: 'DateTime', description: 'The time of the request of that change.' }),
    actor: t.exposeString('actor', { description: 'The token of that request, as in `Change.actor`.' }),
    requestId: t.exposeString('requestId', {
      description: 'The `x-request-id` of that request, as in the log.',
    }),
  }),
});

type Field = GraphQLField<unknown, Ctx>;

/** Returns whether a field answers for rows of the past: a property, or a resolver that declares it. */
function isAnyTime({ resolve, extensions }: Field): boolean {
  return resolve === undefined || resolve === defaultFieldResolver || extensions.anyTime === true;
}

/** Makes a field refuse rows of the past, which it would mix with current data. */
function refusePast(type: string, field: Field): void {
  const { name, resolve = defaultFieldResolver } = field;
  const message = `cannot be combined with \`${type}.${name}\`. Select this field in a query without \`asOf\``;
  field.resolve = (row, args, ctx, info) => {
    if ((row as AnyTime<object>).asOf === undefined) return resolve(row, args, ctx, info);
    throw new InvalidInputError([{ path: ['asOf'], code: 'INVALID_VALUE', message }]);
  };
}

/**
 * Makes all fields that rows of the past lead to refuse them, unless they answer for any time. A new field thus cannot
 * return current data of a past account by mistake.
 */
export function guardPast(schema: GraphQLSchema): void {
  const names = new Set(['Account', 'Customer']);
  // The set grows while it is read.
  for (const name of names) {
    const type = schema.getType(name);
    for (const field of isObjectType(type) ? Object.values(type.getFields()) : []) {
      if (isAnyTime(field)) names.add(getNamedType(field.type).name);
      else refusePast(name, field);
    }
  }
}
