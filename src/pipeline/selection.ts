import { type DocumentNode, type GraphQLSchema, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
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
