import { getTableName, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import type { Run } from '../ctx.ts';
import { jsonRows } from '../db/json.ts';
import { given, once } from '../db/rows.ts';
import { type Orm, type Preparable, type Statement, statement, statementFamily } from '../db/statement.ts';
import { maxPageSize, type Page, type PageRequest, type Position, pageOf } from '../lib/page.ts';

export type Direction = 'ASC' | 'DESC';

/** A total order of a table: a value, and a column that tells rows apart where it is equal. */
export interface Order {
  by: SQL | PgColumn;
  type: 'text' | 'timestamptz' | 'integer';
  direction: Direction;
  /** Always ascending; left out where `by` is unique. */
  tie?: PgColumn;
}

/** One way along an order: where the walk begins, and which way it goes. */
export interface Walk {
  order: Order;
  backward: boolean;
  /** False: from the very beginning. True: from the placeholders of `pageValues`. */
  from: boolean;
  /** Whether a row at the place where the walk begins belongs to it. */
  inclusive?: boolean;
}

export const pageLimit = sql.placeholder('limit');
/** A page and the row after it. Stated beside the placeholder: the planner takes an unknown limit for a tenth of the table. */
export const longestPage = sql.raw(String(maxPageSize + 1));

function ascends(direction: Direction, backward: boolean): boolean {
  return (direction === 'ASC') !== backward;
}

/** What a statement sorts a walk's rows by. */
export function sortOf({ order, backward }: Walk): SQL {
  const by = sql`${order.by} ${sql.raw(ascends(order.direction, backward) ? 'asc' : 'desc')}`;
  return order.tie ? sql`${by}, ${order.tie} ${sql.raw(ascends('ASC', backward) ? 'asc' : 'desc')}` : by;
}

/** The ways on from the place where a walk begins: through the rows that tie with it, then through those beyond. */
function stretchesOf({ order, backward, from, inclusive = false }: Walk): SQL[] {
  if (!from) return [sql`true`];
  const value = given('fromValue', order.type);
  const operator = (direction: Direction, orEqual: boolean) =>
    sql.raw(`${ascends(direction, backward) ? '>' : '<'}${orEqual ? '=' : ''}`);
  const beyond = (orEqual: boolean) => sql`${order.by} ${operator(order.direction, orEqual)} ${value}`;
  if (order.tie === undefined) return [beyond(inclusive)];
  const tie = sql`${order.tie} ${operator('ASC', inclusive)} ${given('fromTie', 'text')}`;
  return [sql`${order.by} = ${value} and ${tie}`, beyond(false)];
}

/** The condition that a row comes after the place where a walk begins, in a form that no index follows. */
export function afterStart(walk: Walk): SQL {
  return sql`(${sql.join(stretchesOf(walk), sql` or `)}) is true`;
}

export interface WalkOptions {
  /** How many rows at most; those of one page when it is left out. */
  limit?: SQL;
  /** Conditions that divide the table into parts, where each part has an index of its own for this order. */
  parts?: SQL[];
}

/**
 * The first rows of a walk that meet a condition. Each stretch is a walk of its own along an index, so the cost does not
 * grow with the place in the list: with an `or` in place of the union it would be a scan.
 */
export function walkRows(table: PgTable, walk: Walk, where: SQL, options: WalkOptions = {}): SQL {
  const { limit = longestPage, parts = [sql`true`] } = options;
  const sorted = sql`order by ${sortOf(walk)} limit ${limit}`;
  const branches = parts.flatMap((part) =>
    stretchesOf(walk).map(
      (stretch) => sql`(select * from ${table} where ${where} and ${part} and ${stretch} ${sorted})`,
    ),
  );
  if (branches.length === 1) return sql`${branches[0]}`;
  return sql`(select * from (${sql.join(branches, sql` union all `)}) as ${nameOf(table)} ${sorted})`;
}

/** A name for rows that have the columns of a table: its own, so that its columns mean them. */
export function nameOf(table: PgTable) {
  return sql.identifier(getTableName(table));
}

/** A table whose pages are read, and what is read along with the rows of one, its CTE `found`. */
export interface Paged<T extends PgTable = PgTable> {
  table: T;
  along?: () => Record<string, SQL>;
}

/** A page's rows as a statement answers them, with what was read along; null where it found none. */
export type Found<Row> = [{ rows: Row[] | null } & Record<string, unknown>];

/** Reads one page of the rows that a query names, which has the columns of the table. */
export function readPage<T extends PgTable>(orm: Orm, { table, along }: Paged<T>, rows: SQL, walk: Walk) {
  const name = nameOf(table);
  const found = orm
    .$with('found', { rows: sql`rows` })
    .as(sql`select * from ${rows} as ${name} order by ${sortOf(walk)} limit ${pageLimit}`);
  const page = jsonRows(table, getTableName(table), { source: sql`found as ${name}`, order: sortOf(walk) });
  return orm
    .with(found)
    .select({ rows: page, ...along?.() })
    .from(once) as unknown as Preparable<Found<InferSelectModel<T>>>;
}

/** One page of the rows that meet a condition, which an index serves in this order. */
export function pageQuery<T extends PgTable>(orm: Orm, paged: Paged<T>, walk: Walk, where: SQL) {
  return readPage(orm, paged, walkRows(paged.table, walk, where), walk);
}

/** Counts the rows that meet a condition. */
export function countRows(orm: Orm, table: PgTable, where: SQL) {
  return orm.select({ count: sql<number>`count(*)::integer` }).from(table).where(where);
}

/** The statements of a list in one order. */
export interface List<Row> {
  order: Order;
  select(walk: Walk): Statement<Found<Row>>;
  count: Statement<{ count: number }[]>;
}

/** Defines the list of the rows that meet a condition, in an order that an index serves. */
export function keysetList<T extends PgTable>(
  name: string,
  { table, order, where }: { table: T; order: Order; where: SQL },
): List<InferSelectModel<T>> {
  const family = statementFamily();
  return {
    order,
    select: (walk) => family(nameOfWalk(name, walk), (orm) => pageQuery(orm, { table }, walk, where)),
    count: statement(`${name}_count`, (orm) => countRows(orm, table, where)),
  };
}

/** The values of a walk's placeholders. */
function pageValues(limit: number, from: Position | undefined): Record<string, unknown> {
  return { limit, ...(from === undefined ? {} : { fromValue: from[0], fromTie: from[1] }) };
}

/** Names a walk in the name of its statement. */
export function nameOfWalk(orderName: string, { backward, from, inclusive = false }: Walk): string {
  const start = inclusive ? 'at' : 'on';
  return `${orderName.toLowerCase().replaceAll(' ', '_')}_${backward ? 'backward' : 'forward'}_${from ? start : 'start'}`;
}

/** A place before every row of a walk: lets a statement that begins anywhere begin at the beginning. */
function beginningOf({ order, backward }: Walk): Position {
  const up = ascends(order.direction, backward);
  if (order.type === 'timestamptz') return [up ? '-infinity' : 'infinity', ''];
  // No character is greater, and no value is as long.
  return [up ? '' : '\u{10FFFF}'.repeat(256), ''];
}

/** A list in one order. */
export interface PageSource<Row> {
  order: Order;
  /** The statement that reads a page of a walk. */
  select(walk: Walk): Statement<Found<Row>>;
  /** The values of the statement's own placeholders. */
  values: Record<string, unknown>;
  /** Whether the list has statements only for walks that begin at a place. */
  alwaysFrom?: boolean;
}

/** Reads a page of a list, with what was read along. */
export async function runPage<Row>(
  run: Run,
  request: PageRequest,
  { order, select, values, alwaysFrom = false }: PageSource<Row>,
): Promise<Page<Row> & { found: Found<Row>[0] }> {
  const { size, backward, from } = request;
  const walk = { order, backward, from: from !== undefined || alwaysFrom };
  const start = from ?? (alwaysFrom ? beginningOf(walk) : undefined);
  // One row more than the page, to see whether the walk goes on.
  const [found] = await run(select(walk), { ...values, ...pageValues(size + 1, start) });
  const findBehind = async () => {
    // The row of the cursor is not on the page, so it is behind it, if it is still in the list.
    const back = { order, backward: !backward, from: true, inclusive: true };
    const [behind] = await run(select(back), { ...values, ...pageValues(1, from) });
    return (behind.rows ?? []).length > 0;
  };
  return { ...pageOf(request, found.rows ?? [], findBehind), found };
}
