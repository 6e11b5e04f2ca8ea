import { type FieldNode, type GraphQLSchema, getArgumentValues, getVariableValues } from 'graphql';
import { InvalidInputError } from '../lib/errors.ts';
import type { Operation } from './exchange.ts';
import { fieldsIn, fragmentsOf } from './selection.ts';

interface Flag {
  path: string[];
  isSet: boolean;
}

function flagOf(path: string[], input: unknown): Flag {
  const isSet = typeof input === 'object' && input !== null && 'dryRun' in input && input.dryRun === true;
  return { path: [...path, 'dryRun'], isSet };
}

/** Returns the arguments of a field, or undefined if they do not match their types. Then the field itself fails. */
function argumentsOf(...[field, node, variables]: Parameters<typeof getArgumentValues>) {
  try {
    return getArgumentValues(field, node, variables);
  } catch {
    return undefined;
  }
}

/** Returns the flags of all inputs of a mutation. Without inputs, it is a write. */
function flagsOf(schema: GraphQLSchema, node: FieldNode, variables: Record<string, unknown>): Flag[] {
  const field = schema.getMutationType()?.getFields()[node.name.value];
  const given = field && argumentsOf(field, node, variables);
  if (given === undefined) return [];
  const path = (node.alias ?? node.name).value;
  const flags = Object.entries(given).flatMap(([name, value]) =>
    Array.isArray(value)
      ? value.map((input, index) => flagOf([path, name, String(index)], input))
      : [flagOf([path, name], value)],
  );
  return flags.length > 0 ? flags : [flagOf([path], undefined)];
}

/**
 * Returns whether a request may ask for a dry run. Most do not, and coercing their variables once more would cost a tenth
 * of a write. An input is a literal of the document, or a variable of its own or in a list.
 */
function mentionsDryRun({ document, params }: Operation): boolean {
  const inVariable = (value: unknown): boolean =>
    Array.isArray(value)
      ? value.some(inVariable)
      : typeof value === 'object' && value !== null && 'dryRun' in value;
  const isInText = document.loc?.source.body.includes('dryRun') ?? true;
  return isInText || Object.values(params.variables ?? {}).some(inVariable);
}

/**
 * Returns whether a mutation is a dry run: all its inputs have `dryRun: true`. Throws InvalidInputError if only some do,
 * because all fields of a request share the transaction that is rolled back.
 */
export function isDryRun(schema: GraphQLSchema, operation: Operation): boolean {
  const { document, definition, params } = operation;
  if (definition.operation !== 'mutation' || !mentionsDryRun(operation)) return false;
  const { coerced } = getVariableValues(schema, definition.variableDefinitions ?? [], params.variables ?? {});
  // Variables of wrong types are refused when the operation starts.
  if (coerced === undefined) return false;
  const flags = fieldsIn(definition.selectionSet, fragmentsOf(document), coerced).flatMap((node) =>
    flagsOf(schema, node, coerced),
  );
  const isFirstSet = flags[0]?.isSet ?? false;
  const different = flags.filter(({ isSet }) => isSet !== isFirstSet);
  if (different.length === 0) return isFirstSet;
  throw new InvalidInputError(
    different.map(({ path }) => ({
      path,
      code: 'INVALID_VALUE',
      message: 'must be the same in all inputs of a request. Send dry runs in a request of their own',
    })),
  );
}
