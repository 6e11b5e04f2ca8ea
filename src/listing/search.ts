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
