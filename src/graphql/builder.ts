import SchemaBuilder from '@pothos/core';
import DirectivesPlugin from '@pothos/plugin-directives';
import ErrorsPlugin from '@pothos/plugin-errors';
import FederationPlugin from '@pothos/plugin-federation';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import ZodPlugin from '@pothos/plugin-zod';
import type { Ctx } from '../ctx.ts';
import { InvalidInputError, type Issue } from '../lib/errors.ts';
import { defaultPageSize, maxTotalCount, pageSize, type Total } from '../lib/page.ts';
import { jsonSchemaOf } from '../lib/rule.ts';
import { requireScope, type Scope } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';

const { minimum, maximum } = jsonSchemaOf(pageSize);
const sizes = `${minimum} to ${maximum}, default ${defaultPageSize}`;

/** Removes the argument's name from the path of an issue. */
function withoutInput(issue: Issue): Issue {
  return issue.path[0] === 'input' ? { ...issue, path: issue.path.slice(1) } : issue;
}

/** The schema builder. Every caller has a token; each root field, entity and list declares the scope it needs. */
export const builder = new SchemaBuilder<{
  Context: Ctx;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  /** The total count of a connection, computed on request. */
  Connection: { total(): Promise<Total> };
  /** `key`: any token. `scope`: a token with this scope. */
  AuthScopes: { key: boolean; scope: Scope };
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: unknown };
    JSONObject: { Input: Record<string, string>; Output: Record<string, unknown> };
    Position: { Input: string; Output: string };
  };
}>({
  // Before zod, so that validation failures become members of the mutation's union.
  plugins: [ErrorsPlugin, ScopeAuthPlugin, ZodPlugin, RelayPlugin, DirectivesPlugin, FederationPlugin],
  defaultFieldNullability: false,
  errors: { directResult: true, defaultTypes: [] },
  scopeAuth: {
    authScopes: (ctx) => ({
      key: ctx.viewer !== undefined,
      scope: (scope) => requireScope(ctx.viewer, scope),
    }),
    // Once per object instead of once per field.
    runScopesOnType: true,
    // When the subscription starts, not at its first event.
    authorizeOnSubscribe: true,
  },
  zod: { validationError: (error) => new InvalidInputError(issuesOf(error).map(withoutInput)) },
  relay: {
    idFieldName: 'nodeId',
    idFieldOptions: {
      description:
        'The id made by the system: unique across types and tenants, sortable by creation, immutable. Relay and caches use it.',
    },
    cursorType: 'String',
    edgesFieldOptions: {
      nullable: false,
      description: 'The entries of this page, each with its cursor.',
    },
    nodeFieldOptions: { nullable: false, description: 'The entry itself.' },
    firstArgOptions: {
      description: `The number of entries from the start, or after \`after\`: ${sizes}. Cannot be combined with \`last\`.`,
    },
    afterArgOptions: { description: 'The cursor that the page begins after.' },
    lastArgOptions: {
      description: `The number of entries from the end, or before \`before\`: ${sizes}. Cannot be combined with \`first\`.`,
    },
    beforeArgOptions: { description: 'The cursor that the page ends before.' },
    // Node ids contain their type.
    encodeGlobalID: (_typename, id) => String(id),
    decodeGlobalID: (id) => ({ typename: '', id }),
    nodeQueryOptions: false,
    nodesQueryOptions: false,
    nodeTypeOptions: { description: 'An object with a node id, by which it can be refetched.' },
    nodesOnConnection: { description: 'The entries of this page, without their cursors.' },
    pageInfoFieldOptions: { description: 'The position of this page in the list.' },
    cursorFieldOptions: { description: 'The cursor of this entry, for `after` or `before`.' },
    pageInfoTypeOptions: {
      description: 'The position of a page in its list.',
      directives: [{ name: 'shareable' }],
    },
    hasNextPageFieldOptions: { description: 'Whether the list has entries after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether the list has entries before this page.' },
    startCursorFieldOptions: { description: 'The cursor of the first entry; `null` on an empty page.' },
    endCursorFieldOptions: { description: 'The cursor of the last entry; `null` on an empty page.' },
  },
});

builder.queryType({
  description: 'Read access. Everything belongs to the tenant of the token; other tenants are invisible.',
});
builder.mutationType({
  description:
    'Write access. Each mutation returns a union: its success, or an error that says what to correct. A refused mutation writes nothing.',
});

builder.subscriptionType({
  description:
    'Live changes, sent as server-sent events (accept `text/event-stream`) or over a WebSocket (protocol `graphql-transport-ws`).',
});

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: `The number of entries in the whole list, at most ${maxTotalCount}. Counted only if selected.`,
    extensions: { cost: 150 },
    resolve: async (connection) => (await connection.total()).count,
  }),
);
builder.globalConnectionField('totalCountIsExact', (t) =>
  t.boolean({
    description: `Whether \`totalCount\` is the number of all entries. \`false\` if there are more than ${maxTotalCount}.`,
    extensions: { cost: 150 },
    resolve: async (connection) => (await connection.total()).isExact,
  }),
);
