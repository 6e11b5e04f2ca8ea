import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { given, tenantId } from '../db/rows.ts';
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
  searchText: PgColumn;
  facets: PgColumn;
};

/** A table that can be listed. The expressions must equal those of its indexes. */
export interface Listed<T extends ListedTable = ListedTable> {
  table: T;
  /** Facets of the filter that only this table has. */
  wantedFacets?: SQL;
  /** Conditions that only this table has, each true if its placeholder is null. */
  filter?: SQL;
  /** Matches the rows of the requested customer. */
  owner?: SQL;
  /** Returns a stricter condition than the default, that the text of a row matches all patterns. */
  matches?: (patterns: SQL) => SQL;
  /** Rows to read with a page, the CTE `found`. */
  related?: () => Record<string, SQL>;
  /** The statements of this list. */
  family: ReturnType<typeof statementFamily>;
}

/**
 * The condition whose index finds the rows. All other conditions are true if they were not requested, so a list has one
 * statement for each driver and order, whatever the filter.
 */
export type Driver =
  | 'ID'
  | 'CUSTOMER'
  | 'CUSTOMER_SEARCH'
  | 'METADATA'
  | 'SEARCH'
  | 'FACETS'
  | 'CREATED'
  | 'UPDATED';

/**
 * The words of the search as LIKE patterns; null without a search. In a sub-select, so that they are computed once
 * instead of once per row.
 */
export const patterns = sql`(select search_patterns(${given('search', 'text')}))::text[]`;

/** One of the words of the search that the index is used for. */
export function wordPattern(index: number): SQL {
  return given(`word${index}`, 'text');
}

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
  const { table, matches = (all: SQL) => sql`${table.searchText} like all(${all})` } = listed;
  return sql`${filterWithoutSearch(listed)}
    and (${given('search', 'text')} is null or ${matches(patterns)})`;
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
  const { table, wantedFacets } = listed;
  const tenant = inTenant(listed);
  // The facets include the tenant. With a usable tenant condition beside it, the planner would read all rows of the
  // tenant.
  const wanted = sql`${given('facets', 'text[]')}${wantedFacets ? sql` || ${wantedFacets}` : sql``}`;
  const byFacets = sql`(${tenant}) is true and ${table.facets} @> (${wanted})`;
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
