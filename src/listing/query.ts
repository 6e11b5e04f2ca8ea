import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { given } from '../db/rows.ts';
import type { Orm, Preparable } from '../db/statement.ts';
import {
  type Driver,
  driverCondition,
  fullFilter,
  inRange,
  inTenant,
  type Listed,
  type ListedTable,
  partsOf,
  patterns,
  wordPattern,
} from './filter.ts';
import {
  afterStart,
  countRows,
  countUpTo,
  longestPage,
  pageLimit,
  readPage,
  sortOf,
  tableIdentifier,
  type Walk,
  walkRows,
} from './keyset.ts';

/**
 * The number of rows that are scanned along the order, which finds common matches, before an index is used to find rare
 * ones.
 */
export const nearRowLimit = 2000;
/** The same for a count, which reads fewer columns. */
export const nearCountLimit = 20_000;

/** What a scan along the order showed, if it did not fill the page. */
export interface Probe {
  /** The number of scanned rows. Below the limit, they were all. */
  scanned: number;
  /** The words of the search as LIKE patterns, each with the number of scanned rows that contain it. */
  words: [pattern: string, hits: number][] | null;
}

export interface ListWalk {
  driver: Driver;
  walk: Walk;
  /** Whether this is the order by the last change, which has an index for live rows and one for archived rows. */
  byChange: boolean;
  /** The column of the order, if a range can bound it. */
  range: { column: PgColumn; name: 'created' | 'updated' } | undefined;
}

/** Selects the next rows in the order, whether they match the filter or not. */
function selectNearRows(listed: Listed, { driver, walk, byChange, range }: ListWalk, limit: number): SQL {
  const { live, archived } = partsOf(listed.table);
  const bounds = range ? inRange(range.column, range.name) : sql`true`;
  const ofOwner = driver === 'CUSTOMER_SEARCH' && byChange;
  // A part is skipped if the filter excludes it. The index of a customer's accounts has all parts.
  const parts = [
    sql`${live} and ${given('live', 'boolean')}`,
    sql`${archived} and ${given('archived', 'boolean')}`,
  ];
  return walkRows(
    listed.table,
    walk,
    sql`${inTenant(listed)} and ${ofOwner ? listed.owner : sql`true`} and ${bounds}`,
    {
      limit: sql.raw(String(limit)),
      ...(byChange && !ofOwner ? { parts } : {}),
    },
  );
}

/** Selects a `Probe` as JSON, if fewer rows were found than wanted. */
function probeUnless(enough: SQL, listed: Listed, near: SQL): SQL<Probe | null> {
  const hits = sql`select json_build_array(pattern, (select count(*) from near where search_text like pattern)) as word
    from unnest(${patterns}) as pattern`;
  return sql`(select case when not ${enough} then (
    with near as materialized (select ${listed.table.searchText} from ${near} as ${tableIdentifier(listed.table)})
    select json_build_object('scanned', (select count(*) from near), 'words', (select json_agg(word) from (${hits}) as words))
  ) end)`;
}

/** Reads one page of a filtered list by a short scan along the order. Selects a `probe` if that does not fill the page. */
export function readNearPage<T extends ListedTable>(orm: Orm, listed: Listed<T>, list: ListWalk) {
  const near = selectNearRows(listed, list, nearRowLimit);
  const name = tableIdentifier(listed.table);
  const rows = sql`(select * from ${near} as ${name} where ${fullFilter(listed)} order by ${sortOf(list.walk)} limit ${pageLimit})`;
  const isFull = sql`((select count(*) from found) >= ${pageLimit})`;
  return readPage(orm, listed, rows, list.walk, { probe: probeUnless(isFull, listed, near) });
}

/** Matches the rows of a filtered list by the index of a driver, and by this many words of the search. */
function farCondition(listed: Listed, driver: Driver, words: number): SQL {
  const ofWords = Array.from(
    { length: words },
    (_, n) => sql` and ${listed.table.searchText} like ${wordPattern(n)}`,
  );
  return sql`${driverCondition(listed, driver)}${sql.join(ofWords, sql``)} and ${fullFilter(listed)}`;
}

/** Reads one page of a filtered list by the index of a driver and a sort. */
export function readFarPage<T extends ListedTable>(
  orm: Orm,
  listed: Listed<T>,
  { driver, walk, words }: { driver: Driver; walk: Walk; words: number },
) {
  const where = farCondition(listed, driver, words);
  const rows = sql`(select * from ${listed.table} where ${where} and ${afterStart(walk)} order by ${sortOf(walk)} limit ${longestPage})`;
  return readPage(orm, listed, rows, walk);
}

/**
 * Reads one page of a customer's accounts in an order without an index: they are few, so they are sorted. `offset 0`
 * keeps the planner from scanning the whole tenant in that order.
 */
export function readSortedPage<T extends ListedTable>(orm: Orm, listed: Listed<T>, walk: Walk, where: SQL) {
  const { table } = listed;
  const rows = sql`(select * from ${table} where ${where} offset 0)`;
  const after = sql`(select * from ${rows} as ${tableIdentifier(table)} where ${afterStart(walk)} order by ${sortOf(walk)} limit ${longestPage})`;
  return readPage(orm, listed, after, walk);
}

/** The matches among the scanned rows. */
export interface NearCount {
  count: number;
  scanned: number;
  probe: Probe | null;
}

/** Counts the matches of a filtered list by a scan along an order. Selects a `probe` if there are more rows. */
export function countNear(orm: Orm, listed: Listed, list: ListWalk) {
  const near = selectNearRows(listed, list, nearCountLimit);
  const found = orm.$with('found', { count: sql<number>`count`, scanned: sql<number>`scanned` }).as(
    sql`select count(*) filter (where ${fullFilter(listed)})::integer as count, count(*)::integer as scanned
        from ${near} as ${tableIdentifier(listed.table)}`,
  );
  const isEnough = sql`(select count >= ${countUpTo} or scanned < ${sql.raw(String(nearCountLimit))} from found)`;
  return orm
    .with(found)
    .select({
      count: sql<number>`count`,
      scanned: sql<number>`scanned`,
      probe: probeUnless(isEnough, listed, selectNearRows(listed, list, nearRowLimit)),
    })
    .from(sql`found`) as unknown as Preparable<[NearCount]>;
}

/** Counts the matches of a filtered list by the index of a driver. */
export function countFar(orm: Orm, listed: Listed, { driver, words }: { driver: Driver; words: number }) {
  return countRows(orm, listed.table, farCondition(listed, driver, words));
}
