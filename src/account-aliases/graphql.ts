import { Account, accountSuccess, toAccountSuccess } from '../account/graphql.ts';
import { accountByKey } from '../account/read.ts';
import type { AccountRow } from '../account/table.ts';
import { Alias } from '../alias/graphql.ts';
import { AddAliasesInput, RemoveAliasesInput, TransferAliasInput } from '../alias/inputs.ts';
import { aliasesOfAccount, aliasTimeline } from '../alias/read.ts';
import * as rules from '../alias/rules.ts';
import { AliasTakenError } from '../alias/rules.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { instantOf, readInstant } from '../graphql/scalars.ts';
import { byId } from '../lib/entity-key.ts';
import { NotFoundError } from '../lib/errors.ts';
import { anyTime } from '../past/graphql.ts';
import { type AnyTime, accountAsOf, isPast, pastAliases } from '../past/read.ts';
import { LimitExceededError, NotAllowedInStatusError } from '../writing/errors.ts';
import { commonErrors } from '../writing/graphql.ts';
import { type AliasKey, accountByAlias } from './read.ts';
import { addAliases, removeAliases, transferAlias } from './write.ts';

const effectiveOn = 'The instant to read at. Default: now.';
const aliasesOn = 'The instant to read at. Default: now; for an account of the past, the same instant.';

builder.objectField(Alias, 'account', (t) =>
  t.field({
    type: Account,
    description: 'The account it names.',
    extensions: anyTime,
    // A foreign key guarantees that the account exists.
    resolve: ({ accountId: id, asOf }, _, ctx) =>
      (asOf === undefined
        ? ctx.load(accountByKey, byId(id))
        : ctx.load(accountAsOf, { id, asOf })) as Promise<AnyTime<AccountRow>>,
  }),
);

builder.objectField(Account, 'aliases', (t) =>
  t.field({
    type: [Alias],
    description: 'The aliases in force at an instant, in the order of their creation, then by value.',
    args: {
      effectiveOn: t.arg({ type: 'DateTime', description: aliasesOn }),
    },
    extensions: anyTime,
    resolve: (account, { effectiveOn }, ctx) => {
      const on = effectiveOn ? instantOf('effectiveOn', effectiveOn) : (account.asOf ?? ctx.now);
      return isPast(account)
        ? pastAliases(account, on)
        : ctx.load(aliasesOfAccount, { accountId: account.id, on });
    },
  }),
);

builder.objectField(Account, 'aliasTimeline', (t) =>
  t.connection(
    {
      type: Alias,
      description:
        "All spans of the account's aliases: past, current and future. Ordered by start, spans without a start first, then by value. Costs one database query per account.",
      resolve: async (account, page, ctx) => toConnection(await aliasTimeline(ctx, account.id, page)),
    },
    { name: 'AliasConnection', description: 'A page of aliases.' },
    { name: 'AliasEdge', description: 'An alias in a list.' },
  ),
);

builder.queryField('accountByAlias', (t) =>
  t.field({
    authScopes: { scope: 'accounts:read' },
    type: Account,
    nullable: true,
    description:
      'The account that this name means in a usage event: the holder of the alias at the instant, or the account with this id. An id that was an alias before means its account only from the end of that alias. `null` if the name means no account.',
    args: {
      alias: t.arg.string({ required: true, description: describeRule(rules.value) }),
      effectiveOn: t.arg({ type: 'DateTime', description: effectiveOn }),
    },
    resolve: (_, { alias, effectiveOn }, ctx) =>
      ctx.load(accountByAlias, {
        value: alias,
        on: effectiveOn ? instantOf('effectiveOn', effectiveOn) : ctx.now,
      }),
  }),
);

const AccountReference = builder.objectRef<AliasKey>('AccountReference').implement({
  description:
    'An account that another subgraph refers to by alias and instant, as usage events do. That subgraph returns this type with both fields, and the supergraph resolves the account.',
  authScopes: { scope: 'accounts:read' },
  fields: (t) => ({
    alias: t.exposeString('value', { description: describeRule(rules.value) }),
    effectiveOn: t.expose('on', {
      type: 'DateTime',
      description: 'The instant at which the name is resolved.',
    }),
    account: t.field({
      type: Account,
      nullable: true,
      description: 'The account that `accountByAlias` returns, or `null`.',
      resolve: (key, _, ctx) => ctx.load(accountByAlias, key),
    }),
  }),
});

builder.asEntity(AccountReference, {
  key: builder.selection<{ alias: string; effectiveOn: string }>('alias effectiveOn'),
  resolveReference: ({ alias, effectiveOn }) =>
    typeof alias === 'string'
      ? { value: alias, on: instantOf('effectiveOn', readInstant(effectiveOn)) }
      : null,
});

const errors = [...commonErrors, NotFoundError, NotAllowedInStatusError];

builder.mutationField('addAliases', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('AddAliasesSuccess', 'The aliases were added.', 'The account with the new aliases.'),
    description: 'Adds aliases to an account. If one is refused, none is added.',
    args: {
      input: t.arg({
        type: AddAliasesInput,
        required: true,
        validate: { schema: rules.addAliasesInput },
        description: 'The aliases and the account.',
      }),
    },
    errors: {
      types: [...errors, AliasTakenError, LimitExceededError],
      union: {
        name: 'AddAliasesResult',
        description: 'The account with its aliases, or the error.',
      },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await addAliases(ctx, input)),
  }),
);

builder.mutationField('removeAliases', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('RemoveAliasesSuccess', 'The aliases ended.', 'The account without the aliases.'),
    description:
      'Ends aliases of an account now or at a given instant. If one is refused, none ends. Past spans stay in the timeline.',
    args: {
      input: t.arg({
        type: RemoveAliasesInput,
        required: true,
        validate: { schema: rules.removeAliasesInput },
        description: 'The aliases and the account.',
      }),
    },
    errors: {
      types: errors,
      union: {
        name: 'RemoveAliasesResult',
        description: 'The account without the aliases, or the error.',
      },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await removeAliases(ctx, input)),
  }),
);

builder.mutationField('transferAlias', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess('TransferAliasSuccess', 'The alias was moved.', 'The new account of the alias.'),
    description: 'Moves an alias to another account at one instant, without a gap between the two.',
    args: {
      input: t.arg({
        type: TransferAliasInput,
        required: true,
        validate: { schema: rules.transferAliasInput },
        description: 'The alias and its new account.',
      }),
    },
    errors: {
      types: [...errors, AliasTakenError, LimitExceededError],
      union: { name: 'TransferAliasResult', description: 'The new account of the alias, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await transferAlias(ctx, input)),
  }),
);
