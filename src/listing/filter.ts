import { type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { given, tenantId } from '../db/rows.ts';
import { comparable } from '../db/search-text.ts';
import type { statementFamily } from '../db/statement.ts';

/** What the lists of accounts and of customers have in common. */
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

/** A table that can be listed, with the expressions as its indexes have them. */
export interface Listed<T extends ListedTable = ListedTable> {
  table: T;
  /** What a search looks at in a row. */
  text: SQL;
  /** The words of a row that narrow a list down. */
  facets: SQL;
  /** What only this table can be asked for, each part true when its placeholder is null. */
  filter?: SQL;
  /** That a row belongs to the customer asked for. */
  owner?: SQL;
  /** Other rows in which a search may find an entity. */
  elsewhere?: Elsewhere;
  /** What is read along with the rows of a page, the CTE `found`. */
  along?: () => Record<string, SQL>;
  /** The statements of the list. */
  family: ReturnType<typeof statementFamily>;
}

export interface Elsewhere {
  /** Whether the entity of the statement's row has one that contains the needle. */
  contains(needle: SQL): SQL;
  /** Selects the ids of the entities that have one like the pattern, by an index. */
  idsLike(pattern: SQL): SQL;
}

/**
 * By which condition an index finds the rows of a filter. Every other condition stands behind it in a form that is true
 * when it was not asked for: so a list has one text for each driver and order, however many filters clients think of.
 */
export type Driver = 'ID' | 'CUSTOMER' | 'METADATA' | 'SEARCH' | 'FACETS' | 'CREATED' | 'UPDATED';

// In a sub-select, so that it is made once and not for every row.
export const needle = sql`(select ${comparable(given('needle', 'text'))})`;
export const pattern = comparable(given('pattern', 'text'));

export function between(column: PgColumn, name: 'created' | 'updated'): SQL {
  return sql`${column} >= ${given(`${name}From`, 'timestamptz')} and ${column} < ${given(`${name}Until`, 'timestamptz')}`;
}

/** All of a filter but the search, in a form that no index follows: one would be followed where nothing was asked for. */
export function plainFilter({ table, filter = sql`true` }: Listed): SQL {
  return sql`${table.status} = any(${given('statuses', 'text[]')})
    and (${given('country', 'text')} is null or ${table.addressCountry} = ${given('country', 'text')})
    and (${given('metadata', 'jsonb')} is null or ${table.metadata} @> ${given('metadata', 'jsonb')})
    and (${between(table.createdAt, 'created')}) is true and (${between(table.updatedAt, 'updated')}) is true
    and ${filter}`;
}

/** A filter with its search, row by row. */
export function wholeFilter(listed: Listed): SQL {
  const elsewhere = listed.elsewhere ? sql`or ${listed.elsewhere.contains(needle)}` : sql``;
  return sql`${plainFilter(listed)}
    and (${given('needle', 'text')} is null or strpos(${listed.text}, ${needle}) > 0 ${elsewhere})`;
}

export function inTenant({ table }: Listed): SQL {
  return sql`${table.tenantId} = ${tenantId}`;
}

/** The parts of a table that have an index of their own for the order by the last change. */
export function partsOf({ status }: ListedTable): { live: SQL; archived: SQL } {
  return { live: sql`${status} <> 'ARCHIVED'`, archived: sql`${status} = 'ARCHIVED'` };
}

/** The rows that the index of a driver finds. */
export function driven(listed: Listed, driver: Driver): SQL {
  const { table, facets } = listed;
  const tenant = inTenant(listed);
  // The facets hold the tenant, too: offered an index for it besides, the planner reads all entries of the tenant.
  const byFacets = sql`(${tenant}) is true and ${facets} @> ${given('facets', 'text[]')}`;
  const { live, archived } = partsOf(table);
  const updated = between(table.updatedAt, 'updated');
  switch (driver) {
    case 'ID':
      return sql`${tenant} and ${table.id} = ${given('id', 'text')}
        and (${given('customerId', 'text')} is null or ${listed.owner ?? sql`true`})`;
    case 'CUSTOMER':
      return sql`${tenant} and ${listed.owner}`;
    case 'METADATA':
      return sql`${byFacets} and ${table.metadata} @> ${given('metadata', 'jsonb')}`;
    case 'CREATED':
      return sql`${tenant} and ${between(table.createdAt, 'created')}`;
    case 'UPDATED':
      return sql`${tenant} and (${live} and ${updated} or ${archived} and ${updated})`;
    default:
      return byFacets;
  }
}

/** Every row of a filtered list. */
export function filteredList(listed: Listed, driver: Driver): SQL {
  return sql`${driven(listed, driver)} and ${wholeFilter(listed)}`;
}

/** Every row of a list without a filter, perhaps of one customer. */
export function plainList(listed: Listed, driver: Driver | undefined): SQL {
  const owner = driver === 'CUSTOMER' ? sql`${listed.owner}` : sql`true`;
  return sql`${inTenant(listed)} and ${owner} and ${partsOf(listed.table).live}`;
}
