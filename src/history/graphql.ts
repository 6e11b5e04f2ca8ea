import { builder } from '../graphql/builder.ts';
import { describedEnum } from '../graphql/errors.ts';
import { toTypeId } from '../lib/id.ts';
import { presentFields } from './present.ts';
import { type ChangeKind, changeKinds } from './rules.ts';
import type { ChangeRow } from './table.ts';

export const ChangeKindEnum = describedEnum<ChangeKind>('ChangeKind', 'The kinds of changes.', changeKinds);

const fieldsDescription =
  'The names are those of the API. Includes only the fields that changed; for an archive or a change of aliases or settings, all affected ones';

export const Change = builder.objectRef<ChangeRow>('Change').implement({
  description:
    'One change of an account or customer, recorded in the same transaction. Changes are immutable and never deleted.',
  fields: (t) => ({
    id: t.id({
      description:
        "The system's id, such as `change_01m84fadmwe03rqpvwbebaam9z`. Order changes by `version`, not by id.",
      resolve: (change) => toTypeId('Change', change.id),
    }),
    kind: t.expose('kind', { type: ChangeKindEnum, description: 'The kind of change.' }),
    at: t.expose('at', { type: 'DateTime', description: 'The time of the request.' }),
    actor: t.exposeString('actor', {
      description:
        'The token of the request: a key, such as `key_01m8…`, or the subject of a JWT, such as `jwt:alice`.',
    }),
    requestId: t.exposeString('requestId', {
      description: 'The `x-request-id` of the request, as in the log.',
    }),
    version: t.exposeInt('version', {
      description: 'The version of the account or customer after the change.',
    }),
    before: t.field({
      type: 'JSONObject',
      nullable: true,
      description: `The fields before the change. ${fieldsDescription}. \`null\` for a creation.`,
      resolve: (change) => presentFields(change.before),
    }),
    after: t.field({
      type: 'JSONObject',
      nullable: true,
      description: `The fields after the change. ${fieldsDescription}. \`null\` if none were recorded.`,
      resolve: (change) => presentFields(change.after),
    }),
  }),
});

export const ChangeConnection = builder.connectionObject(
  { type: Change, name: 'ChangeConnection', description: 'A page of a history.' },
  { name: 'ChangeEdge', description: 'A change in a history.' },
);
