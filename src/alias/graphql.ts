import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { ErrorInterface } from '../graphql/errors.ts';
import type { AnyTimeAlias } from '../past/read.ts';
import * as rules from './rules.ts';
import { type AliasClash, AliasTakenError } from './rules.ts';

export const Alias = builder.objectRef<AnyTimeAlias>('Alias').implement({
  description:
    'Another name of an account in usage events. At any instant, a value names at most one account of the tenant.',
  fields: (t) => ({
    value: t.exposeString('value', { description: describeRule(rules.value) }),
    effectiveFrom: t.expose('effectiveFrom', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant from which the value names the account. `null` if it has no start.',
    }),
    effectiveUntil: t.expose('effectiveUntil', {
      type: 'DateTime',
      nullable: true,
      description: 'The instant from which the value no longer names the account. `null` if it has no end.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: "The time of the alias's creation." }),
  }),
});

export const AliasClashRef = builder.objectRef<AliasClash>('AliasClash').implement({
  description: 'A value in use, and its holder.',
  fields: (t) => ({
    value: t.exposeString('value', { description: 'The requested value.' }),
    accountId: t.exposeID('accountId', {
      description:
        'The account that holds it, as an alias or as its id, during some or all of the requested time.',
    }),
  }),
});

builder.objectType(AliasTakenError, {
  name: 'AliasTakenError',
  description: 'Other accounts hold some of the values during some or all of the requested time.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    clashes: t.expose('clashes', { type: [AliasClashRef], description: 'Every value in use.' }),
  }),
});
