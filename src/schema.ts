import './account/graphql.ts';
import './account-aliases/graphql.ts';
import './account-revert/graphql.ts';
import './customer/graphql.ts';
import './feed/graphql.ts';
import './history/graphql.ts';
import './node/graphql.ts';
import './owner-settings/graphql.ts';
import './tenant/graphql.ts';
import './webhook/mutations.ts';
import './graphql/scalars.ts';
import { printSubgraphSchema } from '@apollo/subgraph';
import {
  type ConstDirectiveNode,
  type GraphQLObjectType,
  type GraphQLScalarType,
  type GraphQLSchema,
  isObjectType,
  isUnionType,
  Kind,
  parse,
  print,
  visit,
} from 'graphql';
import { builder } from './graphql/builder.ts';
import { asSubgraph } from './graphql/subgraph.ts';
import { guardPast } from './past/graphql.ts';

const byName = (a: { name: { value: string } }, b: { name: { value: string } }) =>
  a.name.value < b.name.value ? -1 : 1;

/** Returns `@specifiedBy`, which the printer of subgraphs omits. */
function specifiedBy(url: string): ConstDirectiveNode {
  return {
    kind: Kind.DIRECTIVE,
    name: { kind: Kind.NAME, value: 'specifiedBy' },
    arguments: [
      {
        kind: Kind.ARGUMENT,
        name: { kind: Kind.NAME, value: 'url' },
        value: { kind: Kind.STRING, value: url },
      },
    ],
  };
}

/** Returns the schema in SDL, sorted by name, as in `src/schema.graphql`. */
export function printSchema(schema: GraphQLSchema): string {
  const sorted = visit(parse(printSubgraphSchema(schema)), {
    enter(node) {
      if ('fields' in node && node.fields) return { ...node, fields: [...node.fields].sort(byName as never) };
      if (node.kind === Kind.ENUM_TYPE_DEFINITION)
        return { ...node, values: [...(node.values ?? [])].sort(byName) };
      if (node.kind === Kind.SCALAR_TYPE_DEFINITION) {
        const { specifiedByURL: url } = schema.getType(node.name.value) as GraphQLScalarType;
        return url ? { ...node, directives: [...(node.directives ?? []), specifiedBy(url)] } : undefined;
      }
      if (node.kind === Kind.FIELD_DEFINITION)
        return { ...node, arguments: [...(node.arguments ?? [])].sort(byName) };
      return undefined;
    },
  });
  return `${print(sorted)}\n`;
}

type Extended = { extensions: object };

function declaresScopes({ extensions }: Extended): boolean {
  const { pothosOptions } = extensions as { pothosOptions?: { authScopes?: unknown } };
  return pothosOptions?.authScopes !== undefined;
}

/**
 * Types that only a parent type leads to, and that need no scope beyond the parent's. New types must be added
 * explicitly.
 */
const typesWithoutScopes = new Set(
  `Address Alias BillingInformation Change FieldChange Setting Tenant Viewer
  CreateWebhookEndpointSuccess UpdateWebhookEndpointSuccess DeleteWebhookEndpointSuccess
  RotateWebhookSecretSuccess TestWebhookEndpointSuccess RedeliverSuccess
  WebhookAttempt WebhookAttemptConnection WebhookAttemptEdge WebhookBacklog WebhookEndpointChange
  WebhookEndpointChangeConnection WebhookEndpointChangeEdge WebhookEndpointEdge
  AccountEdge AliasConnection AliasEdge ChangeConnection ChangeFeedConnection ChangeFeedEdge ChangeEdge CustomerEdge PageInfo
  CreateAccountSuccess UpdateAccountSuccess ArchiveAccountSuccess RestoreAccountSuccess
  CreateCustomerSuccess UpdateCustomerSuccess ArchiveCustomerSuccess RestoreCustomerSuccess
  UpdateTenantSuccess TenantChange TenantChangeEdge NameTakenError
  AddAliasesSuccess RemoveAliasesSuccess TransferAliasSuccess PutSettingsSuccess RemoveSettingsSuccess RevertAccountSuccess
  AliasTakenError IdTakenError IdempotencyError InvalidInputError LimitExceededError NotAllowedInStatusError
  NotFoundError RevertRefusedError VersionConflictError AliasClash InputIssue`.split(/\s+/),
);

/**
 * Returns the root fields and types that declare no scope and are not in the list above. Entities and nodes must
 * declare one, because a query can reach them from anywhere.
 */
function findUndeclared(schema: GraphQLSchema): string[] {
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const fields = roots.flatMap((root) =>
    Object.values(root?.getFields() ?? {})
      .filter((field) => !['_entities', '_service'].includes(field.name) && !declaresScopes(field))
      .map((field) => `${root?.name}.${field.name}`),
  );
  const union = schema.getType('_Entity');
  const entities: readonly GraphQLObjectType[] = isUnionType(union) ? union.getTypes() : [];
  const isEntryPoint = (type: GraphQLObjectType) =>
    entities.includes(type) || type.getInterfaces().some(({ name }) => name === 'Node');
  const types = Object.values(schema.getTypeMap()).filter(
    (type) =>
      isObjectType(type) &&
      !roots.includes(type) &&
      !/^__|^_Service$/.test(type.name) &&
      !declaresScopes(type),
  ) as GraphQLObjectType[];
  const open = types.filter((type) => isEntryPoint(type) || !typesWithoutScopes.has(type.name));
  return [...fields, ...open.map(({ name }) => name)];
}

/** Throws if a field or type of the schema declares no scope. */
export function assertScopesDeclared(schema: GraphQLSchema): void {
  const open = findUndeclared(schema);
  if (open.length > 0) throw new Error(`No scope is declared for ${open.join(', ')}. Set authScopes.`);
}

/** The directives of federation, in the oldest version that has them, because older composers reject newer versions. */
const link = {
  url: 'https://specs.apollo.dev/federation/v2.0',
  import: ['@key', '@shareable', '@inaccessible'],
};

export function buildSchema(): GraphQLSchema {
  const extensions = { directives: [{ name: 'link', args: link }] };
  const own = builder.toSchema({ extensions, sortSchema: false });
  guardPast(own);
  const schema = asSubgraph(own, printSchema);
  assertScopesDeclared(schema);
  return schema;
}
