import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import * as rules from './rules.ts';

export const OrderDirection = describedEnum<rules.Direction>(
  'OrderDirection',
  'Ascending or descending.',
  rules.directions,
);

const DateTimeRange = builder.inputType('DateTimeRange', {
  description: describeRule(rules.range),
  fields: (t) => ({
    from: t.field({
      type: 'DateTime',
      description: 'The first instant in the span. Default: no start.',
    }),
    until: t.field({
      type: 'DateTime',
      description: 'The first instant after the span. Default: no end.',
    }),
  }),
});

const MetadataFilter = builder.inputType('MetadataFilter', {
  description: describeRule(rules.metadataEntry),
  fields: (t) => ({
    key: t.string({ required: true, description: describeRule(rules.metadataEntry.shape.key) }),
    value: t.string({ required: true, description: describeRule(rules.metadataEntry.shape.value) }),
  }),
});

/** Returns the conditions that both filters share. `searched` names the fields that a search matches. */
export function commonFilterFields(
  t: PothosSchemaTypes.InputFieldBuilder<typeof builder.$inferSchemaTypes, 'InputObject'>,
  searched: string,
) {
  return {
    metadata: t.field({
      type: MetadataFilter,
      description: 'Matches one key and its value in the metadata.',
    }),
    country: t.string({
      description: describeRule(rules.countryFilter, 'Matches the country of the address.'),
    }),
    createdAt: t.field({ type: DateTimeRange, description: 'Matches the time of creation.' }),
    updatedAt: t.field({ type: DateTimeRange, description: 'Matches the time of the last change.' }),
    search: t.string({ description: describeRule(rules.search, `Searches ${searched}.`) }),
  };
}

/** Defines the input for the order of a list, and the enum of its fields. */
export function orderInput(type: 'Account' | 'Customer') {
  const things = `${type.toLowerCase()}s`;
  const OrderField = describedEnum<rules.OrderField>(
    `${type}OrderField`,
    `The fields that a list of ${things} can be ordered by.`,
    rules.orderFields,
  );
  return builder.inputType(`${type}Order`, {
    description: `The order of a list of ${things}. Ties are ordered by id, ascending.`,
    fields: (t) => ({
      field: t.field({ type: OrderField, required: true, description: 'The field to order by.' }),
      direction: t.field({
        type: OrderDirection,
        required: true,
        description: 'The direction of the order.',
      }),
    }),
  });
}

export const orderDescription = 'Default: the latest change first. A cursor is valid for one order only.';
