import { Account } from '../account/graphql.ts';
import { Customer } from '../customer/graphql.ts';
import { builder } from '../graphql/builder.ts';
import { NotFoundError } from '../lib/errors.ts';
import { anyTime } from '../past/graphql.ts';
import { isPast, pastSettings } from '../past/read.ts';
import { Setting } from '../setting/graphql.ts';
import { PutSettingsInput, RemoveSettingsInput } from '../setting/inputs.ts';
import { settingsOfOwner } from '../setting/read.ts';
import * as rules from '../setting/rules.ts';
import { LimitExceededError, NotAllowedInStatusError } from '../writing/errors.ts';
import { commonErrors, dryRunField, replayedDescription } from '../writing/graphql.ts';
import type { Written } from '../writing/idempotency.ts';
import { putSettings, removeSettings, type SettingsOwner } from './write.ts';

const order = 'ordered by namespace, then id';

builder.objectField(Account, 'settings', (t) =>
  t.field({
    type: [Setting],
    description: `The account's settings, ${order}.`,
    extensions: anyTime,
    resolve: (account, _, ctx) =>
      isPast(account)
        ? pastSettings(account, 'ACCOUNT')
        : ctx.load(settingsOfOwner, { type: 'ACCOUNT', id: account.id }),
  }),
);

builder.objectField(Customer, 'settings', (t) =>
  t.field({
    type: [Setting],
    description: `The customer's settings, ${order}.`,
    extensions: anyTime,
    resolve: (customer, _, ctx) =>
      isPast(customer)
        ? pastSettings(customer, 'CUSTOMER')
        : ctx.load(settingsOfOwner, { type: 'CUSTOMER', id: customer.id }),
  }),
);

function settingsSuccess(name: string, description: string) {
  return builder.objectRef<SettingsOwner & { replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      account: t.expose('account', {
        type: Account,
        nullable: true,
        description: 'The account that owns the settings, or `null` if a customer does.',
      }),
      customer: t.expose('customer', {
        type: Customer,
        nullable: true,
        description: 'The customer that owns the settings, or `null` if an account does.',
      }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
      dryRun: t.boolean(dryRunField),
    }),
  });
}

function toSuccess({ written, replayed }: Written<SettingsOwner>) {
  return { ...written, replayed };
}

function ownerScope({ accountId }: { accountId?: unknown }) {
  return { scope: accountId ? ('accounts:write' as const) : ('customers:write' as const) };
}

const errors = [...commonErrors, NotFoundError, NotAllowedInStatusError];

builder.mutationField('putSettings', (t) =>
  t.field({
    authScopes: (_, { input }) => ownerScope(input),
    type: settingsSuccess('PutSettingsSuccess', 'The settings were written.'),
    description:
      'Adds settings to an account or customer, and replaces those with the same namespace and id. If one is refused, none is written.',
    args: {
      input: t.arg({
        type: PutSettingsInput,
        required: true,
        validate: { schema: rules.putSettingsInput },
        description: 'The settings and their owner.',
      }),
    },
    errors: {
      types: [...errors, LimitExceededError],
      union: {
        name: 'PutSettingsResult',
        description: 'The owner with its settings, or the error.',
      },
    },
    resolve: async (_, { input }, ctx) => toSuccess(await putSettings(ctx, input)),
  }),
);

builder.mutationField('removeSettings', (t) =>
  t.field({
    authScopes: (_, { input }) => ownerScope(input),
    type: settingsSuccess('RemoveSettingsSuccess', 'The settings were removed.'),
    description: 'Removes settings of an account or customer. If one does not exist, none is removed.',
    args: {
      input: t.arg({
        type: RemoveSettingsInput,
        required: true,
        validate: { schema: rules.removeSettingsInput },
        description: 'The settings and their owner.',
      }),
    },
    errors: {
      types: errors,
      union: {
        name: 'RemoveSettingsResult',
        description: 'The owner without the settings, or the error.',
      },
    },
    resolve: async (_, { input }, ctx) => toSuccess(await removeSettings(ctx, input)),
  }),
);
