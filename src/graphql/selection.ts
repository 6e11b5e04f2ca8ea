import { type DocumentNode, type GraphQLSchema, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Selects } from '../ctx.ts';

function selectionOf(schema: GraphQLSchema, document: DocumentNode): Selects {
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

/** Tells the context what the document selects, so that a read can bring it along. */
export function useSelection(): Plugin<{ selects?: Selects }> {
  let schema: GraphQLSchema;
  const known = new WeakMap<DocumentNode, Selects>();
  return {
    onSchemaChange(change) {
      schema = change.schema;
    },
    onParse() {
      return ({ result, extendContext }) => {
        if (result === null || result instanceof Error) return;
        const selects = known.get(result) ?? selectionOf(schema, result);
        known.set(result, selects);
        extendContext({ selects });
      };
    },
  };
}
