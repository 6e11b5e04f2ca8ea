import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';

type Columns<Key extends string> = Record<Key, SQLWrapper>;

/**
 * Lower case, and an X before each value, which lower case has not: so a search can ask for a beginning, its trigrams
 * are of no other word, and nothing typed matches across two values.
 */
export function comparable(text: SQLWrapper): SQL {
  return sql`replace(lower((${text}) collate "default"), E'\\n', E'\\nX')`;
}

function searchText(...values: SQLWrapper[]): SQL {
  const lines = values.map((value) => sql`E'\\n' || ${value}`);
  return comparable(sql.join(lines, sql` || `));
}

type TextKey = 'id' | 'name' | 'primaryEmail';

/** What a search looks at in a customer, as the trigram index has it. */
export function customerText({ id, name, primaryEmail }: Columns<TextKey>): SQL {
  return searchText(id, name, primaryEmail);
}

/** What a search looks at in an account's own row, as the trigram index has it. */
export function accountText({ id, name, primaryEmail }: Columns<TextKey>): SQL {
  return searchText(id, name, sql`coalesce(${primaryEmail}, '')`);
}

/** What a search looks at in an alias, as the trigram index has it. */
export function aliasText({ value }: Columns<'value'>): SQL {
  return searchText(value);
}

type FacetKey = 'tenantId' | 'status' | 'addressCountry';

function words({ tenantId, status, addressCountry }: Columns<FacetKey>, ...more: SQLWrapper[]): SQL {
  return sql`array[${sql.join([sql`'T' || ${tenantId}::text`, status, addressCountry, ...more], sql`, `)}]::text[]`;
}

/**
 * The words that narrow a list down, in one array for one GIN index. They cannot be taken for each other: a tag has no
 * upper-case letters, the others nothing else, and `T1` is the tenant, with whom every look into the index begins.
 */
export function customerFacets(columns: Columns<FacetKey>): SQL {
  return sql`(${words(columns)})`;
}

/** As `customerFacets`, with the account's own currency and its tags. */
export function accountFacets(columns: Columns<FacetKey | 'invoiceCurrency' | 'tags'>): SQL {
  return sql`(${words(columns, columns.invoiceCurrency)} || ${columns.tags}::text[])`;
}

export function tenantFacet(tenantId: number): string {
  return `T${tenantId}`;
}

export interface Search {
  /** What the text of a row must contain, as it was typed. */
  needle: string;
  /** The same as a pattern of LIKE. */
  pattern: string;
}

/**
 * How to look for what a caller typed: anywhere when it has three letters or digits in a row, for these make a trigram,
 * else at the beginning of a value, for that makes one of whatever follows.
 */
export function searchFor(typed: string): Search {
  const needle = /[\p{Alphabetic}\p{Nd}]{3}/u.test(typed) ? typed : `\n${typed}`;
  const escaped = needle.replaceAll(/[\\%_]/g, String.raw`\$&`);
  return { needle, pattern: `%${escaped}%` };
}
