import { Address } from '../address/graphql.ts';
import { addressOf } from '../address/rules.ts';
import { AliasTakenError } from '../alias/rules.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { instantOf } from '../graphql/scalars.ts';
import { Change, ChangeConnection } from '../history/graphql.ts';
import { accountChanges } from '../history/read.ts';
import { byId, entityKeyOf } from '../lib/entity-key.ts';
import { NotFoundError } from '../lib/errors.ts';
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
import { orInherited } from '../past/inherit.ts';
import { type AnyTime, accountAsOf } from '../past/read.ts';
import { IdTakenError, NotAllowedInStatusError } from '../writing/errors.ts';
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
import { type CreatedAccount, createAccount, createAccounts } from './create.ts';
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
import { archiveAccount, restoreAccount, updateAccount, updateAccounts } from './write.ts';

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

export const Account = builder.node(builder.objectRef<AnyTime<AccountRow>>('Account'), {
  description: 'An account is billed. It belongs to one customer, which never changes.',
  id: {
    extensions: anyTime,
    resolve: (account) => toTypeId('Account', account.nodeId),
    description: "The system's id: unique across types and tenants, sortable by creation time, immutable.",
  },
  authScopes: { scope: 'accounts:read' },
  fields: (t) => ({
    id: t.exposeID('id', { description: describeRule(rules.id) }),
    name: t.exposeString('name', { description: describeRule(rules.name) }),
    status: t.expose('status', { type: AccountStatus, description: "The account's status." }),
    customerId: t.exposeID('customerId', { description: "The id of the account's customer." }),
    invoiceCurrency: t.string({
      description: describeRule(
        rules.invoiceCurrency,
        "The account's own currency, or the tenant's base currency.",
      ),
      extensions: anyTime,
      resolve: (account, _, ctx) => orInherited(ctx, account, account.invoiceCurrency, 'baseCurrency'),
    }),
    netTermDays: t.int({
      description: describeRule(rules.netTermDays, "The account's own terms, or the tenant's."),
      extensions: anyTime,
      resolve: (account, _, ctx) => orInherited(ctx, account, account.netTermDays, 'netTermDays'),
    }),
    primaryEmail: t.exposeString('primaryEmail', {
      nullable: true,
      description: describeRule(rules.primaryEmail, '`null` if there is none.'),
    }),
    address: t.field({
      type: Address,
      nullable: true,
      description:
        'The address for the invoices of this account. `null` if the account has no address of its own.',
      extensions: anyTime,
      resolve: addressOf,
    }),
    billingInformation: t.field({
      type: BillingInformation,
      nullable: true,
      description: describeRule(
        rules.billingInformation,
        '`null` if the account has no billing information.',
      ),
      extensions: anyTime,
      resolve: rules.billingInformationOf,
    }),
    tags: t.exposeStringList('tags', { description: describeRule(rules.tags) }),
    metadata: t.expose('metadata', { type: 'JSONObject', description: describeRule(metadata) }),
    version: t.exposeInt('version', {
      description: "The account's version. It starts at 1, and every change adds 1.",
    }),
    createdAt: t.expose('createdAt', {
      type: 'DateTime',
      description: "The time of the account's creation.",
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: "The time of the account's last change.",
    }),
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
      'The account with this id, also if it is archived. `null` if there is none. To look up an alias, use `accountByAlias`.',
    args: {
      id: t.arg.id({ required: true, description: describeRule(rules.id) }),
      asOf: t.arg({ type: 'DateTime', description: asOfDescription('account') }),
    },
    resolve: (_, { id, asOf }, ctx): AnyTime<AccountRow> | null | Promise<AnyTime<AccountRow> | null> =>
      asOf ? ctx.load(accountAsOf, { id, asOf: instantOf('asOf', asOf) }) : ctx.load(accountByKey, byId(id)),
  }),
  accounts: t.connection(
    {
      authScopes: { scope: 'accounts:read' },
      type: Account,
      description: "The tenant's accounts. Archived accounts are excluded unless the filter includes them.",
      args: {
        filter: t.arg({
          type: AccountFilter,
          validate: filterRule,
          description: 'Default: all except archived ones.',
        }),
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
    description: 'The changed account in its current state. `null` for a change of a customer.',
    resolve: ({ accountId }, _, ctx) => (accountId === null ? null : ctx.load(accountByKey, byId(accountId))),
  }),
);

builder.objectField(Account, 'history', (t) =>
  t.connection(
    {
      type: Change,
      description: 'All changes of the account, newest first. Costs one database query per account.',
      resolve: async (account, page, ctx) => toConnection(await accountChanges(ctx, account.id, page)),
    },
    ChangeConnection,
  ),
);

builder.objectField(Account, 'diff', (t) =>
  t.field({
    type: [FieldChange],
    description: diffDescription('account', ' A value that the account inherits from the tenant is `null`.'),
    args: diffArgs,
    extensions: diffCost,
    resolve: (account, args, ctx) =>
      fieldChanges(
        ctx,
        { type: 'ACCOUNT', id: account.id, loader: accountAsOf },
        periodOf(account, args, ctx),
      ),
  }),
);

/** Defines the success type of a mutation that returns an account. */
export function accountSuccess(name: string, description: string, accountDescription: string) {
  return builder.objectRef<{ account: AccountRow; replayed: boolean }>(name).implement({
    description,
    fields: (t) => ({
      account: t.expose('account', { type: Account, description: accountDescription }),
      replayed: t.exposeBoolean('replayed', { description: replayedDescription }),
      dryRun: t.boolean(dryRunField),
    }),
  });
}

/** Returns the success of a mutation from its result. */
export function toAccountSuccess({ written, replayed }: Written<AccountRow>) {
  return { account: written, replayed };
}

const CreateAccountSuccess = accountSuccess(
  'CreateAccountSuccess',
  'The account was created with its aliases, settings and first change.',
  'The new account.',
);

// One union for both mutations: the errors plugin creates one for each result name.
const createAccountResult = {
  types: [...commonErrors, NotFoundError, IdTakenError, AliasTakenError, NotAllowedInStatusError],
  result: { name: 'CreateAccountSuccess' },
  union: { name: 'CreateAccountResult', description: 'The new account, or the error.' },
};

const toCreated = ({ written, replayed }: Written<CreatedAccount>) => ({
  account: written.account,
  replayed,
});

builder.mutationField('createAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: CreateAccountSuccess,
    description:
      'Creates an account with its aliases and settings. If any part is refused, nothing is created.',
    args: {
      input: t.arg({
        type: CreateAccountInput,
        required: true,
        validate: { schema: rules.createAccountInput },
        description: 'The new account.',
      }),
    },
    errors: createAccountResult,
    resolve: async (_, { input }, ctx) => toCreated(await createAccount(ctx, input)),
  }),
);

builder.mutationField('createAccounts', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: [CreateAccountSuccess],
    description: `Creates ${inputCount} accounts, each independently: a refused one does not affect the others. The results have the order of the inputs.`,
    args: {
      inputs: t.arg({
        type: [CreateAccountInput],
        required: true,
        validate: validInputCount,
        description: `The new accounts, ${inputCount}. The customers must exist.`,
      }),
    },
    itemErrors: createAccountResult,
    resolve: (_, { inputs }, ctx) =>
      writeValid(rules.createAccountInput, inputs, (valid) => createAccounts(ctx, valid), toCreated),
  }),
);

const UpdateAccountSuccess = accountSuccess(
  'UpdateAccountSuccess',
  'The account was changed.',
  'The account as it is now.',
);

const updateAccountResult = {
  types: changeErrors,
  result: { name: 'UpdateAccountSuccess' },
  union: { name: 'UpdateAccountResult', description: 'The changed account, or the error.' },
};

builder.mutationField('updateAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: UpdateAccountSuccess,
    description: 'Changes fields of an account. An archived one must be restored first.',
    args: {
      input: t.arg({
        type: UpdateAccountInput,
        required: true,
        validate: { schema: rules.updateAccountInput },
        description: 'The changes.',
      }),
    },
    errors: updateAccountResult,
    resolve: async (_, { input }, ctx) => toAccountSuccess(await updateAccount(ctx, input)),
  }),
);

builder.mutationField('updateAccounts', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: [UpdateAccountSuccess],
    description: `Changes fields of ${inputCount} accounts, each independently: a refused change does not affect the others. Changes of the same account are applied in the order of the inputs, so \`expectedVersion\` must be the version after the earlier ones. The results have the order of the inputs.`,
    args: {
      inputs: t.arg({
        type: [UpdateAccountInput],
        required: true,
        validate: validInputCount,
        description: `The changes, ${inputCount}.`,
      }),
    },
    itemErrors: updateAccountResult,
    resolve: (_, { inputs }, ctx) =>
      writeValid(rules.updateAccountInput, inputs, (valid) => updateAccounts(ctx, valid), toAccountSuccess),
  }),
);

builder.mutationField('archiveAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('ArchiveAccountSuccess', 'The account was archived.', 'The archived account.'),
    description:
      'Archives an account. Its aliases end immediately, lists exclude it by default, and it accepts only a restore. It can still be read by id.',
    args: {
      input: t.arg({
        type: ArchiveAccountInput,
        required: true,
        validate: { schema: entityInput },
        description: 'The account.',
      }),
    },
    errors: {
      types: changeErrors,
      union: { name: 'ArchiveAccountResult', description: 'The archived account, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await archiveAccount(ctx, input)),
  }),
);

builder.mutationField('restoreAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('RestoreAccountSuccess', 'The account was restored.', 'The restored account.'),
    description:
      'Restores an archived account to `ACTIVE`. The aliases that ended with the archiving name it again from now on. Refused while one of them names another account, or while its customer is archived.',
    args: {
      input: t.arg({
        type: RestoreAccountInput,
        required: true,
        validate: { schema: entityInput },
        description: 'The account.',
      }),
    },
    errors: {
      types: [...changeErrors, AliasTakenError],
      union: { name: 'RestoreAccountResult', description: 'The restored account, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await restoreAccount(ctx, input)),
  }),
);
