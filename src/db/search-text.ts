import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';

type FacetKey = 'tenantId' | 'status' | 'addressCountry';

/**
 * Returns the facets of a row as one array for one GIN index. Facets cannot be confused: tags have no upper-case
 * letters, the others begin with one, and only customers have a colon. `T1` is the tenant, which every search of the
 * index includes.
 */
export function facetWords(
  { tenantId, status, addressCountry }: Record<FacetKey, SQLWrapper>,
  ...more: SQLWrapper[]
): SQL {
  return sql`array[${sql.join([sql`'T' || ${tenantId}::text`, status, addressCountry, ...more], sql`, `)}]::text[]`;
}

/** Returns tags as filters compare them. The function is defined by a migration. */
export function foldedTags(tags: SQLWrapper): SQL {
  return sql`fold_tags(${tags})`;
}
