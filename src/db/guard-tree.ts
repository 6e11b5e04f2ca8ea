/** A node of a parsed statement, as PostgreSQL's own parser makes it: an object with one key, its kind. */
export type Tree = { readonly [key: string]: unknown };

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The content of a node when it is of this kind. */
export function as(kind: string, node: unknown): Tree | undefined {
  const content = isTree(node) ? node[kind] : undefined;
  return isTree(content) ? content : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const textOf = (node: unknown): unknown => as('String', node)?.sval;

/** The names of a column, such as `["accounts", "id"]`; undefined for other expressions. */
export function columnPath(node: unknown): readonly unknown[] | undefined {
  const column = as('ColumnRef', node);
  return column && listOf(column.fields).map(textOf);
}

/** The expression inside of casts. */
export function uncast(node: unknown): unknown {
  const cast = as('TypeCast', node);
  return cast === undefined ? node : uncast(cast.arg);
}

/** What must hold together for a condition to hold: nothing that stands inside of OR or NOT. */
export function conjuncts(condition: unknown): readonly unknown[] {
  const both = as('BoolExpr', condition);
  if (both?.boolop === 'AND_EXPR') return listOf(both.args).flatMap(conjuncts);
  // `(a and b) is true` holds when they do; it is written where the planner must not take a condition for an index.
  const test = as('BooleanTest', condition);
  if (test?.booltesttype === 'IS_TRUE') return conjuncts(test.arg);
  return condition === undefined ? [] : [condition];
}

/** The sides of an equality, those of equal rows one by one. */
export function equalities(condition: unknown): readonly (readonly [unknown, unknown])[] {
  const comparison = as('A_Expr', condition);
  const names = listOf(comparison?.name).map(textOf);
  if (comparison?.kind !== 'AEXPR_OP' || names.length !== 1 || names[0] !== '=') return [];
  const { lexpr, rexpr } = comparison;
  const [left, right] = [as('RowExpr', lexpr), as('RowExpr', rexpr)];
  if (left === undefined || right === undefined) return [[lexpr, rexpr]];
  const others = listOf(right.args);
  return listOf(left.args).map((each, index) => [each, others[index]] as const);
}

/** The name by which a table, or what else stands in FROM, is called there. */
export function nameOf(from: Tree): string {
  return String((isTree(from.alias) ? from.alias.aliasname : undefined) ?? from.relname ?? '');
}
