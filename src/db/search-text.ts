import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';

export type Columns<Key extends string> = Record<Key, SQLWrapper>;

/**
 * Returns text as searches compare it: in lower case, with an upper-case X before each value. The marker lets a search
 * match the start of a value, and keeps matches from spanning two values.
 */
export function comparable(text: SQLWrapper): SQL {
  return sql`replace(lower((${text}) collate "default"), E'\\n', E'\\nX')`;
}

/** Returns the searched text of a row, equal to the expression of the trigram index. */
export function searchText(...values: SQLWrapper[]): SQL {
  const lines = values.map((value) => sql`E'\\n' || ${value}`);
  return comparable(sql.join(lines, sql` || `));
}

export type FacetKey = 'tenantId' | 'status' | 'addressCountry';

/**
 * Returns the facets of a row as one array for one GIN index. Facets cannot be confused: tags have no upper-case
 * letters, the others only upper-case letters. `T1` is the tenant, which every index search includes.
 */
export function facetWords(
  { tenantId, status, addressCountry }: Columns<FacetKey>,
  ...more: SQLWrapper[]
): SQL {
  return sql`array[${sql.join([sql`'T' || ${tenantId}::text`, status, addressCountry, ...more], sql`, `)}]::text[]`;
}
