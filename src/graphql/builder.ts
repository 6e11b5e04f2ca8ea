import SchemaBuilder from '@pothos/core';
import DirectivesPlugin from '@pothos/plugin-directives';
import ErrorsPlugin from '@pothos/plugin-errors';
import FederationPlugin from '@pothos/plugin-federation';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ZodPlugin from '@pothos/plugin-zod';
import type { Ctx } from '../ctx.ts';
import { InvalidInputError, type Issue } from '../lib/errors.ts';
import { defaultPageSize, pageSize } from '../lib/page.ts';
import { jsonSchemaOf } from '../lib/rule.ts';
import { requireScope, type Scope } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';

const { minimum, maximum } = jsonSchemaOf(pageSize);
const sizes = `${minimum} to ${maximum}, ${defaultPageSize} when neither is given`;

/** Paths begin in the input, not at the argument that brings it. */
function withoutInput(issue: Issue): Issue {
  return issue.path[0] === 'input' ? { ...issue, path: issue.path.slice(1) } : issue;
}

/** Only callers with a token come here; each root field, entity and list says which scope it needs. */
export const builder = new SchemaBuilder<{
  Context: Ctx;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  /** What a connection carries beside its page. */
  Connection: { count(): Promise<number> };
  /** `key`: any token. `scope`: one with this scope. */
  AuthScopes: { key: boolean; scope: Scope };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSONObject: { Input: Record<string, string>; Output: Record<string, unknown> };
  };
}>({
  // Errors stand before zod, or what zod refuses would leave the mutation's union.
  plugins: [ErrorsPlugin, ScopeAuthPlugin, ZodPlugin, RelayPlugin, DirectivesPlugin, FederationPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true, defaultTypes: [] },
  scopeAuth: {
    authScopes: (ctx) => ({
      key: ctx.viewer !== undefined,
      scope: (scope) => requireScope(ctx.viewer, scope),
    }),
    // Once for each object, not for each of its fields.
    runScopesOnType: true,
    // Before anything is followed, not when something has happened.
    authorizeOnSubscribe: true,
  },
  zod: { validationError: (error) => new InvalidInputError(issuesOf(error).map(withoutInput)) },
  relay: {
    idFieldName: 'nodeId',
    idFieldOptions: {
      description:
        'Made by the system: unique across all types and tenants, sortable by creation, never changed. Relay stores this one.',
    },
    cursorType: 'String',
    edgesFieldOptions: {
      nullable: false,
      description: 'The entries of this page, each with its cursor.',
    },
    nodeFieldOptions: { nullable: false, description: 'The entry itself.' },
    firstArgOptions: {
      description: `How many entries from the start, or after \`after\`: ${sizes}. Not beside \`last\`.`,
    },
    afterArgOptions: { description: 'The cursor after which the page begins.' },
    lastArgOptions: {
      description: `How many entries from the end, or before \`before\`: ${sizes}. Not beside \`first\`.`,
    },
    beforeArgOptions: { description: 'The cursor before which the page ends.' },
    // Our node ids name their type themselves.
    encodeGlobalID: (_typename, id) => String(id),
    decodeGlobalID: (id) => ({ typename: '', id }),
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'Anything that has a node id, to be fetched again by it.' },
    nodesOnConnection: { description: 'The entries of this page, without their cursors.' },
    pageInfoFieldOptions: { description: 'Where this page stands in the list.' },
    cursorFieldOptions: { description: 'Names the place of this entry: pass it as `after` or `before`.' },
    pageInfoTypeOptions: {
      description: 'Where a page stands in its list.',
      directives: [{ name: 'shareable' }],
    },
    hasNextPageFieldOptions: { description: 'Whether the list goes on after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether the list has entries before this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first entry; `null` on an empty page.' },
    endCursorFieldOptions: { description: 'The cursor of the last entry; `null` on an empty page.' },
  },
});

builder.queryType({
  description:
    'What can be read. Everything belongs to the tenant of your token; nothing of another tenant exists here.',
});
builder.mutationType({
  description:
    'What can be changed. Each mutation answers with a union: its success, or an error that says what to mend. Nothing is half-written.',
});

builder.subscriptionType({
  description: 'What can be followed as it happens. Sent as server-sent events: accept `text/event-stream`.',
});

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description:
      'How many entries the whole list has. Counted only when you select it, at the cost of a look at all of them.',
    extensions: { cost: 300 },
    resolve: (connection) => connection.count(),
  }),
);
