import { Address } from '../address/graphql.ts';
import { addressOf, billingAddressOf } from '../address/rules.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { describedEnum } from '../graphql/errors.ts';
import { byId, entityKeyOf } from '../lib/entity-key.ts';
import { metadata } from '../lib/fields.ts';
import { toTypeId } from '../lib/id.ts';
import { requireScope } from '../lib/scope.ts';
import type { CustomerRow } from './read.ts';
import * as rules from './rules.ts';

export const CustomerStatus = describedEnum<rules.CustomerStatus>(
  'CustomerStatus',
  'Where a customer is in its life.',
  rules.statuses,
);

const CustomerRef = builder.objectRef<CustomerRow>('Customer');

export const Customer = builder.node(CustomerRef, {
  description: 'A company that buys from the tenant. Owns accounts.',
  id: {
    resolve: (customer) => toTypeId('Customer', customer.nodeId),
    description:
      'Made by the system: unique across all types and tenants, sortable by creation, never changed.',
  },
  authScopes: { scope: 'customers:read' },
  isTypeOf: (row) => 'customerId' in (row as object) === false,
  fields: (t) => ({
    id: t.exposeID('id', { description: describeRule(rules.id) }),
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    status: t.expose('status', {
      type: CustomerStatus,
      description: 'Whether the customer is in use or put away.',
    }),
    primaryEmail: t.exposeString('primaryEmail', { description: describeRule(rules.primaryEmail) }),
    address: t.field({
      type: Address,
      nullable: true,
      description: 'Where the customer is. Given when it is created, and never cleared.',
      resolve: addressOf,
    }),
    billingAddress: t.string({
      nullable: true,
      description:
        'The address on one line: the parts that are present of line1, line2, postalCode, city, state and country, joined by `, `; `null` when none is.',
      resolve: billingAddressOf,
    }),
    metadata: t.expose('metadata', { type: 'JSONObject', description: describeRule(metadata) }),
    version: t.exposeInt('version', { description: 'Begins at 1; every write of the customer adds 1.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the customer was created.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When the customer was last changed.',
    }),
  }),
});

builder.asEntity(Customer, {
  key: [builder.selection<{ id: string }>('id'), builder.selection<{ nodeId: string }>('nodeId')],
  resolveReference: (reference, ctx) => {
    requireScope(ctx.viewer, 'customers:read');
    const key = entityKeyOf('Customer', reference);
    return key === undefined ? null : ctx.loaders.customer.load(key);
  },
});

builder.queryField('customer', (t) =>
  t.field({
    authScopes: { scope: 'customers:read' },
    type: Customer,
    nullable: true,
    description: 'The customer with this id, an archived one too; `null` when there is none.',
    args: { id: t.arg.id({ required: true, description: describeRule(rules.id) }) },
    resolve: (_, { id }, ctx) => ctx.loaders.customer.load(byId(id)),
  }),
);
