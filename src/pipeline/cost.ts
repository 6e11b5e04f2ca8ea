import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  getOperationAST,
  isCompositeType,
  isListType,
  isNonNullType,
  isUnionType,
  Kind,
  type OperationDefinitionNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  TypeNameMetaFieldDef,
  type ValueNode,
  valueFromASTUntyped,
} from 'graphql';
import { defaultPageSize, maxPageSize } from '../lib/page.ts';

/**
 * Costs of the parts of a request, in units of one field of the response. `extensions.cost` of a field or of its type
 * overrides them.
 */
export const costs = {
  /** Every request. */
  request: 50,
  /** Each entity in the input of a mutation. */
  write: 100,
  /** A page, which needs its own database read. */
  page: 10,
  /** A search in a page. Fixed, so that no document becomes too costly because data grew. */
  search: 500,
  /** A read of the past, which replays changes: a field with the argument `asOf`. */
  past: 20,
  /** A field with an alias, which may repeat another field. */
  alias: 10,
  /** Assumed length of a list that no argument bounds. */
  listSize: 5,
} as const;

type Variables = Readonly<Record<string, unknown>>;
type Field = GraphQLField<unknown, unknown>;

/** A number, or a function of the variables. */
type Cost = number | ((variables: Variables) => number);

const evaluate = (cost: Cost, variables: Variables): number =>
  typeof cost === 'number' ? cost : cost(variables);

function sum(parts: readonly Cost[]): Cost {
  const open = parts.filter((part) => typeof part !== 'number');
  const fixed = parts.reduce<number>((total, part) => total + (typeof part === 'number' ? part : 0), 0);
  if (open.length === 0) return fixed;
  return (variables) => open.reduce((total, part) => total + part(variables), fixed);
}

function product(a: Cost, b: Cost): Cost {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  return (variables) => evaluate(a, variables) * evaluate(b, variables);
}

interface Plan {
  schema: GraphQLSchema;
  operation: OperationDefinitionNode;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
}

/** The fields of one response name on one type, which are resolved once. */
interface Selected {
  parent: GraphQLCompositeType;
  nodes: [FieldNode, ...FieldNode[]];
}

/** Returns the number of entries for a page size or a list. Page sizes above the maximum are refused later. */
function entriesOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Math.max(0, Math.min(value, maxPageSize));
  return Array.isArray(value) ? value.length : undefined;
}

function entriesIn({ operation }: Plan, value: ValueNode): (variables: Variables) => number | undefined {
  if (value.kind === Kind.VARIABLE) {
    const name = value.name.value;
    const definition = operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
    const otherwise = definition?.defaultValue && valueFromASTUntyped(definition.defaultValue);
    return (variables) => entriesOf(variables[name] === undefined ? otherwise : variables[name]);
  }
  const literal = value.kind === Kind.INT ? entriesOf(Number(value.value)) : undefined;
  const entries = value.kind === Kind.LIST ? value.values.length : literal;
  return () => entries;
}

/** Returns the number of entries from the first of these arguments that has one. */
function sizeFrom(plan: Plan, node: FieldNode, names: readonly string[], otherwise: number): Cost {
  const values = names.flatMap(
    (name) => node.arguments?.find((argument) => argument.name.value === name)?.value ?? [],
  );
  const readers = values.map((value) => entriesIn(plan, value));
  const size = (variables: Variables) => {
    for (const read of readers) {
      const entries = read(variables);
      if (entries !== undefined) return entries;
    }
    return otherwise;
  };
  return values.some(({ kind }) => kind === Kind.VARIABLE) ? size : size({});
}

const isPage = ({ args }: Field): boolean =>
  ['first', 'last'].every((name) => args.some((argument) => argument.name === name));

/** Returns the length of a list. `page` is the size of the page it belongs to. */
function sizeOf(plan: Plan, field: Field, node: FieldNode, page: Cost | undefined): Cost {
  if (!isListType(getNullableType(field.type))) return 1;
  const given = field.args.find(({ type }) => isNonNullType(type) && isListType(type.ofType));
  if (given !== undefined) return sizeFrom(plan, node, [given.name], 1);
  if (page !== undefined) return page;
  return isCompositeType(getNamedType(field.type)) ? costs.listSize : 1;
}

function weightOf(plan: Plan, field: Field, node: FieldNode): Cost {
  const said = field.extensions.cost ?? getNamedType(field.type).extensions.cost;
  if (typeof said === 'number') return said;
  if (isPage(field)) return sum([costs.page, searchCost(plan, node)]);
  return (node.alias === undefined ? 1 : costs.alias) + (readsPast(node) ? costs.past : 0);
}

/** Returns whether a field is read as of an instant. A variable counts as one, because that only rarely costs too much. */
function readsPast(node: FieldNode): boolean {
  return (
    node.arguments?.some(({ name, value }) => name.value === 'asOf' && value.kind !== Kind.NULL) ?? false
  );
}

/** Returns the cost of a search in the filter of a page. */
function searchCost({ operation }: Plan, node: FieldNode): Cost {
  const filter = node.arguments?.find(({ name }) => name.value === 'filter')?.value;
  if (filter === undefined) return 0;
  const isVariable = filter.kind === Kind.VARIABLE;
  const definition = isVariable
    ? operation.variableDefinitions?.find(({ variable }) => variable.name.value === filter.name.value)
    : undefined;
  const otherwise = definition?.defaultValue && valueFromASTUntyped(definition.defaultValue);
  return (variables) => {
    const given = valueFromASTUntyped(filter, variables as Record<string, unknown>) as unknown;
    const { search } = ((given === undefined ? otherwise : given) ?? {}) as { search?: unknown };
    return search == null ? 0 : costs.search;
  };
}

const metaFields = new Map(
  [SchemaMetaFieldDef, TypeMetaFieldDef, TypeNameMetaFieldDef].map((field): [string, Field] => [
    field.name,
    field,
  ]),
);

function costOfField(plan: Plan, { parent, nodes }: Selected, page: Cost | undefined): Cost {
  const [node] = nodes;
  const name = node.name.value;
  const field = metaFields.get(name) ?? (isUnionType(parent) ? undefined : parent.getFields()[name]);
  if (field === undefined) return 0;
  const type = getNamedType(field.type);
  const sets = nodes.flatMap(({ selectionSet }) => selectionSet ?? []);
  const below = isCompositeType(type)
    ? costOfSets(
        plan,
        type,
        sets,
        isPage(field) ? sizeFrom(plan, node, ['first', 'last'], defaultPageSize) : undefined,
      )
    : 0;
  const size = sizeOf(plan, field, node, page);
  const isWrite = parent === plan.schema.getMutationType();
  const each = sum([isWrite ? costs.write : 0, below, size === 1 ? 0 : 1]);
  return sum([weightOf(plan, field, node), product(size, each)]);
}

function collect(
  plan: Plan,
  parent: GraphQLCompositeType,
  set: SelectionSetNode,
  found: Map<string, Selected>,
  seen: Set<string>,
): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) {
      const key = `${parent.name}.${(selection.alias ?? selection.name).value}`;
      const known = found.get(key);
      if (known === undefined) found.set(key, { parent, nodes: [selection] });
      else known.nodes.push(selection);
      continue;
    }
    const isSpread = selection.kind === Kind.FRAGMENT_SPREAD;
    if (isSpread && seen.has(selection.name.value)) continue;
    if (isSpread) seen.add(selection.name.value);
    const fragment = isSpread ? plan.fragments.get(selection.name.value) : selection;
    const type = fragment?.typeCondition ? plan.schema.getType(fragment.typeCondition.name.value) : parent;
    if (fragment !== undefined && isCompositeType(type))
      collect(plan, type, fragment.selectionSet, found, seen);
  }
}

function costOfSets(
  plan: Plan,
  parent: GraphQLCompositeType,
  sets: readonly SelectionSetNode[],
  page?: Cost,
): Cost {
  const found = new Map<string, Selected>();
  const seen = new Set<string>();
  for (const set of sets) collect(plan, parent, set, found, seen);
  return sum([...found.values()].map((selected) => costOfField(plan, selected, page)));
}

function costOfOperation(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): Cost {
  const root = schema.getRootType(operation.operation);
  if (root == null) return costs.request;
  const fragments = new Map(
    document.definitions.flatMap((node) =>
      node.kind === Kind.FRAGMENT_DEFINITION ? [[node.name.value, node]] : [],
    ),
  );
  return sum([costs.request, costOfSets({ schema, operation, fragments }, root, [operation.selectionSet])]);
}

export interface Priced {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName?: string | null | undefined;
  variables?: Variables | null | undefined;
}

/**
 * Returns a function that computes the cost of valid requests. Costs that do not depend on variables are computed once
 * per document.
 */
export function createCostOf(): (priced: Priced) => number {
  const known = new WeakMap<OperationDefinitionNode, Cost>();
  return ({ schema, document, operationName, variables }) => {
    const operation = getOperationAST(document, operationName);
    if (operation == null) return costs.request;
    let cost = known.get(operation);
    if (cost === undefined) {
      cost = costOfOperation(schema, document, operation);
      known.set(operation, cost);
    }
    return evaluate(cost, variables ?? {});
  };
}
