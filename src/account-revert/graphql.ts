import { accountSuccess, toAccountSuccess } from '../account/graphql.ts';
import { AliasClashRef } from '../alias/graphql.ts';
import { builder } from '../graphql/builder.ts';
import { describeRule } from '../graphql/describe.ts';
import { ErrorInterface, Issue } from '../graphql/errors.ts';
import { expectedVersion } from '../lib/fields.ts';
import { LimitExceededError } from '../writing/errors.ts';
import { changeErrors, writeOptionFields } from '../writing/graphql.ts';
import * as rules from './rules.ts';
import { RevertRefusedError } from './rules.ts';
import { revertAccount } from './write.ts';

builder.objectType(RevertRefusedError, {
  name: 'RevertRefusedError',
  description: 'Values or aliases of the earlier version cannot be written now. Lists all of them.',
  interfaces: [ErrorInterface],
  fields: (t) => ({
    issues: t.expose('issues', {
      type: [Issue],
      description:
        'Every value that the current rules refuse. The paths begin at the account: `["address", "country"]`, `["aliases", <value>]`, `["settings", <namespace>, <id>, "value"]`.',
    }),
    clashes: t.expose('clashes', {
      type: [AliasClashRef],
      description: 'Every alias that another account holds from now on.',
    }),
  }),
});

const RevertAccountInput = builder.inputType('RevertAccountInput', {
  description: 'The account and the version to write again, optionally at an expected version.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The id of the account.' }),
    toVersion: t.int({ required: true, description: describeRule(rules.toVersion) }),
    expectedVersion: t.int({ description: describeRule(expectedVersion) }),
    ...writeOptionFields(t),
  }),
});

builder.mutationField('revertAccount', (t) =>
  t.field({
    authScopes: { scope: 'accounts:write' },
    type: accountSuccess(
      'RevertAccountSuccess',
      'The account has the values of the version.',
      'The account as it is now.',
    ),
    description:
      'Writes the values of an earlier version of an account as a new version: its fields, tags, metadata, settings and aliases. Its aliases name it again from now on, and aliases that it did not have then end. The status does not change. If a part cannot be written now, nothing is. Equal values change nothing.',
    args: {
      input: t.arg({
        type: RevertAccountInput,
        required: true,
        validate: { schema: rules.revertAccountInput },
        description: 'The account and the version.',
      }),
    },
    errors: {
      types: [...changeErrors, LimitExceededError, RevertRefusedError],
      union: { name: 'RevertAccountResult', description: 'The account as it is now, or the error.' },
    },
    resolve: async (_, { input }, ctx) => toAccountSuccess(await revertAccount(ctx, input)),
  }),
);
