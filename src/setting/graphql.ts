import { Account } from '../account/graphql.ts';
import { Customer } from '../customer/graphql.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { SettingDataType } from './inputs.ts';
import type { SettingRow } from './read.ts';
import * as rules from './rules.ts';

const Setting = builder.objectRef<SettingRow>('Setting').implement({
  description:
    'A typed key-value of an account or customer. Its owner has at most one with this namespace and id.',
  fields: (t) => ({
    id: t.exposeID('id', { description: describeRule(rules.id) }),
    namespace: t.exposeString('namespace', { description: describeRule(rules.namespace) }),
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    dataType: t.expose('dataType', { type: SettingDataType, description: describeRule(rules.dataType) }),
    value: t.exposeString('value', { description: describeRule(rules.value) }),
  }),
});

const order = 'in the order of their namespaces and ids';

builder.objectField(Account, 'settings', (t) =>
  t.field({
    type: [Setting],
    description: `The settings of the account, ${order}.`,
    resolve: (account, _, ctx) => ctx.loaders.settings.load({ type: 'ACCOUNT', id: account.id }),
  }),
);

builder.objectField(Customer, 'settings', (t) =>
  t.field({
    type: [Setting],
    description: `The settings of the customer, ${order}.`,
    resolve: (customer, _, ctx) => ctx.loaders.settings.load({ type: 'CUSTOMER', id: customer.id }),
  }),
);
