import { builder } from '../graphql/builder.ts';
import { commonErrors, replayedDescription } from '../graphql/errors.ts';
import type { Written } from '../idempotency/write.ts';
import {
  AliasTakenError,
  IdTakenError,
  InvalidInputError,
  NotAllowedInStatusError,
  NotFoundError,
  VersionConflictError,
} from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import { createAccount, createAccounts } from './create.ts';
import { Account } from './graphql.ts';
import {
  ArchiveAccountInput,
  CreateAccountInput,
  RestoreAccountInput,
  UpdateAccountInput,
} from './inputs.ts';
import type { AccountRow } from './read.ts';
import * as rules from './rules.ts';
import { archiveAccount, restoreAccount, updateAccount } from './write.ts';

/** The success of a mutation that answers with an account. */
export function accountSuccess(name: string, description: string, accountDescription: string) {
  return builder.objectRef<{ account: AccountRow; replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      account: t.expose('account', { type: Account, description: accountDescription }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
    }),
  });
}

/** What such a success is made of. */
export function toAccountSuccess({ written, replayed }: Written<AccountRow>) {
  return { account: written, replayed };
}

const CreateAccountSuccess = accountSuccess(
  'CreateAccountSuccess',
  'The account was created, with its aliases, settings and first line of history.',
  'The new account.',
);

// One union for both mutations: the errors plugin makes one for each name of a result.
const createAccountResult = {
  types: [...commonErrors, NotFoundError, IdTakenError, AliasTakenError, NotAllowedInStatusError],
  result: { name: 'CreateAccountSuccess' },
  union: { name: 'CreateAccountResult', description: 'The new account, or why it was refused.' },
};

builder.mutationField('createAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: CreateAccountSuccess,
    description:
      'Creates an account of a customer, with its aliases and settings: all of it or, when anything is refused, nothing.',
    args: {
      input: t.arg({
        type: CreateAccountInput,
        required: true,
        validate: { schema: rules.createAccountInput },
        description: 'The new account.',
      }),
    },
    errors: createAccountResult,
    resolve: async (_, { input }, ctx) => {
      const { written, replayed } = await createAccount(ctx, input);
      return { account: written.account, replayed };
    },
  }),
);

builder.mutationField('createAccounts', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: [CreateAccountSuccess],
    description: `Creates ${rules.minAccountsPerCall} to ${rules.maxAccountsPerCall} accounts, each on its own: one that is refused does not stop the others. The answers are in the order of the inputs.`,
    args: {
      inputs: t.arg({
        type: [CreateAccountInput],
        required: true,
        validate: { minLength: rules.minAccountsPerCall, maxLength: rules.maxAccountsPerCall },
        description: `The new accounts, ${rules.minAccountsPerCall} to ${rules.maxAccountsPerCall}. The customers must exist.`,
      }),
    },
    itemErrors: createAccountResult,
    resolve: async (_, { inputs }, ctx) => {
      const parsed = inputs.map((input) => rules.createAccountInput.safeParse(input));
      const valid = parsed.flatMap((one) => (one.success ? [one.data] : []));
      const results = (await createAccounts(ctx, valid)).values();
      return parsed.map((one) => {
        // The errors plugin takes errors for items, though its types do not say so.
        if (!one.success) return new InvalidInputError(issuesOf(one.error)) as never;
        const { value: result } = results.next();
        if (result === undefined) throw new Error('An input was left without an answer.');
        if (result instanceof Error) return result as never;
        return { account: result.written.account, replayed: result.replayed };
      });
    },
  }),
);

const changeErrors = [...commonErrors, NotFoundError, VersionConflictError, NotAllowedInStatusError];

builder.mutationField('updateAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('UpdateAccountSuccess', 'The account was changed.', 'The account as it is now.'),
    description: 'Changes fields of an account. An archived one must be restored first.',
    args: {
      input: t.arg({
        type: UpdateAccountInput,
        required: true,
        validate: { schema: rules.updateAccountInput },
        description: 'What to change.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'UpdateAccountResult', description: 'The changed account, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await updateAccount(ctx, input)),
  }),
);

builder.mutationField('archiveAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('ArchiveAccountSuccess', 'The account is archived.', 'The archived account.'),
    description:
      'Puts an account away: its aliases end now, lists leave it out unless asked, and it refuses every change but a restore. It stays readable by id.',
    args: {
      input: t.arg({
        type: ArchiveAccountInput,
        required: true,
        validate: { schema: rules.entityInput },
        description: 'Which account.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'ArchiveAccountResult', description: 'The archived account, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await archiveAccount(ctx, input)),
  }),
);

builder.mutationField('restoreAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('RestoreAccountSuccess', 'The account is in use again.', 'The restored account.'),
    description:
      'Brings an archived account back to ACTIVE, with the aliases that ended when it was archived: they name it again from now on. Refused while one of them names another account, or while its customer is archived.',
    args: {
      input: t.arg({
        type: RestoreAccountInput,
        required: true,
        validate: { schema: rules.entityInput },
        description: 'Which account.',
      }),
    },
    errors: {
      types: [...changeErrors, AliasTakenError],
      union: { name: 'RestoreAccountResult', description: 'The restored account, or why it was refused.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await restoreAccount(ctx, input)),
  }),
);
