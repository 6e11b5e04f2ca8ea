import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';

export type Columns<Key extends string> = Record<Key, SQLWrapper>;

/**
 * Lower case, and an X before each value, which lower case has not: so a search can ask for a beginning, its trigrams
 * are of no other word, and nothing typed matches across two values.
 */
export function comparable(text: SQLWrapper): SQL {
  return sql`replace(lower((${text}) collate "default"), E'\\n', E'\\nX')`;
}

/** The text of a row that a search looks at, as the trigram index has it. */
export function searchText(...values: SQLWrapper[]): SQL {
  const lines = values.map((value) => sql`E'\\n' || ${value}`);
  return comparable(sql.join(lines, sql` || `));
}

export type FacetKey = 'tenantId' | 'status' | 'addressCountry';

/**
 * The words of a row that narrow a list down, in one array for one GIN index. They cannot be mistaken for each other: a tag
 * has no upper-case letters, the others nothing else, and `T1` is the tenant, with which every search of the index begins.
 */
export function facetWords(
  { tenantId, status, addressCountry }: Columns<FacetKey>,
  ...more: SQLWrapper[]
): SQL {
  return sql`array[${sql.join([sql`'T' || ${tenantId}::text`, status, addressCountry, ...more], sql`, `)}]::text[]`;
}
