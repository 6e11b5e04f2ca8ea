import { Address } from '../address/graphql.ts';
import { addressOf } from '../address/rules.ts';
import { Customer } from '../customer/graphql.ts';
import type { CustomerRow } from '../customer/read.ts';
import { orderDescription } from '../entity/inputs.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { byId, entityKeyOf } from '../lib/entity-key.ts';
import { metadata } from '../lib/fields.ts';
import { toTypeId } from '../lib/id.ts';
import { requireScope } from '../lib/scope.ts';
import { accountFilter } from './filters.ts';
import { AccountStatus } from './inputs.ts';
import { accountPage, customerAccountPage } from './list.ts';
import { AccountFilter, AccountOrder } from './list-inputs.ts';
import type { AccountRow } from './read.ts';
import * as rules from './rules.ts';

const BillingInformation = builder
  .objectRef<{ emailRecipients: string[]; additionalEmailRecipients: string[] }>('BillingInformation')
  .implement({
    description: describeRule(rules.billingInformation),
    fields: (t) => ({
      emailRecipients: t.exposeStringList('emailRecipients', {
        description: describeRule(rules.emailRecipients),
      }),
      additionalEmailRecipients: t.exposeStringList('additionalEmailRecipients', {
        description: describeRule(rules.additionalEmailRecipients),
      }),
    }),
  });

export const Account = builder.node(builder.objectRef<AccountRow>('Account'), {
  description: 'The thing that is billed. Belongs to one customer for ever.',
  id: {
    resolve: (account) => toTypeId('Account', account.nodeId),
    description:
      'Made by the system: unique across all types and tenants, sortable by creation, never changed.',
  },
  authScopes: { scope: 'accounts:read' },
  isTypeOf: (row) => 'customerId' in (row as object),
  fields: (t) => ({
    id: t.exposeID('id', { description: describeRule(rules.id) }),
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    status: t.expose('status', { type: AccountStatus, description: 'Where the account is in its life.' }),
    customerId: t.exposeID('customerId', { description: 'The id of the customer it belongs to.' }),
    customer: t.field({
      type: Customer,
      description: 'The customer it belongs to, an archived one too.',
      // A foreign key sees to it that there is one.
      resolve: ({ customerId }, _, ctx) =>
        ctx.loaders.customer.load(byId(customerId)) as Promise<CustomerRow>,
    }),
    invoiceCurrency: t.string({
      description: describeRule(
        rules.invoiceCurrency,
        "The account's own, or else the tenant's base currency.",
      ),
      resolve: (account, _, ctx) => account.invoiceCurrency ?? ctx.viewer.tenant.baseCurrency,
    }),
    netTermDays: t.int({
      description: describeRule(rules.netTermDays, "The account's own, or else the tenant's net terms."),
      resolve: (account, _, ctx) => account.netTermDays ?? ctx.viewer.tenant.netTermDays,
    }),
    primaryEmail: t.exposeString('primaryEmail', {
      nullable: true,
      description: describeRule(rules.primaryEmail, '`null` when there is none.'),
    }),
    address: t.field({
      type: Address,
      nullable: true,
      description:
        'Where the invoices of this account go; `null` when the account has no address of its own.',
      resolve: addressOf,
    }),
    billingInformation: t.field({
      type: BillingInformation,
      nullable: true,
      description: describeRule(rules.billingInformation, '`null` when nothing is said of them.'),
      resolve: rules.billingInformationOf,
    }),
    tags: t.exposeStringList('tags', { description: describeRule(rules.tags) }),
    metadata: t.expose('metadata', { type: 'JSONObject', description: describeRule(metadata) }),
    version: t.exposeInt('version', { description: 'Begins at 1; every write of the account adds 1.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the account was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When the account was last changed.' }),
  }),
});

builder.asEntity(Account, {
  key: [builder.selection<{ id: string }>('id'), builder.selection<{ nodeId: string }>('nodeId')],
  resolveReference: (reference, ctx) => {
    requireScope(ctx.viewer, 'accounts:read');
    const key = entityKeyOf('Account', reference);
    return key === undefined ? null : ctx.loaders.account.load(key);
  },
});

const AccountConnection = builder.connectionObject(
  {
    type: Account,
    name: 'AccountConnection',
    description: 'A page of accounts.',
    authScopes: { scope: 'accounts:read' },
  },
  { name: 'AccountEdge', description: 'An account in a list.' },
);

const filterRule = { schema: accountFilter };

builder.queryFields((t) => ({
  account: t.field({
    authScopes: { scope: 'accounts:read' },
    type: Account,
    nullable: true,
    description:
      'The account with this id, an archived one too; `null` when there is none. To look up by alias, use `accountByAlias`.',
    args: { id: t.arg.id({ required: true, description: describeRule(rules.id) }) },
    resolve: (_, { id }, ctx) => ctx.loaders.account.load(byId(id)),
  }),
  accounts: t.connection(
    {
      authScopes: { scope: 'accounts:read' },
      type: Account,
      description: 'The accounts of the tenant, archived ones left out unless the filter asks for them.',
      args: {
        filter: t.arg({ type: AccountFilter, validate: filterRule, description: 'Without it, all of them.' }),
        orderBy: t.arg({ type: AccountOrder, description: orderDescription }),
      },
      resolve: async (_, { filter, orderBy, ...page }, ctx) =>
        toConnection(await accountPage(ctx, page, filter, orderBy)),
    },
    AccountConnection,
  ),
}));

builder.objectField(Customer, 'accounts', (t) =>
  t.connection(
    {
      type: Account,
      description:
        'The accounts of the customer, archived ones left out unless the filter asks for them. One look into the database for each customer it is selected for.',
      args: {
        filter: t.arg({ type: AccountFilter, validate: filterRule, description: 'Without it, all of them.' }),
        orderBy: t.arg({ type: AccountOrder, description: orderDescription }),
      },
      resolve: async (customer, { filter, orderBy, ...page }, ctx) =>
        toConnection(await customerAccountPage(ctx, page, customer.id, filter, orderBy)),
    },
    AccountConnection,
  ),
);
