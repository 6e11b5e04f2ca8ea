/** A node of a parsed statement: an object whose only key is its kind. */
export type Tree = { readonly [key: string]: unknown };

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Returns the content of a node if it has this kind. */
export function nodeOfKind(kind: string, node: unknown): Tree | undefined {
  const content = isTree(node) ? node[kind] : undefined;
  return isTree(content) ? content : undefined;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

const textOf = (node: unknown): unknown => nodeOfKind('String', node)?.sval;

/** Returns the path of a column, such as `["accounts", "id"]`; undefined for other expressions. */
export function columnPath(node: unknown): readonly unknown[] | undefined {
  const column = nodeOfKind('ColumnRef', node);
  return column && listOf(column.fields).map(textOf);
}

/** Returns an expression without its casts. */
export function uncast(node: unknown): unknown {
  const cast = nodeOfKind('TypeCast', node);
  return cast === undefined ? node : uncast(cast.arg);
}

/** Returns the conditions that AND connects. A condition inside OR or NOT is not split. */
export function conjuncts(condition: unknown): readonly unknown[] {
  const both = nodeOfKind('BoolExpr', condition);
  if (both?.boolop === 'AND_EXPR') return listOf(both.args).flatMap(conjuncts);
  // `(a and b) is true` is equivalent. It is used to keep the planner from using an index for a condition.
  const test = nodeOfKind('BooleanTest', condition);
  if (test?.booltesttype === 'IS_TRUE') return conjuncts(test.arg);
  return condition === undefined ? [] : [condition];
}

/** Returns the sides of an equality. Equal rows give one pair per column. */
export function equalities(condition: unknown): readonly (readonly [unknown, unknown])[] {
  const comparison = nodeOfKind('A_Expr', condition);
  const names = listOf(comparison?.name).map(textOf);
  if (comparison?.kind !== 'AEXPR_OP' || names.length !== 1 || names[0] !== '=') return [];
  const { lexpr, rexpr } = comparison;
  const [left, right] = [nodeOfKind('RowExpr', lexpr), nodeOfKind('RowExpr', rexpr)];
  if (left === undefined || right === undefined) return [[lexpr, rexpr]];
  const others = listOf(right.args);
  return listOf(left.args).map((each, index) => [each, others[index]] as const);
}

/** Returns the name of an item of FROM: its alias, or its table name. */
export function nameOf(from: Tree): string {
  return String((isTree(from.alias) ? from.alias.aliasname : undefined) ?? from.relname ?? '');
}

/** The items of FROM, and the conditions on their rows. */
export interface From {
  /** Tables by their aliases. */
  tables: Map<string, string>;
  /** All names, including those of queries and functions. */
  names: Set<string>;
  /** `of` are the tables that the condition of an outer join restricts; undefined: all. */
  conditions: { condition: unknown; of: ReadonlySet<string> | undefined }[];
  /** Queries, functions and conditions inside FROM. Only lateral ones see the other names. */
  inside: { node: unknown; lateral: boolean }[];
}

const systemSchemas = ['pg_catalog', 'information_schema'];

/** Reads FROM with its joins, and WHERE. A name in `ctes` is not a table. */
export function readFrom(items: readonly unknown[], where: unknown, ctes: ReadonlySet<string>): From {
  const from: From = { tables: new Map(), names: new Set(), conditions: [], inside: [] };
  for (const item of items) readItem(item, from, ctes);
  from.conditions.push(...conjuncts(where).map((condition) => ({ condition, of: undefined })));
  return from;
}

function readItem(item: unknown, from: From, ctes: ReadonlySet<string>): void {
  const table = nodeOfKind('RangeVar', item);
  const join = nodeOfKind('JoinExpr', item);
  if (table !== undefined) readTable(table, from, ctes);
  else if (join !== undefined) readJoin(join, from, ctes);
  else {
    const [content] = Object.values(isTree(item) ? item : {});
    if (isTree(content)) from.names.add(nameOf(content));
    const lateral =
      nodeOfKind('RangeFunction', item) !== undefined || (isTree(content) && content.lateral === true);
    from.inside.push({ node: item, lateral });
  }
}

function readTable(table: Tree, from: From, ctes: ReadonlySet<string>): void {
  const name = nameOf(table);
  from.names.add(name);
  if (table.schemaname === undefined && ctes.has(String(table.relname))) return;
  if (!systemSchemas.includes(String(table.schemaname))) from.tables.set(name, String(table.relname));
}

function readJoin(join: Tree, from: From, ctes: ReadonlySet<string>): void {
  const readSide = (side: unknown): ReadonlySet<string> => {
    const part: From = { ...from, tables: new Map(), names: new Set() };
    readItem(side, part, ctes);
    for (const [name, table] of part.tables) from.tables.set(name, table);
    for (const name of part.names) from.names.add(name);
    return part.names;
  };
  const [left, right] = [readSide(join.larg), readSide(join.rarg)];
  const restricted: Record<string, ReadonlySet<string> | undefined> = {
    JOIN_INNER: undefined,
    JOIN_LEFT: right,
    JOIN_RIGHT: left,
  };
  const kind = String(join.jointype);
  const of = kind in restricted ? restricted[kind] : new Set<string>();
  from.conditions.push(...conjuncts(join.quals).map((condition) => ({ condition, of })));
  from.inside.push({ node: join.quals, lateral: true });
}
