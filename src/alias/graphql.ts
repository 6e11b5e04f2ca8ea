import { DateTimeResolver } from 'graphql-scalars';
import { Account } from '../account/graphql.ts';
import { builder } from '../graphql/builder.ts';
import { toConnection } from '../graphql/connection.ts';
import { describeRule } from '../graphql/describe.ts';
import { byId } from '../lib/entity-key.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import type { AliasKey, AliasRow } from './read.ts';
import * as rules from './rules.ts';
import { aliasTimeline } from './timeline.ts';

const Alias = builder.objectRef<AliasRow>('Alias').implement({
  description:
    'Another name under which usage events may name an account. At any instant a value names at most one account of the tenant.',
  fields: (t) => ({
    value: t.exposeString('value', { description: describeRule(rules.value) }),
    effectiveFrom: t.expose('effectiveFrom', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant from which the value names the account; `null` when it has no beginning.',
    }),
    effectiveUntil: t.expose('effectiveUntil', {
      type: 'DateTime',
      nullable: true,
      description:
        'The instant from which the value no longer names the account; `null` while it has no end.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When the alias was recorded.' }),
    account: t.field({
      type: Account,
      description: 'The account it names.',
      resolve: async (alias, _, ctx) => {
        const account = await ctx.loaders.account.load(byId(alias.accountId));
        if (account === null) throw new Error('An alias without an account.');
        return account;
      },
    }),
  }),
});

const effectiveOn = 'The instant to look at; now when it is left out.';

builder.objectField(Account, 'aliases', (t) =>
  t.field({
    type: [Alias],
    description:
      'The aliases in force at an instant, in the order in which they were recorded, then by value.',
    args: {
      effectiveOn: t.arg({ type: 'DateTime', validate: { schema: rules.instant }, description: effectiveOn }),
    },
    resolve: (account, { effectiveOn }, ctx) =>
      ctx.loaders.aliases.load({ accountId: account.id, on: effectiveOn ?? ctx.now }),
  }),
);

builder.objectField(Account, 'aliasTimeline', (t) =>
  t.connection(
    {
      type: Alias,
      description:
        'Every span of time in which an alias has named, names or will name the account: those without a beginning first, then by beginning, then by value. One look into the database for each account it is selected for.',
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
      "The account that a usage event means by this name: an alias in force at the instant, or an account's own id. An id that was an alias before means its account only from the end of that alias. `null` if the name means no account.",
    args: {
      alias: t.arg.string({ required: true, description: describeRule(rules.value) }),
      effectiveOn: t.arg({ type: 'DateTime', validate: { schema: rules.instant }, description: effectiveOn }),
    },
    resolve: (_, { alias, effectiveOn }, ctx) =>
      ctx.loaders.accountByAlias.load({ value: alias, on: effectiveOn ?? ctx.now }),
  }),
);

const AccountReference = builder.objectRef<AliasKey>('AccountReference').implement({
  description:
    'An account as another subgraph knows it: by what a usage event called it, and when. Such a subgraph has fields of this type that give the two, and the supergraph finds the account.',
  authScopes: { scope: 'accounts:read' },
  fields: (t) => ({
    alias: t.exposeString('value', { description: describeRule(rules.value) }),
    effectiveOn: t.expose('on', { type: 'DateTime', description: 'The instant at which the name is meant.' }),
    account: t.field({
      type: Account,
      nullable: true,
      description: 'As `accountByAlias` answers: the account meant, or `null` when the name means nobody.',
      resolve: (key, _, ctx) => ctx.loaders.accountByAlias.load(key),
    }),
  }),
});

function instantOf(given: unknown): Date {
  const parsed = rules.instant.safeParse(DateTimeResolver.parseValue(given));
  if (parsed.success) return parsed.data;
  throw new InvalidInputError(issuesOf(parsed.error).map((issue) => ({ ...issue, path: ['effectiveOn'] })));
}

builder.asEntity(AccountReference, {
  key: builder.selection<{ alias: string; effectiveOn: string }>('alias effectiveOn'),
  resolveReference: ({ alias, effectiveOn }) =>
    typeof alias === 'string' ? { value: alias, on: instantOf(effectiveOn) } : null,
});
