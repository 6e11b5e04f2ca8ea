import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import * as rules from './rules.ts';

export const OrderDirection = describedEnum<rules.Direction>(
  'OrderDirection',
  'Which way a list goes.',
  rules.directions,
);

const DateTimeRange = builder.inputType('DateTimeRange', {
  description: describeRule(rules.range),
  fields: (t) => ({
    from: t.field({
      type: 'DateTime',
      description: 'The first instant in the span; without it, the span has no beginning.',
    }),
    until: t.field({
      type: 'DateTime',
      description: 'The first instant after the span; without it, the span has no end.',
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

/** The conditions that filters of accounts and of customers share; `searched` says where a search looks. */
export function commonFilterFields(
  t: PothosSchemaTypes.InputFieldBuilder<typeof builder.$inferSchemaTypes, 'InputObject'>,
  searched: string,
) {
  return {
    metadata: t.field({
      type: MetadataFilter,
      description: 'Those whose metadata has this key with this value.',
    }),
    country: t.string({ description: describeRule(rules.countryFilter, 'Those whose address is there.') }),
    createdAt: t.field({ type: DateTimeRange, description: 'Those created in this span of time.' }),
    updatedAt: t.field({ type: DateTimeRange, description: 'Those last changed in this span of time.' }),
    search: t.string({ description: describeRule(rules.search, `Looks at ${searched}.`) }),
  };
}

/** How a list is ordered, with its enum of fields. */
export function orderInput(type: 'Account' | 'Customer') {
  const things = `${type.toLowerCase()}s`;
  const OrderField = describedEnum<rules.OrderField>(
    `${type}OrderField`,
    `What a list of ${things} is ordered by.`,
    rules.orderFields,
  );
  return builder.inputType(`${type}Order`, {
    description: `How a list of ${things} is ordered. Those that are equal there follow in the order of their ids, ascending.`,
    fields: (t) => ({
      field: t.field({ type: OrderField, required: true, description: 'What decides first.' }),
      direction: t.field({ type: OrderDirection, required: true, description: 'Which way the list goes.' }),
    }),
  });
}

export const orderDescription = 'Without it, the latest change first. A cursor holds for one order only.';
