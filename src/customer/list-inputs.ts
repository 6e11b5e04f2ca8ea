import { commonFilterFields, orderInput } from '../entity/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import * as filters from './filters.ts';
import { CustomerStatus } from './graphql.ts';

export const CustomerFilter = builder.inputType('CustomerFilter', {
  description: 'Which customers a list holds: those that meet every condition given.',
  fields: (t) => ({
    ...commonFilterFields(t, 'the id, the name and the primary email'),
    status: t.field({ type: [CustomerStatus], description: describeRule(filters.statuses) }),
  }),
});

export const CustomerOrder = orderInput('Customer');
