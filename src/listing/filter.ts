import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { given, tenantId } from '../db/rows.ts';
import { comparable } from '../db/search-text.ts';
import type { statementFamily } from '../db/statement.ts';

/** A table with the columns that both lists need. */
export type ListedTable = PgTable & {
  id: PgColumn;
  name: PgColumn;
  tenantId: PgColumn;
  status: PgColumn;
  addressCountry: PgColumn;
  metadata: PgColumn;
  createdAt: PgColumn;
  updatedAt: PgColumn;
};

/** A table that can be listed. The expressions must equal those of its indexes. */
export interface Listed<T extends ListedTable = ListedTable> {
  table: T;
  /** The text that a search matches in a row. */
  text: SQL;
  /** The facets of a row: words for exact matches. */
  facets: SQL;
  /** Conditions that only this table has, each true if its placeholder is null. */
  filter?: SQL;
  /** Matches the rows of the requested customer. */
  owner?: SQL;
  /** Related rows in which a search can find an entity. */
  relatedSearch?: RelatedSearch;
  /** Rows to read with a page, the CTE `found`. */
  related?: () => Record<string, SQL>;
  /** The statements of this list. */
  family: ReturnType<typeof statementFamily>;
}

export interface RelatedSearch {
  /** Matches entities with a related row that contains the needle. */
  contains(needle: SQL): SQL;
  /** Selects the ids of entities with a related row that matches the pattern, by an index. */
  idsLike(pattern: SQL): SQL;
}

/**
 * The condition whose index finds the rows. All other conditions are true if they were not requested, so a list has one
 * statement for each driver and order, whatever the filter.
 */
export type Driver = 'ID' | 'CUSTOMER' | 'METADATA' | 'SEARCH' | 'FACETS' | 'CREATED' | 'UPDATED';

// In a sub-select, so that it is computed once instead of once per row.
export const needle = sql`(select ${comparable(given('needle', 'text'))})`;
export const pattern = comparable(given('pattern', 'text'));

export function inRange(column: PgColumn, name: 'created' | 'updated'): SQL {
  return sql`${column} >= ${given(`${name}From`, 'timestamptz')} and ${column} < ${given(`${name}Until`, 'timestamptz')}`;
}

/**
 * Matches all conditions except the search, in a form that uses no index: the planner would use it for conditions that
 * were not requested.
 */
export function filterWithoutSearch({ table, filter = sql`true` }: Listed): SQL {
  return sql`${table.status} = any(${given('statuses', 'text[]')})
    and (${given('country', 'text')} is null or ${table.addressCountry} = ${given('country', 'text')})
    and (${given('metadata', 'jsonb')} is null or ${table.metadata} @> ${given('metadata', 'jsonb')})
    and (${inRange(table.createdAt, 'created')}) is true and (${inRange(table.updatedAt, 'updated')}) is true
    and ${filter}`;
}

/** Matches all conditions with the search, row by row. */
export function fullFilter(listed: Listed): SQL {
  const inRelated = listed.relatedSearch ? sql`or ${listed.relatedSearch.contains(needle)}` : sql``;
  return sql`${filterWithoutSearch(listed)}
    and (${given('needle', 'text')} is null or strpos(${listed.text}, ${needle}) > 0 ${inRelated})`;
}

export function inTenant({ table }: Listed): SQL {
  return sql`${table.tenantId} = ${tenantId}`;
}

/** The parts of a table that have an index each for the order by the last change. */
export function partsOf({ status }: ListedTable): { live: SQL; archived: SQL } {
  return { live: sql`${status} <> 'ARCHIVED'`, archived: sql`${status} = 'ARCHIVED'` };
}

/** Matches the rows that the index of a driver finds. */
export function driverCondition(listed: Listed, driver: Driver): SQL {
  const { table, facets } = listed;
  const tenant = inTenant(listed);
  // The facets include the tenant. With a usable tenant condition beside it, the planner would read all rows of the
  // tenant.
  const byFacets = sql`(${tenant}) is true and ${facets} @> ${given('facets', 'text[]')}`;
  const { live, archived } = partsOf(table);
  const updated = inRange(table.updatedAt, 'updated');
  switch (driver) {
    case 'ID':
      return sql`${tenant} and ${table.id} = ${given('id', 'text')}
        and (${given('customerId', 'text')} is null or ${listed.owner ?? sql`true`})`;
    case 'CUSTOMER':
      return sql`${tenant} and ${listed.owner}`;
    case 'METADATA':
      return sql`${byFacets} and ${table.metadata} @> ${given('metadata', 'jsonb')}`;
    case 'CREATED':
      return sql`${tenant} and ${inRange(table.createdAt, 'created')}`;
    case 'UPDATED':
      return sql`${tenant} and (${live} and ${updated} or ${archived} and ${updated})`;
    default:
      return byFacets;
  }
}

/** Matches the rows of a filtered list. */
export function filteredCondition(listed: Listed, driver: Driver): SQL {
  return sql`${driverCondition(listed, driver)} and ${fullFilter(listed)}`;
}

/** Matches the rows of a list without a filter, of one customer or of all. */
export function unfilteredCondition(listed: Listed, driver: Driver | undefined): SQL {
  const owner = driver === 'CUSTOMER' ? sql`${listed.owner}` : sql`true`;
  return sql`${inTenant(listed)} and ${owner} and ${partsOf(listed.table).live}`;
}
