import { entityInput } from '../account/rules.ts';
import { builder } from '../graphql/builder.ts';
import { commonErrors, replayedDescription } from '../graphql/errors.ts';
import type { Written } from '../idempotency/write.ts';
import {
  AliasTakenError,
  IdTakenError,
  NotAllowedInStatusError,
  NotFoundError,
  VersionConflictError,
} from '../lib/errors.ts';
import { createCustomer } from './create.ts';
import { Customer } from './graphql.ts';
import {
  ArchiveCustomerInput,
  CreateCustomerInput,
  RestoreCustomerInput,
  UpdateCustomerInput,
} from './inputs.ts';
import type { CustomerRow } from './read.ts';
import * as rules from './rules.ts';
import { archiveCustomer, restoreCustomer, updateCustomer } from './write.ts';

function customerSuccess(name: string, description: string, customerDescription: string) {
  return builder.objectRef<{ customer: CustomerRow; replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      customer: t.expose('customer', { type: Customer, description: customerDescription }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
    }),
  });
}

function toCustomerSuccess({ written, replayed }: Written<CustomerRow>) {
  return { customer: written, replayed };
}

builder.mutationField('createCustomer', (t) =>
  t.field({
    authScopes: (_, { input }) => ({
      $all: { scope: 'customers:write', $all: input.account ? { scope: 'accounts:write' } : { key: true } },
    }),
    type: customerSuccess(
      'CreateCustomerSuccess',
      'The customer was created, and its first account with it when one was given.',
      'The new customer.',
    ),
    description:
      'Creates a customer and, when `account` is given, its first account: all of it or, when anything is refused, nothing.',
    args: {
      input: t.arg({
        type: CreateCustomerInput,
        required: true,
        validate: { schema: rules.createCustomerInput },
        description: 'The new customer.',
      }),
    },
    errors: {
      types: [...commonErrors, IdTakenError, AliasTakenError],
      union: { name: 'CreateCustomerResult', description: 'The new customer, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => {
      const { written, replayed } = await createCustomer(ctx, input);
      return { customer: written.customer, replayed };
    },
  }),
);

const changeErrors = [...commonErrors, NotFoundError, VersionConflictError, NotAllowedInStatusError];

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
        description: 'What to change.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'UpdateCustomerResult', description: 'The changed customer, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => toCustomerSuccess(await updateCustomer(ctx, input)),
  }),
);

builder.mutationField('archiveCustomer', (t) =>
  t.field({
    authScopes: { scope: 'customers:write' },
    type: customerSuccess('ArchiveCustomerSuccess', 'The customer is archived.', 'The archived customer.'),
    description:
      'Puts a customer away: lists leave it out unless asked, and it refuses every change but a restore. Refused while it has accounts that are not archived; the refusal names them.',
    args: {
      input: t.arg({
        type: ArchiveCustomerInput,
        required: true,
        validate: { schema: entityInput },
        description: 'Which customer.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'ArchiveCustomerResult', description: 'The archived customer, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => toCustomerSuccess(await archiveCustomer(ctx, input)),
  }),
);

builder.mutationField('restoreCustomer', (t) =>
  t.field({
    authScopes: { scope: 'customers:write' },
    type: customerSuccess(
      'RestoreCustomerSuccess',
      'The customer is in use again.',
      'The restored customer.',
    ),
    description:
      'Brings an archived customer back to ACTIVE. Its accounts stay archived until they are restored themselves.',
    args: {
      input: t.arg({
        type: RestoreCustomerInput,
        required: true,
        validate: { schema: entityInput },
        description: 'Which customer.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'RestoreCustomerResult', description: 'The restored customer, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => toCustomerSuccess(await restoreCustomer(ctx, input)),
  }),
);
