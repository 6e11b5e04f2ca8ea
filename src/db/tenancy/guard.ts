import { Param, Placeholder, type Query } from 'drizzle-orm';
import {
  columnPath,
  equalities,
  type From,
  isTree,
  listOf,
  nameOf,
  nodeOfKind,
  readFrom,
  type Tree,
  uncast,
} from './statement-tree.ts';

/** A statement could access rows of other tenants. A bug, found before PostgreSQL gets the statement. */
export class UnrestrictedError extends Error {
  override name = 'UnrestrictedError';
}

/** Returns the numbers of the parameters that hold the tenant of the request. */
function tenantParams({ params }: Query): Set<number> {
  const numbers = params.flatMap((param, index) => {
    const value = param instanceof Param ? param.value : param;
    return value instanceof Placeholder && value.name === 'tenantId' ? [index + 1] : [];
  });
  return new Set(numbers);
}

/**
 * Returns the parts of a statement that are not restricted to its tenant. Loads the parser of PostgreSQL on first use.
 */
export async function unrestrictedIn(query: Query): Promise<string[]> {
  const { loadModule, parseSync } = await import('libpg-query');
  await loadModule();
  return unrestricted(parseSync(query.sql), tenantParams(query));
}

/**
 * Second line of defence between tenants: rejects a statement if a table, also in a sub-query, is not restricted by
 * `tenant_id = <the tenant of the request>`, or `tenants` by its `id`. Throws UnrestrictedError.
 */
export async function requireTenant(name: string, query: Query): Promise<void> {
  const problems = await unrestrictedIn(query);
  if (problems.length === 0) return;
  throw new UnrestrictedError(
    `The statement ${name} is not restricted to its tenant: ${problems.join(', ')}.`,
  );
}

/** Returns the column of a table that holds the tenant. */
const tenantColumnOf = (table: unknown): string => (table === 'tenants' ? 'id' : 'tenant_id');

/** Tables by their aliases. */
type Tables = ReadonlyMap<string, string>;

interface Check {
  /** The numbers of the parameters that hold the tenant. */
  params: ReadonlySet<number>;
  problems: string[];
}

/** The scope of a query: the names that it inherits. */
interface Level {
  /** The names of CTEs, which hide tables. */
  ctes: ReadonlySet<string>;
  /** The tables that are restricted to the tenant, by their aliases. */
  bound: Tables;
}

/**
 * Returns the parts of a parsed statement that are not restricted to the tenant. `params` are the numbers of the
 * parameters that hold it.
 */
export function unrestricted(statement: unknown, params: ReadonlySet<number>): string[] {
  const check: Check = { params, problems: [] };
  walk(check, statement, { ctes: new Set(), bound: new Map() });
  return check.problems;
}

/** Checks the queries inside any node. */
function walk(check: Check, node: unknown, level: Level): void {
  if (Array.isArray(node)) for (const each of node) walk(check, each, level);
  if (!isTree(node)) return;
  for (const [kind, content] of Object.entries(node)) {
    if (kind === 'SelectStmt' && isTree(content)) checkSelect(check, content, level);
    else if (kind === 'InsertStmt' && isTree(content)) checkInsert(check, content, level);
    else if (/^(Update|Delete)Stmt$/.test(kind) && isTree(content)) checkChange(check, content, level);
    // Unknown kinds are rejected.
    else if (kind.endsWith('Stmt') || kind === 'RangeVar') check.problems.push(kind);
    else walk(check, content, level);
  }
}

/**
 * Returns the alias of the table whose tenant an expression is. A column without its table is ambiguous, so it does not
 * count.
 */
function tenantOf(node: unknown, tables: Tables): string | undefined {
  const [name, column, ...rest] = columnPath(uncast(node)) ?? [];
  const table = tables.get(String(name));
  if (table === undefined || rest.length > 0) return undefined;
  return column === tenantColumnOf(table) ? String(name) : undefined;
}

/** Returns whether an expression is the tenant of the request, or that of a restricted table. */
function isTenant({ params }: Check, node: unknown, { bound }: Level): boolean {
  const param = nodeOfKind('ParamRef', uncast(node));
  if (param !== undefined) return params.has(Number(param.number));
  return tenantOf(node, bound) !== undefined;
}

/** Finds the tables that the conditions restrict, directly or through each other, and reports the others. */
function findBound(check: Check, from: From, { ctes, bound: outer }: Level): Level {
  const bound = new Map([...outer].filter(([name]) => !from.names.has(name)));
  const facts = from.conditions.flatMap(({ condition, of }) =>
    equalities(condition).flatMap(([a, b]) => [
      { name: tenantOf(a, from.tables), other: b, of },
      { name: tenantOf(b, from.tables), other: a, of },
    ]),
  );
  for (let before = -1; before !== bound.size; ) {
    before = bound.size;
    for (const { name, other, of } of facts) {
      const table = name === undefined ? undefined : from.tables.get(name);
      if (name === undefined || table === undefined || of?.has(name) === false) continue;
      if (isTenant(check, other, { ctes, bound })) bound.set(name, table);
    }
  }
  for (const [name, table] of from.tables) {
    if (!bound.has(name)) check.problems.push(name === table ? table : `${table} (as ${name})`);
  }
  return { ctes, bound };
}

/** Checks CTEs. Each one can use those before it. */
function checkCtes(check: Check, clause: unknown, { ctes: outer, bound }: Level): Level {
  if (!isTree(clause)) return { ctes: outer, bound };
  const ctes = new Set(outer);
  for (const each of listOf(clause.ctes)) {
    const { ctename, ctequery } = nodeOfKind('CommonTableExpr', each) ?? {};
    if (clause.recursive === true) ctes.add(String(ctename));
    walk(check, ctequery, { ctes: new Set(ctes), bound });
    ctes.add(String(ctename));
  }
  return { ctes, bound };
}

/** Checks the tables of FROM and WHERE, and the queries inside FROM. */
function checkRows(check: Check, items: readonly unknown[], where: unknown, outer: Level): Level {
  const from = readFrom(items, where, outer.ctes);
  const level = findBound(check, from, outer);
  for (const { node, lateral } of from.inside) walk(check, node, lateral ? level : outer);
  return level;
}

/** Checks a SELECT, and returns its scope. */
function checkSelect(check: Check, node: Tree, around: Level): Level {
  const { withClause, fromClause, larg, rarg, lockingClause: _, ...rest } = node;
  const outer = checkCtes(check, withClause, around);
  if (node.intoClause !== undefined) check.problems.push('select into');
  if (isTree(larg)) checkSelect(check, larg, outer);
  if (isTree(rarg)) checkSelect(check, rarg, outer);
  const level = checkRows(check, listOf(fromClause), node.whereClause, outer);
  walk(check, rest, level);
  return level;
}

/** Checks an UPDATE or a DELETE. */
function checkChange(check: Check, node: Tree, around: Level): void {
  const { withClause, relation, fromClause, usingClause, ...rest } = node;
  const outer = checkCtes(check, withClause, around);
  const items = [{ RangeVar: relation }, ...listOf(fromClause), ...listOf(usingClause)];
  // The target is always a table, even if a CTE has its name.
  const level = checkRows(check, items, node.whereClause, {
    ...outer,
    ctes: withoutTarget(outer.ctes, relation),
  });
  checkTenantUnchanged(check, relation, node.targetList);
  walk(check, rest, { ...level, ctes: outer.ctes });
}

function withoutTarget(ctes: ReadonlySet<string>, relation: unknown): ReadonlySet<string> {
  return new Set([...ctes].filter((name) => !isTree(relation) || name !== relation.relname));
}

/** Reports assignments to the tenant: no row may move to another one. */
function checkTenantUnchanged({ problems }: Check, relation: unknown, targets: unknown): void {
  const column = tenantColumnOf(isTree(relation) ? relation.relname : undefined);
  const moves = listOf(targets).some((target) => nodeOfKind('ResTarget', target)?.name === column);
  if (moves) problems.push(`set ${column}`);
}

function checkInsert(check: Check, node: Tree, around: Level): void {
  const outer = checkCtes(check, node.withClause, around);
  const table = isTree(node.relation) ? node.relation : {};
  const place = listOf(node.cols).findIndex(
    (column) => nodeOfKind('ResTarget', column)?.name === tenantColumnOf(table.relname),
  );
  const query = nodeOfKind('SelectStmt', node.selectStmt) ?? {};
  const level = checkSelect(check, query, outer);
  const values = listOf(query.valuesLists).map((row) => listOf(nodeOfKind('List', row)?.items)[place]);
  const chosen = listOf(query.targetList).map((target) => nodeOfKind('ResTarget', target)?.val)[place];
  const tenants = values.length > 0 ? values : [chosen];
  if (place < 0 || !tenants.every((tenant) => isTenant(check, tenant, level))) {
    check.problems.push(`insert into ${table.relname}`);
  }
  if (isTree(node.onConflictClause)) checkTenantUnchanged(check, table, node.onConflictClause.targetList);
  // A conflicting row has the same key, which begins with the tenant.
  const own = String(table.relname);
  const bound = new Map([...outer.bound, [nameOf(table), own], ['excluded', own]]);
  walk(check, [node.onConflictClause, node.returningClause], { ctes: outer.ctes, bound });
}
