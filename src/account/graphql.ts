import { Address } from '../address/graphql.ts';
import { addressOf } from '../address/rules.ts';
import { AliasTakenError } from '../alias/rules.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { Change, ChangeConnection } from '../history/graphql.ts';
import { accountChanges } from '../history/read.ts';
import { byId, entityKeyOf } from '../lib/entity-key.ts';
import { InvalidInputError, NotFoundError } from '../lib/errors.ts';
import { metadata } from '../lib/fields.ts';
import { toTypeId } from '../lib/id.ts';
import { requireScope } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';
import { orderDescription } from '../listing/inputs.ts';
import { IdTakenError, NotAllowedInStatusError, VersionConflictError } from '../writing/errors.ts';
import { commonErrors, replayedDescription } from '../writing/graphql.ts';
import type { Written } from '../writing/idempotency.ts';
import { entityInput } from '../writing/rules.ts';
import { createAccount, createAccounts } from './create.ts';
import {
  AccountFilter,
  AccountOrder,
  AccountStatus,
  ArchiveAccountInput,
  CreateAccountInput,
  RestoreAccountInput,
  UpdateAccountInput,
} from './inputs.ts';
import { accountByKey, accountPage } from './read.ts';
import * as rules from './rules.ts';
import { accountFilter } from './rules.ts';
import type { AccountRow } from './table.ts';
import { archiveAccount, restoreAccount, updateAccount } from './write.ts';

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
    return key === undefined ? null : ctx.load(accountByKey, key);
  },
});

export const AccountConnection = builder.connectionObject(
  {
    type: Account,
    name: 'AccountConnection',
    description: 'A page of accounts.',
    authScopes: { scope: 'accounts:read' },
  },
  { name: 'AccountEdge', description: 'An account in a list.' },
);

export const filterRule = { schema: accountFilter };

builder.queryFields((t) => ({
  account: t.field({
    authScopes: { scope: 'accounts:read' },
    type: Account,
    nullable: true,
    description:
      'The account with this id, an archived one too; `null` when there is none. To look up by alias, use `accountByAlias`.',
    args: { id: t.arg.id({ required: true, description: describeRule(rules.id) }) },
    resolve: (_, { id }, ctx) => ctx.load(accountByKey, byId(id)),
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

builder.objectField(Change, 'account', (t) =>
  t.field({
    type: Account,
    nullable: true,
    description: 'The account that was changed, as it is now; `null` for a change of a customer itself.',
    resolve: ({ accountId }, _, ctx) => (accountId === null ? null : ctx.load(accountByKey, byId(accountId))),
  }),
);

builder.objectField(Account, 'history', (t) =>
  t.connection(
    {
      type: Change,
      description:
        'Every accepted write of the account, the newest first. One look into the database for each account it is selected for.',
      resolve: async (account, page, ctx) => toConnection(await accountChanges(ctx, account.id, page)),
    },
    ChangeConnection,
  ),
);

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
        validate: { schema: entityInput },
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
        validate: { schema: entityInput },
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
