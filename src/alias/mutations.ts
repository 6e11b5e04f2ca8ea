import { accountSuccess, toAccountSuccess } from '../account/mutations.ts';
import { builder } from '../graphql/builder.ts';
import { commonErrors } from '../graphql/errors.ts';
import {
  AliasTakenError,
  LimitExceededError,
  NotAllowedInStatusError,
  NotFoundError,
} from '../lib/errors.ts';
import { AddAliasesInput, RemoveAliasesInput, TransferAliasInput } from './inputs.ts';
import * as rules from './rules.ts';
import { addAliases, removeAliases, transferAlias } from './write.ts';

const errors = [...commonErrors, NotFoundError, NotAllowedInStatusError];

builder.mutationField('addAliases', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('AddAliasesSuccess', 'The aliases were added.', 'The account they name.'),
    description: 'Gives an account further aliases: all of them or, when one is refused, none.',
    args: {
      input: t.arg({
        type: AddAliasesInput,
        required: true,
        validate: { schema: rules.addAliasesInput },
        description: 'Which aliases, and of which account.',
      }),
    },
    errors: {
      types: [...errors, AliasTakenError, LimitExceededError],
      union: {
        name: 'AddAliasesResult',
        description: 'The account with its aliases, or why they were refused.',
      },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await addAliases(ctx, input)),
  }),
);

builder.mutationField('removeAliases', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('RemoveAliasesSuccess', 'The aliases end.', 'The account that they named.'),
    description:
      'Ends aliases of an account, now or at a given instant: all of them or, when one is refused, none. What was in force stays in the timeline.',
    args: {
      input: t.arg({
        type: RemoveAliasesInput,
        required: true,
        validate: { schema: rules.removeAliasesInput },
        description: 'Which aliases, and of which account.',
      }),
    },
    errors: {
      types: errors,
      union: {
        name: 'RemoveAliasesResult',
        description: 'The account without the aliases, or why that was refused.',
      },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await removeAliases(ctx, input)),
  }),
);

builder.mutationField('transferAlias', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess(
      'TransferAliasSuccess',
      'The alias has a new account.',
      'The account that has it now.',
    ),
    description:
      'Moves an alias from the account that has it to another, at one instant: no event falls between the two.',
    args: {
      input: t.arg({
        type: TransferAliasInput,
        required: true,
        validate: { schema: rules.transferAliasInput },
        description: 'Which alias, and to which account.',
      }),
    },
    errors: {
      types: [...errors, AliasTakenError, LimitExceededError],
      union: { name: 'TransferAliasResult', description: 'The new holder, or why the transfer was refused.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await transferAlias(ctx, input)),
  }),
);
