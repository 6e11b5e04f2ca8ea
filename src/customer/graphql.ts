import { Account, AccountConnection, filterRule } from '../account/graphql.ts';
import { AccountFilter, AccountOrder } from '../account/inputs.ts';
import { customerAccountPage, customerByKey } from '../account/read.ts';
import { Address } from '../address/graphql.ts';
import { addressOf, billingAddressOf } from '../address/rules.ts';
import { AliasTakenError } from '../alias/rules.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { instantOf } from '../graphql/scalars.ts';
import { Change, ChangeConnection } from '../history/graphql.ts';
import { customerChanges } from '../history/read.ts';
import { byId, entityKeyOf } from '../lib/entity-key.ts';
import { metadata } from '../lib/fields.ts';
import { toTypeId } from '../lib/id.ts';
import { requireScope } from '../lib/scope.ts';
import { orderDescription } from '../listing/inputs.ts';
import { fieldChanges } from '../past/diff.ts';
import {
  anyTime,
  asOfDescription,
  diffArgs,
  diffCost,
  diffDescription,
  FieldChange,
  periodOf,
} from '../past/graphql.ts';
import { type AnyTime, customerAsOf, isPast } from '../past/read.ts';
import { IdTakenError } from '../writing/errors.ts';
import {
  changeErrors,
  commonErrors,
  dryRunField,
  inputCount,
  replayedDescription,
  validInputCount,
  writeValid,
} from '../writing/graphql.ts';
import type { Written } from '../writing/idempotency.ts';
import { entityInput } from '../writing/rules.ts';
import { type CreatedCustomer, createCustomer, createCustomers } from './create.ts';
import {
  ArchiveCustomerInput,
  CreateCustomerInput,
  CustomerFilter,
  CustomerOrder,
  CustomerStatus,
  RestoreCustomerInput,
  UpdateCustomerInput,
} from './inputs.ts';
import { customerPage } from './read.ts';
import * as rules from './rules.ts';
import { customerFilter } from './rules.ts';
import type { CustomerRow } from './table.ts';
import { archiveCustomer, restoreCustomer, updateCustomer } from './write.ts';

const CustomerRef = builder.objectRef<AnyTime<CustomerRow>>('Customer');

export const Customer = builder.node(CustomerRef, {
  description: 'A company that buys from the tenant. It owns accounts.',
  id: {
    extensions: anyTime,
    resolve: (customer) => toTypeId('Customer', customer.nodeId),
    description: "The system's id: unique across types and tenants, sortable by creation time, immutable.",
  },
  authScopes: { scope: 'customers:read' },
  fields: (t) => ({
    id: t.exposeID('id', { description: describeRule(rules.id) }),
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    status: t.expose('status', {
      type: CustomerStatus,
      description: "The customer's status.",
    }),
    primaryEmail: t.exposeString('primaryEmail', { description: describeRule(rules.primaryEmail) }),
    address: t.field({
      type: Address,
      nullable: true,
      description: "The customer's address. It is set at creation and cannot be cleared.",
      extensions: anyTime,
      resolve: addressOf,
    }),
    billingAddress: t.string({
      nullable: true,
      description:
        'The address on one line: line1, line2, postalCode, city, state and country, if present, joined by `, `. `null` if all are missing.',
      extensions: anyTime,
      resolve: billingAddressOf,
    }),
    metadata: t.expose('metadata', { type: 'JSONObject', description: describeRule(metadata) }),
    version: t.exposeInt('version', {
      description: "The customer's version. It starts at 1, and every change adds 1.",
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: "The time of the customer's creation.",
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: "The time of the customer's last change.",
    }),
  }),
});

builder.asEntity(Customer, {
  key: [builder.selection<{ id: string }>('id'), builder.selection<{ nodeId: string }>('nodeId')],
  resolveReference: (reference, ctx) => {
    requireScope(ctx.viewer, 'customers:read');
    const key = entityKeyOf('Customer', reference);
    return key === undefined ? null : ctx.load(customerByKey, key);
  },
});

builder.queryField('customer', (t) =>
  t.field({
    authScopes: { scope: 'customers:read' },
    type: Customer,
    nullable: true,
    description: 'The customer with this id, also if it is archived. `null` if there is none.',
    args: {
      id: t.arg.id({ required: true, description: describeRule(rules.id) }),
      asOf: t.arg({ type: 'DateTime', description: asOfDescription('customer') }),
    },
    resolve: (_, { id, asOf }, ctx): AnyTime<CustomerRow> | null | Promise<AnyTime<CustomerRow> | null> =>
      asOf
        ? ctx.load(customerAsOf, { id, asOf: instantOf('asOf', asOf) })
        : ctx.load(customerByKey, byId(id)),
  }),
);

builder.objectField(Account, 'customer', (t) =>
  t.field({
    type: Customer,
    description: "The account's customer, also if it is archived.",
    extensions: anyTime,
    // A foreign key guarantees that the customer exists.
    resolve: (account, _, ctx) =>
      (isPast(account)
        ? ctx.load(customerAsOf, { id: account.customerId, asOf: account.asOf, orCreation: true })
        : ctx.load(customerByKey, byId(account.customerId))) as Promise<AnyTime<CustomerRow>>,
  }),
);

builder.objectField(Change, 'customer', (t) =>
  t.field({
    type: Customer,
    nullable: true,
    description: "The changed customer, or the changed account's customer, in its current state.",
    resolve: ({ customerId }, _, ctx) => ctx.load(customerByKey, byId(customerId)),
  }),
);

builder.objectField(Customer, 'accounts', (t) =>
  t.connection(
    {
      type: Account,
      description:
        "The customer's accounts. Archived accounts are excluded unless the filter includes them. Costs one database query per customer.",
      args: {
        filter: t.arg({
          type: AccountFilter,
          validate: filterRule,
          description: 'Default: all except archived ones.',
        }),
        orderBy: t.arg({ type: AccountOrder, description: orderDescription }),
      },
      resolve: async (customer, { filter, orderBy, ...page }, ctx) =>
        toConnection(await customerAccountPage(ctx, page, customer.id, filter, orderBy)),
    },
    AccountConnection,
  ),
);

builder.objectField(Customer, 'history', (t) =>
  t.connection(
    {
      type: Change,
      description:
        'All changes of the customer, newest first. Its accounts have their own histories. Costs one database query per customer.',
      resolve: async (customer, page, ctx) => toConnection(await customerChanges(ctx, customer.id, page)),
    },
    ChangeConnection,
  ),
);

builder.objectField(Customer, 'diff', (t) =>
  t.field({
    type: [FieldChange],
    description: diffDescription('customer'),
    args: diffArgs,
    extensions: diffCost,
    resolve: (customer, args, ctx) =>
      fieldChanges(
        ctx,
        { type: 'CUSTOMER', id: customer.id, loader: customerAsOf },
        periodOf(customer, args, ctx),
      ),
  }),
);

builder.queryField('customers', (t) =>
  t.connection(
    {
      authScopes: { scope: 'customers:read' },
      type: Customer,
      description: "The tenant's customers. Archived customers are excluded unless the filter includes them.",
      args: {
        filter: t.arg({
          type: CustomerFilter,
          validate: { schema: customerFilter },
          description: 'Default: all except archived ones.',
        }),
        orderBy: t.arg({ type: CustomerOrder, description: orderDescription }),
      },
      resolve: async (_, { filter, orderBy, ...page }, ctx) =>
        toConnection(await customerPage(ctx, page, filter, orderBy)),
    },
    {
      name: 'CustomerConnection',
      description: 'A page of customers.',
      authScopes: { scope: 'customers:read' },
    },
    { name: 'CustomerEdge', description: 'A customer in a list.' },
  ),
);

function customerSuccess(name: string, description: string, customerDescription: string) {
  return builder.objectRef<{ customer: CustomerRow; replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      customer: t.expose('customer', { type: Customer, description: customerDescription }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
      dryRun: t.boolean(dryRunField),
    }),
  });
}

function toCustomerSuccess({ written, replayed }: Written<CustomerRow>) {
  return { customer: written, replayed };
}

const CreateCustomerSuccess = customerSuccess(
  'CreateCustomerSuccess',
  'The customer was created, with its first account if one was given.',
  'The new customer.',
);

const createCustomerResult = {
  types: [...commonErrors, IdTakenError, AliasTakenError],
  result: { name: 'CreateCustomerSuccess' },
  union: { name: 'CreateCustomerResult', description: 'The new customer, or the error.' },
};

const toCreated = ({ written, replayed }: Written<CreatedCustomer>) => ({
  customer: written.customer,
  replayed,
});

/** Returns the scopes that new customers need. */
function creationScopes(inputs: readonly { account?: unknown }[]) {
  const hasAccount = inputs.some(({ account }) => account);
  return {
    $all: {
      scope: 'customers:write' as const,
      $all: hasAccount ? { scope: 'accounts:write' as const } : { key: true },
    },
  };
}

builder.mutationField('createCustomer', (t) =>
  t.field({
    authScopes: (_, { input }) => creationScopes([input]),
    type: CreateCustomerSuccess,
    description:
      'Creates a customer and, if `account` is given, its first account. If any part is refused, nothing is created.',
    args: {
      input: t.arg({
        type: CreateCustomerInput,
        required: true,
        validate: { schema: rules.createCustomerInput },
        description: 'The new customer.',
      }),
    },
    errors: createCustomerResult,
    resolve: async (_, { input }, ctx) => toCreated(await createCustomer(ctx, input)),
  }),
);

builder.mutationField('createCustomers', (t) =>
  t.field({
    authScopes: (_, { inputs }) => creationScopes(inputs),
    type: [CreateCustomerSuccess],
    description: `Creates ${inputCount} customers, each with its first account if \`account\` is given, and each independently: a refused one does not affect the others. The results have the order of the inputs.`,
    args: {
      inputs: t.arg({
        type: [CreateCustomerInput],
        required: true,
        validate: validInputCount,
        description: `The new customers, ${inputCount}.`,
      }),
    },
    itemErrors: createCustomerResult,
    resolve: (_, { inputs }, ctx) =>
      writeValid(rules.createCustomerInput, inputs, (valid) => createCustomers(ctx, valid), toCreated),
  }),
);

builder.mutationField('updateCustomer', (t) =>
  t.field({
    authScopes: { scope: 'customers:write' },
    type: customerSuccess('UpdateCustomerSuccess', 'The customer was changed.', 'The customer as it is now.'),
    description: 'Changes fields of a customer. An archived one must be restored first.',
    args: {
      input: t.arg({
        type: UpdateCustomerInput,
        required: true,
        validate: { schema: rules.updateCustomerInput },
        description: 'The changes.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'UpdateCustomerResult', description: 'The changed customer, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toCustomerSuccess(await updateCustomer(ctx, input)),
  }),
);

builder.mutationField('archiveCustomer', (t) =>
  t.field({
    authScopes: { scope: 'customers:write' },
    type: customerSuccess('ArchiveCustomerSuccess', 'The customer was archived.', 'The archived customer.'),
    description:
      'Archives a customer. Lists exclude it by default, and it accepts only a restore. Refused while it has accounts that are not archived; the error lists them.',
    args: {
      input: t.arg({
        type: ArchiveCustomerInput,
        required: true,
        validate: { schema: entityInput },
        description: 'The customer.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'ArchiveCustomerResult', description: 'The archived customer, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toCustomerSuccess(await archiveCustomer(ctx, input)),
  }),
);

builder.mutationField('restoreCustomer', (t) =>
  t.field({
    authScopes: { scope: 'customers:write' },
    type: customerSuccess('RestoreCustomerSuccess', 'The customer was restored.', 'The restored customer.'),
    description: 'Restores an archived customer to `ACTIVE`. Its accounts stay archived.',
    args: {
      input: t.arg({
        type: RestoreCustomerInput,
        required: true,
        validate: { schema: entityInput },
        description: 'The customer.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'RestoreCustomerResult', description: 'The restored customer, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toCustomerSuccess(await restoreCustomer(ctx, input)),
  }),
);
