import { builder } from '../graphql/builder.ts';
import { describedEnum } from '../graphql/errors.ts';
import { toTypeId } from '../lib/id.ts';
import { presentFields } from './present.ts';
import { type ChangeKind, changeKinds, maxFollowersPerKey, maxWaitingChanges } from './rules.ts';
import type { ChangeRow } from './table.ts';

const ChangeKindEnum = describedEnum<ChangeKind>('ChangeKind', 'What kind of change was made.', changeKinds);

const fieldsDescription =
  'Named as in the API, only those that the change is about. Of an archive or a change of aliases or settings, all that were concerned';

export const Change = builder.objectRef<ChangeRow>('Change').implement({
  description:
    'One accepted write of one account or customer, as it was recorded with the write itself. Never changed, never removed.',
  fields: (t) => ({
    id: t.id({
      description:
        'Made by the system: unique, such as `change_01m84fadmwe03rqpvwbebaam9z`. What came first is told by `version`.',
      resolve: (change) => toTypeId('Change', change.id),
    }),
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'What was done.' }),
    at: t.expose('at', { type: 'DateTime', description: 'When it was done: the time of the request.' }),
    actor: t.exposeString('actor', {
      description:
        'Whose token the request carried: a key, such as `key_01m8…`, or the subject of a JWT, such as `jwt:alice`.',
    }),
    requestId: t.exposeString('requestId', {
      description: 'The `x-request-id` of the request, by which it is found in the log.',
    }),
    version: t.exposeInt('version', {
      description: 'The version of the account or customer after the change.',
    }),
    before: t.field({
      type: 'JSONObject',
      nullable: true,
      description: `The fields as they were. ${fieldsDescription}; \`null\` for a creation.`,
      resolve: (change) => presentFields(change.before),
    }),
    after: t.field({
      type: 'JSONObject',
      nullable: true,
      description: `The fields as the change left them. ${fieldsDescription}; \`null\` when nothing is recorded of them.`,
      resolve: (change) => presentFields(change.after),
    }),
  }),
});

export const ChangeConnection = builder.connectionObject(
  { type: Change, name: 'ChangeConnection', description: 'A page of a history.' },
  { name: 'ChangeEdge', description: 'A change in a history.' },
);

builder.subscriptionField('accountChanged', (t) =>
  t.field({
    authScopes: { scope: 'accounts:read' },
    type: Change,
    description: `Every accepted write of an account from now on, within a second of it: its aliases and settings are part of it. Those of one account come in the order of their versions. Changes of customers themselves are not among them. What was written while you were away stands in the \`history\`. Ends with \`SERVICE_UNAVAILABLE\` when more than ${maxWaitingChanges} changes wait for you, with \`UNAUTHENTICATED\` when your token is no longer good, and without an error when the service stops. A key may have ${maxFollowersPerKey} at the same time; one more is \`RATE_LIMITED\`.`,
    args: {
      accountId: t.arg.id({
        description:
          'Only changes of the account with this id, which may still be to come. With `customerId`, both must fit.',
      }),
      customerId: t.arg.id({ description: 'Only changes of accounts of the customer with this id.' }),
    },
    subscribe: (_, filter, ctx) => ctx.followChanges(filter),
    resolve: (change) => change,
  }),
);
