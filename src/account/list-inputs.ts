import { commonFilterFields, orderInput } from '../entity/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import * as filters from './filters.ts';
import { AccountStatus } from './inputs.ts';
import * as rules from './rules.ts';

export const AccountFilter = builder.inputType('AccountFilter', {
  description: 'Which accounts a list holds: those that meet every condition given.',
  fields: (t) => ({
    ...commonFilterFields(t, 'the id, the name, the primary email and the aliases in force now'),
    customerId: t.id({ description: 'Those of the customer with this id.' }),
    status: t.field({ type: [AccountStatus], description: describeRule(filters.statuses) }),
    invoiceCurrency: t.string({
      description: describeRule(
        rules.invoiceCurrency,
        "Those invoiced in it, be it their own currency or the tenant's.",
      ),
    }),
    tag: t.string({ description: describeRule(filters.tag) }),
  }),
});

export const AccountOrder = orderInput('Account');
