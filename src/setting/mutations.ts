import { Account } from '../account/graphql.ts';
import { Customer } from '../customer/graphql.ts';
import { builder } from '../graphql/builder.ts';
import { commonErrors, replayedDescription } from '../graphql/errors.ts';
import type { Written } from '../idempotency/write.ts';
import { LimitExceededError, NotAllowedInStatusError, NotFoundError } from '../lib/errors.ts';
import { PutSettingsInput, RemoveSettingsInput } from './inputs.ts';
import * as rules from './rules.ts';
import { putSettings, removeSettings, type SettingsOwner } from './write.ts';

function settingsSuccess(name: string, description: string) {
  return builder.objectRef<SettingsOwner & { replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      account: t.expose('account', {
        type: Account,
        nullable: true,
        description: 'The account that owns the settings; `null` when a customer does.',
      }),
      customer: t.expose('customer', {
        type: Customer,
        nullable: true,
        description: 'The customer that owns the settings; `null` when an account does.',
      }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
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
    type: settingsSuccess('PutSettingsSuccess', 'The settings are as you sent them.'),
    description:
      'Adds settings to an account or customer, and changes those it has with the same namespace and id: all of them or, when one is refused, none.',
    args: {
      input: t.arg({
        type: PutSettingsInput,
        required: true,
        validate: { schema: rules.putSettingsInput },
        description: 'Which settings, and of whom.',
      }),
    },
    errors: {
      types: [...errors, LimitExceededError],
      union: {
        name: 'PutSettingsResult',
        description: 'The owner with its settings, or why they were refused.',
      },
    },
    resolve: async (_, { input }, ctx) => toSuccess(await putSettings(ctx, input)),
  }),
);

builder.mutationField('removeSettings', (t) =>
  t.field({
    authScopes: (_, { input }) => ownerScope(input),
    type: settingsSuccess('RemoveSettingsSuccess', 'The settings are gone.'),
    description: 'Removes settings of an account or customer: all of them or, when one is not there, none.',
    args: {
      input: t.arg({
        type: RemoveSettingsInput,
        required: true,
        validate: { schema: rules.removeSettingsInput },
        description: 'Which settings, and of whom.',
      }),
    },
    errors: {
      types: errors,
      union: {
        name: 'RemoveSettingsResult',
        description: 'The owner without the settings, or why that was refused.',
      },
    },
    resolve: async (_, { input }, ctx) => toSuccess(await removeSettings(ctx, input)),
  }),
);
