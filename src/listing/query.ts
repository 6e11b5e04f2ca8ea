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
  longestPage,
  pageLimit,
  readPage,
  sortOf,
  tableIdentifier,
  type Walk,
  walkRows,
} from './keyset.ts';

/**
 * The numbers of rows that are scanned along the order, which finds common matches, before an index is used to find
 * rare ones. The second scan follows only if the first one found some.
 */
export const nearRowLimits = { first: 500, second: 20_000 };

/** What a scan along the order showed. */
export interface Probe {
  /** The number of scanned rows. Below the limit, they were all. */
  scanned: number;
  /** The number of matches among them. */
  matches: number;
  /** The parts of words that an index can find, as LIKE patterns, each with the number of scanned rows that match it. */
  pieces: [pattern: string, hits: number][] | null;
}

export interface ListWalk {
  /** The most rows to scan along the order. */
  limit: number;
  driver: Driver;
  walk: Walk;
  /** Whether this is the order by the last change, which has an index for live rows and one for archived rows. */
  byChange: boolean;
  /** The column of the order, if a range can bound it. */
  range: { column: PgColumn; name: 'created' | 'updated' } | undefined;
}

/** Selects the next rows in the order, whether they match the filter or not. */
function selectNearRows(listed: Listed, { driver, walk, byChange, range, limit }: ListWalk): SQL {
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

/**
 * Returns the CTE `near`: the near rows in their order, each with whether it matches. Its rows are read as far as they
 * are needed.
 */
function nearStep(orm: Orm, listed: Listed, list: ListWalk) {
  const { id, searchText } = listed.table;
  const rows = sql`select ${id}, ${searchText}, ${fullFilter(listed)} as is_match
    from ${selectNearRows(listed, list)} as ${tableIdentifier(listed.table)}`;
  return orm.$with('near', { rows: sql`rows` }).as(rows);
}

/** Returns a query of one row, the `Probe` of the near rows. */
const probe = sql`select (select count(*) from near)::integer as scanned,
  (select count(*) from near where is_match)::integer as matches,
  (select json_agg(json_build_array(piece, (select count(*) from near where search_text like piece)))
    from unnest(search_pieces(${patterns})) as piece) as pieces`;

/** Reads one page of a filtered list by a short scan along the order. Selects a `probe` if that does not fill the page. */
export function readNearPage<T extends ListedTable>(orm: Orm, listed: Listed<T>, list: ListWalk) {
  // The CTE is in the order of the page. A sort here would read all its rows.
  const ids = sql`array(select id from near where is_match limit ${pageLimit})`;
  const rows = sql`(select * from ${listed.table} where ${inTenant(listed)} and ${listed.table.id} = any(${ids}))`;
  const missing = sql`(select case when (select count(*) from found) < ${pageLimit}
    then (select to_json(probe) from (${probe}) as probe) end)`;
  return readPage(orm, listed, rows, list.walk, {
    source: nearStep(orm, listed, list),
    more: { probe: missing },
  });
}

/** Matches the rows of a filtered list by the index of a driver, and by this many words of the search. */
function farCondition(listed: Listed, driver: Driver, words: number): SQL {
  const ofWords = Array.from(
    { length: words },
    (_, n) => sql` and ${listed.table.searchText} like ${wordPattern(n)}`,
  );
  // A search of apostrophes has no words, and reads no rows.
  const hasWords = sql`(${given('search', 'text')} is null or ${patterns} is not null)`;
  return sql`${hasWords} and ${driverCondition(listed, driver)}${sql.join(ofWords, sql``)} and ${fullFilter(listed)}`;
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

/** Reads what a short scan along the order shows. */
export function readProbe(orm: Orm, listed: Listed, list: ListWalk) {
  return orm
    .with(nearStep(orm, listed, list))
    .select({
      scanned: sql<number>`scanned`,
      matches: sql<number>`matches`,
      pieces: sql<Probe['pieces']>`pieces`,
    })
    .from(sql`(${probe}) as probe`) as unknown as Preparable<[Probe]>;
}

/** Counts the matches of a filtered list row by row, which is fast if most rows match. */
export function countAlong(orm: Orm, listed: Listed) {
  return countRows(orm, listed.table, sql`${inTenant(listed)} and ${fullFilter(listed)}`);
}

/** Counts the matches of a filtered list by the index of a driver. */
export function countFar(orm: Orm, listed: Listed, { driver, words }: { driver: Driver; words: number }) {
  return countRows(orm, listed.table, farCondition(listed, driver, words));
}
