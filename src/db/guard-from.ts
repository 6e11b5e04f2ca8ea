import { as, conjuncts, isTree, nameOf, type Tree } from './guard-tree.ts';

/** What stands in FROM, and what holds of its rows. */
export interface From {
  /** Tables by the names they have here. */
  tables: Map<string, string>;
  /** All names, those of queries and functions too. */
  names: Set<string>;
  /** `of` names the tables that the condition of an outer join restricts; undefined: all. */
  conditions: { condition: unknown; of: ReadonlySet<string> | undefined }[];
  /** Queries, functions and conditions that stand in FROM. Only what is lateral sees the other names. */
  inside: { node: unknown; lateral: boolean }[];
}

const systemSchemas = ['pg_catalog', 'information_schema'];

/** Reads FROM with its joins, and WHERE. What has a name of `ctes` is no table. */
export function readFrom(items: readonly unknown[], where: unknown, ctes: ReadonlySet<string>): From {
  const from: From = { tables: new Map(), names: new Set(), conditions: [], inside: [] };
  for (const item of items) readItem(item, from, ctes);
  from.conditions.push(...conjuncts(where).map((condition) => ({ condition, of: undefined })));
  return from;
}

function readItem(item: unknown, from: From, ctes: ReadonlySet<string>): void {
  const table = as('RangeVar', item);
  const join = as('JoinExpr', item);
  if (table !== undefined) readTable(table, from, ctes);
  else if (join !== undefined) readJoin(join, from, ctes);
  else {
    const [content] = Object.values(isTree(item) ? item : {});
    if (isTree(content)) from.names.add(nameOf(content));
    const lateral = as('RangeFunction', item) !== undefined || (isTree(content) && content.lateral === true);
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
