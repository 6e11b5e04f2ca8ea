import { type DocumentNode, type GraphQLSchema, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Selects } from '../ctx.ts';

/** The fields that a document selects without arguments, as `Type.field`. */
function selectedFields(schema: GraphQLSchema, document: DocumentNode): ReadonlySet<string> {
  const fields = new Set<string>();
  const types = new TypeInfo(schema);
  const enter = ({ name, arguments: given }: { name: { value: string }; arguments?: readonly unknown[] }) => {
    if (!given?.length) fields.add(`${types.getParentType()?.name}.${name.value}`);
  };
  visit(document, visitWithTypeInfo(types, { Field: { enter } }));
  return fields;
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
        let selects = known.get(result);
        if (selects === undefined) {
          const fields = selectedFields(schema, result);
          selects = (field) => fields.has(field);
          known.set(result, selects);
        }
        extendContext({ selects });
      };
    },
  };
}
