export function tenantFacet(tenantId: number): string {
  return `T${tenantId}`;
}

export interface Search {
  /** The text that a row must contain, as typed. */
  needle: string;
  /** The same text as a LIKE pattern. */
  pattern: string;
}

/**
 * Returns how to search for a text. It matches anywhere if it has three letters or digits in a row, because these make
 * a trigram. Shorter texts match only at the start of a value, whose marker completes a trigram.
 */
export function toSearch(typed: string): Search {
  const needle = /[\p{Alphabetic}\p{Nd}]{3}/u.test(typed) ? typed : `\n${typed}`;
  const escaped = needle.replaceAll(/[\\%_]/g, String.raw`\$&`);
  return { needle, pattern: `%${escaped}%` };
}
