import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { given } from '../db/rows.ts';
import type { Orm } from '../db/statement.ts';
import {
  between,
  type Driver,
  driven,
  filteredList,
  inTenant,
  type Listed,
  type ListedTable,
  partsOf,
  pattern,
  plainFilter,
  wholeFilter,
} from './filter.ts';
import {
  afterStart,
  countRows,
  longestPage,
  nameOf,
  pageLimit,
  readPage,
  sortOf,
  type Walk,
  walkRows,
} from './keyset.ts';

/** How far a page is looked for along its order, which finds what is common, before an index is asked for what is rare. */
const nearRows = sql.raw('1000');
/** More than these are no longer rare. */
const maxRare = 10_000;

/** What a search finds by the trigram indexes, with the ids that it finds elsewhere. */
function searchedByIndex(listed: Listed, ids: SQL | undefined): SQL {
  const byId = ids ? sql`or ${listed.table.id} = any(array(${ids}))` : sql``;
  return sql`${driven(listed, 'FACETS')} and ${plainFilter(listed)} and (${listed.text} like ${pattern} ${byId})`;
}

function sorted({ table }: Listed, walk: Walk, where: SQL): SQL {
  return sql`(select * from ${table} where ${where} and ${afterStart(walk)} order by ${sortOf(walk)} limit ${longestPage}) as far`;
}

const isFar = sql`not (select near_is_enough from enough)`;

/** What a search finds beyond what is near. */
function searchFar(listed: Listed, walk: Walk): SQL {
  const { elsewhere } = listed;
  const byIndex = searchedByIndex(listed, elsewhere && sql`select id from elsewhere`);
  if (elsewhere === undefined) return sql`select * from ${sorted(listed, walk, byIndex)} where ${isFar}`;
  const byFacets = sorted(listed, walk, filteredList(listed, 'FACETS'));
  const along = walkRows(listed.table, walk, sql`${inTenant(listed)} and ${wholeFilter(listed)}`);
  const when = (way: string) => sql`${isFar} and (select way from search) = ${sql.raw(`'${way}'`)}`;
  return sql`select * from ${sorted(listed, walk, byIndex)} where ${when('INDEX')}
    union all select * from ${byFacets} where ${when('FACETS')}
    union all select * from ${along} as along where ${when('ALONG')}`;
}

/** What is found elsewhere, and by what the rest is found best: that, when it is few, or else facets, when they are rare. */
function searchWay(listed: Listed): SQL {
  if (listed.elsewhere === undefined) return sql``;
  const most = sql.raw(String(maxRare));
  const withFacets = sql`select from ${listed.table} where ${driven(listed, 'FACETS')} limit ${most} + 1`;
  return sql`, elsewhere(id) as materialized (${listed.elsewhere.idsLike(pattern)} limit ${most} + 1),
    search as materialized (select case when (select count(*) from elsewhere) <= ${most} then 'INDEX'
      when cardinality(${given('facets', 'text[]')}) > 1 and (select count(*) from (${withFacets}) as faced) <= ${most} then 'FACETS'
      else 'ALONG' end as way)`;
}

export interface ListWalk {
  driver: Driver;
  walk: Walk;
  /** Whether it is the order by the last change, for which live and archived rows each have an index. */
  byChange: boolean;
  /** What the order is by, when a range may narrow it down. */
  range: { column: PgColumn; name: 'created' | 'updated' } | undefined;
}

/** The rows that come next in the order, whether they meet the filter or not. */
function nearList(listed: Listed, { walk, byChange, range }: ListWalk): SQL {
  const { live, archived } = partsOf(listed.table);
  const bounds = range ? between(range.column, range.name) : sql`true`;
  // A part is left alone when the filter asks for none of it.
  const parts = [
    sql`${live} and ${given('live', 'boolean')}`,
    sql`${archived} and ${given('archived', 'boolean')}`,
  ];
  return walkRows(listed.table, walk, sql`${inTenant(listed)} and ${bounds}`, {
    limit: nearRows,
    ...(byChange ? { parts } : {}),
  });
}

/**
 * One page of a filtered list in one statement, whether half of a million rows meet the filter or none: first a short
 * walk along the order, and only if that fills no page, the driver's index and a sort.
 */
export function listPage<T extends ListedTable>(orm: Orm, listed: Listed<T>, list: ListWalk) {
  const { driver, walk } = list;
  const { table } = listed;
  const isSearch = driver === 'SEARCH';
  const far = isSearch
    ? searchFar(listed, walk)
    : sql`select * from ${sorted(listed, walk, filteredList(listed, driver))} where ${isFar}`;
  const rows = sql`(with near as ${nearList(listed, list)},
    page as (select * from near as ${nameOf(table)} where ${wholeFilter(listed)} order by ${sortOf(walk)} limit ${pageLimit}),
    enough as materialized (select (select count(*) from page) >= ${pageLimit}
      or (select count(*) from near) < ${nearRows} as near_is_enough)
    ${isSearch ? searchWay(listed) : sql``}
    select * from page where (select near_is_enough from enough)
    union all ${far})`;
  return readPage(orm, listed, rows, walk);
}

/**
 * One page of a customer's accounts in an order that has no index for them: few, so they are sorted. `offset 0` keeps the
 * planner from walking the whole tenant in that order instead.
 */
export function sortedPage<T extends ListedTable>(orm: Orm, listed: Listed<T>, walk: Walk, where: SQL) {
  const { table } = listed;
  const rows = sql`(select * from ${table} where ${where} offset 0)`;
  const after = sql`(select * from ${rows} as ${nameOf(table)} where ${afterStart(walk)} order by ${sortOf(walk)} limit ${longestPage})`;
  return readPage(orm, listed, after, walk);
}

/** Counts the rows that meet a condition, or those that a search finds when that is the driver of a filtered list. */
export function listCount(orm: Orm, listed: Listed, where: SQL, isSearch: boolean) {
  const condition = isSearch ? searchedByIndex(listed, listed.elsewhere?.idsLike(pattern)) : where;
  return countRows(orm, listed.table, condition);
}
