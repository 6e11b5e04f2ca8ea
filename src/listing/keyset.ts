import { getTableName, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { WithSubquery } from 'drizzle-orm/subquery';
import type { Run } from '../ctx.ts';
import { jsonRows } from '../db/json.ts';
import { given, oneRow } from '../db/rows.ts';
import { type Orm, type Preparable, type Statement, statement, statementFamily } from '../db/statement.ts';
import {
  maxPageSize,
  maxTotalCount,
  type Page,
  type PageRequest,
  type Position,
  pageOf,
} from '../lib/page.ts';

export type Direction = 'ASC' | 'DESC';

/** A total order of the rows of a table: a value, and a column that breaks ties. */
export interface Order {
  by: SQL | PgColumn;
  type: 'text' | 'timestamptz' | 'integer' | 'uuid';
  direction: Direction;
  /** Always ascending. Absent if `by` is unique. */
  tie?: PgColumn;
}

/** A walk along an order: its start and its direction. */
export interface Walk {
  order: Order;
  backward: boolean;
  /** Whether the walk starts at the placeholders of `pageValues`. False: at the first row. */
  from: boolean;
  /** Whether the walk includes a row at its start. */
  inclusive?: boolean;
}

export const pageLimit = sql.placeholder('limit');
/**
 * The longest page and one row more. A constant, because the planner assumes that an unknown limit returns a tenth of
 * the table.
 */
export const longestPage = sql.raw(String(maxPageSize + 1));

function ascends(direction: Direction, backward: boolean): boolean {
  return (direction === 'ASC') !== backward;
}

/** Returns the ORDER BY of a walk. */
export function sortOf({ order, backward }: Walk): SQL {
  const by = sql`${order.by} ${sql.raw(ascends(order.direction, backward) ? 'asc' : 'desc')}`;
  return order.tie ? sql`${by}, ${order.tie} ${sql.raw(ascends('ASC', backward) ? 'asc' : 'desc')}` : by;
}

/** Returns the conditions of the segments after the start of a walk: rows that tie with it, then rows beyond it. */
function segmentsOf({ order, backward, from, inclusive = false }: Walk): SQL[] {
  if (!from) return [sql`true`];
  const value = given('fromValue', order.type);
  const operator = (direction: Direction, orEqual: boolean) =>
    sql.raw(`${ascends(direction, backward) ? '>' : '<'}${orEqual ? '=' : ''}`);
  const beyond = (orEqual: boolean) => sql`${order.by} ${operator(order.direction, orEqual)} ${value}`;
  if (order.tie === undefined) return [beyond(inclusive)];
  const tie = sql`${order.tie} ${operator('ASC', inclusive)} ${given('fromTie', 'text')}`;
  return [sql`${order.by} = ${value} and ${tie}`, beyond(false)];
}

/** Matches the rows after the start of a walk, in a form that uses no index. */
export function afterStart(walk: Walk): SQL {
  return sql`(${sql.join(segmentsOf(walk), sql` or `)}) is true`;
}

export interface WalkOptions {
  /** The most rows. Default: one page. */
  limit?: SQL;
  /** Conditions that split the table into parts, each with its own index for this order. */
  parts?: SQL[];
}

/**
 * Selects the first rows of a walk that match a condition. Each segment is an index scan, so the cost does not depend
 * on the position in the list. With `or` instead of the union, it would.
 */
export function walkRows(table: PgTable, walk: Walk, where: SQL, options: WalkOptions = {}): SQL {
  const { limit = longestPage, parts = [sql`true`] } = options;
  const sorted = sql`order by ${sortOf(walk)} limit ${limit}`;
  const branches = parts.flatMap((part) =>
    segmentsOf(walk).map(
      (stretch) => sql`(select * from ${table} where ${where} and ${part} and ${stretch} ${sorted})`,
    ),
  );
  if (branches.length === 1) return sql`${branches[0]}`;
  return sql`(select * from (${sql.join(branches, sql` union all `)}) as ${tableIdentifier(table)} ${sorted})`;
}

/** Returns the name for rows that have the columns of a table: its own name, so that its columns refer to them. */
export function tableIdentifier(table: PgTable) {
  return sql.identifier(getTableName(table));
}

/** A table that can be read in pages, and the rows to read with a page, the CTE `found`. */
export interface Paged<T extends PgTable = PgTable> {
  table: T;
  related?: () => Record<string, SQL>;
}

/** The result of a page: its rows and the related rows. `null` if there are none. */
export type Found<Row> = [{ rows: Row[] | null } & Record<string, unknown>];

/** What a page is read with: a CTE that its rows come from, and further columns. */
interface PageParts {
  source?: WithSubquery;
  more?: Record<string, SQL>;
}

/** Reads one page of the rows of a query, which has the columns of the table. */
export function readPage<T extends PgTable>(
  orm: Orm,
  { table, related }: Paged<T>,
  rows: SQL,
  walk: Walk,
  { source, more }: PageParts = {},
) {
  const name = tableIdentifier(table);
  const found = orm
    .$with('found', { rows: sql`rows` })
    .as(sql`select * from ${rows} as ${name} order by ${sortOf(walk)} limit ${pageLimit}`);
  const page = jsonRows(table, getTableName(table), { source: sql`found as ${name}`, order: sortOf(walk) });
  return orm
    .with(...(source ? [source] : []), found)
    .select({ rows: page, ...related?.(), ...more })
    .from(oneRow) as unknown as Preparable<Found<InferSelectModel<T>>>;
}

/** Reads one page of the rows that match a condition, in an order that has an index. */
export function readOrderedPage<T extends PgTable>(orm: Orm, paged: Paged<T>, walk: Walk, where: SQL) {
  return readPage(orm, paged, walkRows(paged.table, walk, where), walk);
}

/** One more than the highest count of a list. */
export const countUpTo = sql.raw(String(maxTotalCount + 1));

/** Counts the rows that match a condition, up to `countUpTo`. */
export function countRows(orm: Orm, table: PgTable, where: SQL) {
  return orm
    .select({ count: sql<number>`count(*)::integer` })
    .from(sql`(select from ${table} where ${where} limit ${countUpTo}) as counted`);
}

/** The statements of a list in one order. */
export interface List<Row> {
  order: Order;
  select(walk: Walk): Statement<Found<Row>>;
  count: Statement<{ count: number }[]>;
}

/** Defines the list of the rows that match a condition, in an order that has an index. */
export function keysetList<T extends PgTable>(
  name: string,
  { table, order, where }: { table: T; order: Order; where: SQL },
): List<InferSelectModel<T>> {
  const family = statementFamily();
  return {
    order,
    select: (walk) => family(walkName(name, walk), (orm) => readOrderedPage(orm, { table }, walk, where)),
    count: statement(`${name}_count`, (orm) => countRows(orm, table, where)),
  };
}

/** Returns the values of a walk's placeholders. */
function pageValues(limit: number, from: Position | undefined): Record<string, unknown> {
  return { limit, ...(from === undefined ? {} : { fromValue: from[0], fromTie: from[1] }) };
}

/** Returns the part of a statement name that identifies a walk. */
export function walkName(orderName: string, { backward, from, inclusive = false }: Walk): string {
  const start = inclusive ? 'at' : 'on';
  return `${orderName.toLowerCase().replaceAll(' ', '_')}_${backward ? 'backward' : 'forward'}_${from ? start : 'start'}`;
}

/** Returns a position before every row, for statements that always start at a position. */
function startPosition({ order, backward }: Walk): Position {
  const up = ascends(order.direction, backward);
  if (order.type === 'timestamptz') return [up ? '-infinity' : 'infinity', ''];
  // Above the greatest code point repeated to the greatest length, there is no value.
  return [up ? '' : '\u{10FFFF}'.repeat(256), ''];
}

/** A list in one order. */
export interface PageSource<Row> {
  order: Order;
  /** Returns the statement that reads a page of a walk. */
  select(walk: Walk): Statement<Found<Row>>;
  /** The values of the statement's own placeholders. */
  values: Record<string, unknown>;
  /** Whether the statements of the list always start at a position. */
  alwaysFrom?: boolean;
  /** Returns a result with the whole page, if the statement found too few rows. */
  complete?: (walk: Walk, found: Found<Row>[0], values: Record<string, unknown>) => Promise<Found<Row>[0]>;
}

/** Reads a page of a list, with the related rows. */
export async function runPage<Row>(
  run: Run,
  request: PageRequest,
  { order, select, values, alwaysFrom = false, complete }: PageSource<Row>,
): Promise<Page<Row> & { found: Found<Row>[0] }> {
  const { size, backward, from } = request;
  const walk = { order, backward, from: from !== undefined || alwaysFrom };
  const start = from ?? (alwaysFrom ? startPosition(walk) : undefined);
  const read = async (along: Walk, all: Record<string, unknown>) => {
    const [found] = await run(select(along), all);
    return complete === undefined ? found : complete(along, found, all);
  };
  // One row more than the page shows whether the walk continues.
  const found = await read(walk, { ...values, ...pageValues(size + 1, start) });
  const findBehind = async () => {
    // The row of the cursor is before the page, if it is still in the list.
    const back = { order, backward: !backward, from: true, inclusive: true };
    const behind = await read(back, { ...values, ...pageValues(1, from) });
    return (behind.rows ?? []).length > 0;
  };
  return { ...pageOf(request, found.rows ?? [], findBehind), found };
}
