import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  GraphQLIncludeDirective,
  type GraphQLSchema,
  GraphQLSkipDirective,
  getDirectiveValues,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { Selects } from '../ctx.ts';

/** Finds out what a document selects, so that a read can fetch it along. */
export function selectionOf(schema: GraphQLSchema, document: DocumentNode): Selects {
  const withoutArguments = new Set<string>();
  const byType = new Map<string | undefined, Set<string>>();
  const types = new TypeInfo(schema);
  const enter = ({ name, arguments: given }: { name: { value: string }; arguments?: readonly unknown[] }) => {
    const type = types.getParentType()?.name;
    if (!given?.length) withoutArguments.add(`${type}.${name.value}`);
    byType.set(type, (byType.get(type) ?? new Set()).add(name.value));
  };
  visit(document, visitWithTypeInfo(types, { Field: { enter } }));
  return {
    field: (name) => withoutArguments.has(name),
    only: (type, fields) => [...(byType.get(type) ?? [])].every((name) => fields.has(name)),
  };
}

type Variables = Record<string, unknown>;
type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** Returns whether `@skip` and `@include` let a node be selected. */
export function isSelected(node: SelectionNode, variables: Variables): boolean {
  if (getDirectiveValues(GraphQLSkipDirective, node, variables)?.if === true) return false;
  return getDirectiveValues(GraphQLIncludeDirective, node, variables)?.if !== false;
}

export function fragmentsOf(document: DocumentNode): Fragments {
  return new Map(
    document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node] as const] : [],
    ),
  );
}

/** Returns the selected fields of an object type, also those in fragments. */
export function fieldsIn(
  { selections }: SelectionSetNode,
  fragments: Fragments,
  variables: Variables,
): FieldNode[] {
  return selections.flatMap((node) => {
    if (!isSelected(node, variables)) return [];
    if (node.kind === Kind.FIELD) return [node];
    const fragment = node.kind === Kind.INLINE_FRAGMENT ? node : fragments.get(node.name.value);
    return fragment === undefined ? [] : fieldsIn(fragment.selectionSet, fragments, variables);
  });
}
