import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { idempotencyKey } from '../writing/rules.ts';
import * as rules from './rules.ts';

const dated = rules.datedAlias.shape;

export const DatedAliasInput = builder.inputType('DatedAliasInput', {
  description: 'An alias that holds for a span of time.',
  fields: (t) => ({
    value: t.string({ required: true, description: describeRule(rules.value) }),
    effectiveFrom: t.field({ type: 'DateTime', description: describeRule(dated.effectiveFrom) }),
    effectiveUntil: t.field({ type: 'DateTime', description: describeRule(dated.effectiveUntil) }),
  }),
});

/** Sentences that several inputs say of their alias lists. */
export const aliasListDescriptions = {
  aliases: `Values that name the account without an end. Each begins when the value last ended as an alias of any account, or has no beginning if it is new. At most ${rules.maxAliasesPerCall} together with \`datedAliases\`, each ${describeLimits()}.`,
  datedAliases: `Values that name the account for a span of time. At most ${rules.maxAliasesPerCall} together with \`aliases\`.`,
};

function describeLimits(): string {
  return describeRule(rules.value)
    .replace(/^.*\. (?=\d)/, '')
    .replace(/\.$/, '');
}

export const AddAliasesInput = builder.inputType('AddAliasesInput', {
  description: `Further aliases of an account, 1 to ${rules.maxAliasesPerCall} in all. At any instant an account has at most ${rules.maxAliasesInForce} in force. Removed aliases that had no beginning do not count.`,
  fields: (t) => ({
    accountId: t.id({ required: true, description: 'The id of the account whose aliases these are.' }),
    aliases: t.stringList({ description: aliasListDescriptions.aliases }),
    datedAliases: t.field({ type: [DatedAliasInput], description: aliasListDescriptions.datedAliases }),
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
  }),
});

export const RemoveAliasesInput = builder.inputType('RemoveAliasesInput', {
  description: 'Aliases of an account to end. What was in force stays in the timeline.',
  fields: (t) => ({
    accountId: t.id({ required: true, description: 'The id of the account whose aliases these are.' }),
    aliases: t.stringList({
      required: true,
      description: `The values to end, 1 to ${rules.maxAliasesPerCall}.`,
    }),
    effectiveUntil: t.field({
      type: 'DateTime',
      description:
        'The instant from which they no longer name the account; now when it is left out; it may lie in the past. One that has not begun by then disappears.',
    }),
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
  }),
});

export const TransferAliasInput = builder.inputType('TransferAliasInput', {
  description: 'An alias that goes from the account that has it to another.',
  fields: (t) => ({
    alias: t.string({ required: true, description: describeRule(rules.value) }),
    toAccountId: t.id({ required: true, description: 'The id of the account that gets it.' }),
    effectiveFrom: t.field({
      type: 'DateTime',
      description:
        'The instant at which it ends on the one account and begins on the other; now when it is left out. It may lie in the past, but not before the alias began.',
    }),
    idempotencyKey: t.string({ description: describeRule(idempotencyKey) }),
  }),
});
