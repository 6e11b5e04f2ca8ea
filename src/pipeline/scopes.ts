import {
  type FieldNode,
  type FragmentDefinitionNode,
  type FragmentSpreadNode,
  GraphQLError,
  type GraphQLNamedType,
  type GraphQLSchema,
  getArgumentValues,
  getNamedType,
  getVariableValues,
  type InlineFragmentNode,
  isInterfaceType,
  isObjectType,
  Kind,
  type SelectionNode,
} from 'graphql';
import type { Viewer } from '../ctx.ts';
import { ForbiddenError } from '../lib/errors.ts';
import { allows, type Scope, scopes } from '../lib/scope.ts';
import type { Operation } from './exchange.ts';
import { fragmentsOf, isSelected } from './selection.ts';

/** The scopes of a type or field, or a function of the parent and the arguments. */
type AuthScopes = object | ((parent: unknown, args: object) => object);

interface Guarded {
  extensions: { pothosOptions?: { authScopes?: AuthScopes } };
}

function namedIn(needed: object): Scope[] {
  return Object.entries(needed).flatMap(([name, value]) => {
    if (name === 'scope') return [value as Scope];
    return typeof value === 'object' && value !== null ? namedIn(value) : [];
  });
}

function scopesOf(guarded: object, args: object): Scope[] {
  const authScopes = (guarded as Guarded).extensions.pothosOptions?.authScopes;
  if (authScopes === undefined) return [];
  return namedIn(
    typeof authScopes === 'function'
      ? (authScopes as (p: unknown, a: object) => object)({}, args)
      : authScopes,
  );
}

interface Walk {
  schema: GraphQLSchema;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  variables: Record<string, unknown>;
  viewer: Viewer;
}

function forbiddenField(
  walk: Walk,
  parent: GraphQLNamedType,
  node: FieldNode,
  path: readonly string[],
): GraphQLError | undefined {
  const fields = isObjectType(parent) || isInterfaceType(parent) ? parent.getFields() : {};
  const field = fields[node.name.value];
  if (field === undefined) return undefined;
  const here = [...path, (node.alias ?? node.name).value];
  const type = getNamedType(field.type);
  const args = getArgumentValues(field, node, walk.variables);
  const needed = [...scopesOf(field, args), ...scopesOf(type, {})];
  const missing = needed.find((scope) => !allows(walk.viewer.scopes, scope));
  if (missing !== undefined) {
    const originalError = new ForbiddenError(missing);
    return new GraphQLError(originalError.message, { nodes: node, path: here, originalError });
  }
  return forbiddenSelection(walk, type, node.selectionSet?.selections ?? [], here);
}

function forbiddenSelection(
  walk: Walk,
  parent: GraphQLNamedType,
  selections: readonly SelectionNode[],
  path: readonly string[],
): GraphQLError | undefined {
  for (const node of selections) {
    if (!isSelected(node, walk.variables)) continue;
    const found =
      node.kind === Kind.FIELD
        ? forbiddenField(walk, parent, node, path)
        : forbiddenFragment(walk, parent, node, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function forbiddenFragment(
  walk: Walk,
  parent: GraphQLNamedType,
  node: FragmentSpreadNode | InlineFragmentNode,
  path: readonly string[],
): GraphQLError | undefined {
  const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : walk.fragments.get(node.name.value);
  const condition = fragment?.typeCondition?.name.value;
  const type = condition === undefined ? parent : walk.schema.getType(condition);
  if (fragment === undefined || type === undefined) return undefined;
  return forbiddenSelection(walk, type, fragment.selectionSet.selections, path);
}

/**
 * Returns the error of the first field of a mutation that the caller cannot select. Checked before the mutation starts,
 * so that no response says FORBIDDEN for a completed write.
 */
export function findForbidden(schema: GraphQLSchema, operation: Operation): GraphQLError | undefined {
  const { document, definition, params, caller } = operation;
  const { viewer } = caller;
  const root = schema.getMutationType();
  if (definition.operation !== 'mutation' || root == null) return undefined;
  if (scopes.every((scope) => allows(viewer.scopes, scope))) return undefined;
  const { coerced } = getVariableValues(schema, definition.variableDefinitions ?? [], params.variables ?? {});
  // Variables of wrong types are refused when the operation starts.
  if (coerced === undefined) return undefined;
  const walk = { schema, fragments: fragmentsOf(document), variables: coerced, viewer };
  return forbiddenSelection(walk, root, definition.selectionSet.selections, []);
}
