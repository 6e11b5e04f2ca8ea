import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { given } from '../db/rows.ts';
import type { Orm } from '../db/statement.ts';
import {
  type Driver,
  driverCondition,
  filteredCondition,
  filterWithoutSearch,
  fullFilter,
  inRange,
  inTenant,
  type Listed,
  type ListedTable,
  partsOf,
  pattern,
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
 * The number of rows that are scanned along the order, which finds common matches, before an index is used to find rare
 * ones.
 */
const nearRowLimit = sql.raw('1000');
/** The most rows of a rare match. */
const maxRareMatches = 10_000;

/** Matches rows by the trigram index, or by the ids of related rows. */
function matchByIndex(listed: Listed, ids: SQL | undefined): SQL {
  const byId = ids ? sql`or ${listed.table.id} = any(array(${ids}))` : sql``;
  return sql`${driverCondition(listed, 'FACETS')} and ${filterWithoutSearch(listed)} and (${listed.text} like ${pattern} ${byId})`;
}

function selectSorted({ table }: Listed, walk: Walk, where: SQL): SQL {
  return sql`(select * from ${table} where ${where} and ${afterStart(walk)} order by ${sortOf(walk)} limit ${longestPage}) as far`;
}

const isFar = sql`not (select near_is_enough from enough)`;

/** Selects the matches of a search beyond the rows near the start of the page. */
function selectFarMatches(listed: Listed, walk: Walk): SQL {
  const { relatedSearch } = listed;
  const byIndex = matchByIndex(listed, relatedSearch && sql`select id from elsewhere`);
  if (relatedSearch === undefined)
    return sql`select * from ${selectSorted(listed, walk, byIndex)} where ${isFar}`;
  const byFacets = selectSorted(listed, walk, filteredCondition(listed, 'FACETS'));
  const along = walkRows(listed.table, walk, sql`${inTenant(listed)} and ${fullFilter(listed)}`);
  const when = (way: string) => sql`${isFar} and (select way from search) = ${sql.raw(`'${way}'`)}`;
  return sql`select * from ${selectSorted(listed, walk, byIndex)} where ${when('INDEX')}
    union all select * from ${byFacets} where ${when('FACETS')}
    union all select * from ${along} as along where ${when('ALONG')}`;
}

/**
 * Returns CTEs that choose a strategy: the trigram index if few related rows match, the facets if they are rare,
 * otherwise a scan along the order.
 */
function searchStrategy(listed: Listed): SQL {
  if (listed.relatedSearch === undefined) return sql``;
  const most = sql.raw(String(maxRareMatches));
  const withFacets = sql`select from ${listed.table} where ${driverCondition(listed, 'FACETS')} limit ${most} + 1`;
  return sql`, elsewhere(id) as materialized (${listed.relatedSearch.idsLike(pattern)} limit ${most} + 1),
    search as materialized (select case when (select count(*) from elsewhere) <= ${most} then 'INDEX'
      when cardinality(${given('facets', 'text[]')}) > 1 and (select count(*) from (${withFacets}) as faced) <= ${most} then 'FACETS'
      else 'ALONG' end as way)`;
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
function selectNearRows(listed: Listed, { walk, byChange, range }: ListWalk): SQL {
  const { live, archived } = partsOf(listed.table);
  const bounds = range ? inRange(range.column, range.name) : sql`true`;
  // A part is skipped if the filter excludes it.
  const parts = [
    sql`${live} and ${given('live', 'boolean')}`,
    sql`${archived} and ${given('archived', 'boolean')}`,
  ];
  return walkRows(listed.table, walk, sql`${inTenant(listed)} and ${bounds}`, {
    limit: nearRowLimit,
    ...(byChange ? { parts } : {}),
  });
}

/**
 * Reads one page of a filtered list in one statement, for common and for rare matches: first a short scan along the
 * order. Only if that does not fill the page, the index of the driver and a sort.
 */
export function readFilteredPage<T extends ListedTable>(orm: Orm, listed: Listed<T>, list: ListWalk) {
  const { driver, walk } = list;
  const { table } = listed;
  const isSearch = driver === 'SEARCH';
  const far = isSearch
    ? selectFarMatches(listed, walk)
    : sql`select * from ${selectSorted(listed, walk, filteredCondition(listed, driver))} where ${isFar}`;
  const rows = sql`(with near as ${selectNearRows(listed, list)},
    page as (select * from near as ${tableIdentifier(table)} where ${fullFilter(listed)} order by ${sortOf(walk)} limit ${pageLimit}),
    enough as materialized (select (select count(*) from page) >= ${pageLimit}
      or (select count(*) from near) < ${nearRowLimit} as near_is_enough)
    ${isSearch ? searchStrategy(listed) : sql``}
    select * from page where (select near_is_enough from enough)
    union all ${far})`;
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

/** Counts the rows that match a condition, or the matches of a search if the search is the driver. */
export function countList(orm: Orm, listed: Listed, where: SQL, isSearch: boolean) {
  const condition = isSearch ? matchByIndex(listed, listed.relatedSearch?.idsLike(pattern)) : where;
  return countRows(orm, listed.table, condition);
}
