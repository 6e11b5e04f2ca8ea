import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { writeOptionFields } from '../writing/graphql.ts';
import * as rules from './rules.ts';

const dated = rules.datedAlias.shape;

export const DatedAliasInput = builder.inputType('DatedAliasInput', {
  description: 'An alias for a span of time.',
  fields: (t) => ({
    value: t.string({ required: true, description: describeRule(rules.value) }),
    effectiveFrom: t.field({ type: 'DateTime', description: describeRule(dated.effectiveFrom) }),
    effectiveUntil: t.field({ type: 'DateTime', description: describeRule(dated.effectiveUntil) }),
  }),
});

/** Sentences that several inputs say of their alias lists. */
export const aliasListDescriptions = {
  aliases: `Values that name the account without an end. Each starts when the value last ended as an alias of any account; a new value has no start. At most ${rules.maxAliasesPerCall} together with \`datedAliases\`, each ${describeLimits()}.`,
  datedAliases: `Values that name the account for a span of time. At most ${rules.maxAliasesPerCall} together with \`aliases\`.`,
};

function describeLimits(): string {
  return describeRule(rules.value)
    .replace(/^.*\. (?=\d)/, '')
    .replace(/\.$/, '');
}

export const AddAliasesInput = builder.inputType('AddAliasesInput', {
  description: `Aliases to add to an account, 1 to ${rules.maxAliasesPerCall} in total. An account has at most ${rules.maxAliasesInForce} in force at any instant. Removed aliases without a start do not count.`,
  fields: (t) => ({
    accountId: t.id({ required: true, description: 'The id of the account that has or gets the aliases.' }),
    aliases: t.stringList({ description: aliasListDescriptions.aliases }),
    datedAliases: t.field({ type: [DatedAliasInput], description: aliasListDescriptions.datedAliases }),
    ...writeOptionFields(t),
  }),
});

export const RemoveAliasesInput = builder.inputType('RemoveAliasesInput', {
  description: 'Aliases of an account to end. Past spans stay in the timeline.',
  fields: (t) => ({
    accountId: t.id({ required: true, description: 'The id of the account that has or gets the aliases.' }),
    aliases: t.stringList({
      required: true,
      description: `The values to end, 1 to ${rules.maxAliasesPerCall}.`,
    }),
    effectiveUntil: t.field({
      type: 'DateTime',
      description:
        'The instant from which they no longer name the account. Default: now. It can be in the past. Spans that start later are removed.',
    }),
    ...writeOptionFields(t),
  }),
});

export const TransferAliasInput = builder.inputType('TransferAliasInput', {
  description: 'An alias to move to another account.',
  fields: (t) => ({
    alias: t.string({ required: true, description: describeRule(rules.value) }),
    toAccountId: t.id({ required: true, description: 'The id of the new account.' }),
    effectiveFrom: t.field({
      type: 'DateTime',
      description:
        'The instant of the move. Default: now. It can be in the past, but not before the start of the alias.',
    }),
    ...writeOptionFields(t),
  }),
});
