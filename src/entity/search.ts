import { type SQL, type SQLWrapper, sql } from 'drizzle-orm';

type Columns<Key extends string> = Record<Key, SQLWrapper>;

/** Lower case, each value after a line feed: so a search can ask for a beginning, and never matches across two values. */
function searchText(...values: SQLWrapper[]): SQL {
  const lines = values.map((value) => sql`E'\\n' || ${value}`);
  return sql`lower((${sql.join(lines, sql` || `)}) collate "default")`;
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
  /** What `searchText` must contain, before it is made lower case. */
  needle: string;
  /** The same as a pattern of LIKE. */
  pattern: string;
  /** Whether a trigram index can find it: always, or only where the database takes letters beyond ASCII for letters. */
  indexable: 'ALWAYS' | 'WITH_UNICODE' | 'NEVER';
}

/** Whether PostgreSQL finds three letters in a row, or the beginning or end of a word. */
function hasTrigram(needle: string, letters: string, beyond = ''): boolean {
  const [letter, other] = [`[${letters}]`, `[^${letters}${beyond}]`];
  return new RegExp(`${letter}{3}|${other}${letter}|${letter}{2}${other}`, 'u').test(needle);
}

function indexable(needle: string): Search['indexable'] {
  if (hasTrigram(needle, 'A-Za-z0-9', String.raw`\u{80}-\u{10ffff}`)) return 'ALWAYS';
  return hasTrigram(needle, String.raw`\p{L}\p{N}`) ? 'WITH_UNICODE' : 'NEVER';
}

/** How to look for what a caller typed. One or two ASCII letters or digits are looked for at the beginning of a value. */
export function searchFor(typed: string): Search {
  const needle = /^[a-z0-9]{1,2}$/i.test(typed) ? `\n${typed}` : typed;
  const escaped = needle.replaceAll(/[\\%_]/g, String.raw`\$&`);
  return { needle, pattern: `%${escaped}%`, indexable: indexable(needle) };
}
