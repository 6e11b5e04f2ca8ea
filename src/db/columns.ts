import { sql } from 'drizzle-orm';
import { type AnyPgColumn, check, customType, text, timestamp, varchar } from 'drizzle-orm/pg-core';
import { jsonSchemaOf, maxLength } from '../lib/rule.ts';
import type { z } from '../lib/zod.ts';

/** Defines a text column with the maximum length of a rule. */
export function textColumn(rule: z.ZodType) {
  return varchar({ length: maxLength(rule) });
}

/** Defines a column for an email address, as wide as earlier versions accepted. */
export function emailColumn() {
  return varchar({ length: 320 });
}

/** Defines a column for identifiers, which compare and sort by bytes in any database. */
export function idColumn(rule: z.ZodType) {
  const type = `varchar(${maxLength(rule)}) collate "C"`;
  return customType<{ data: string }>({ dataType: () => type })();
}

/**
 * Returns the columns that searches and filters match: the folded text of a row, and facets, which are words for exact
 * matches. Triggers maintain them (see the migrations), and rows are read without them.
 */
export function searchColumns() {
  return { searchText: text(), facets: text().array() };
}

/** The keys of `searchColumns`. */
export const searchKeys = ['searchText', 'facets'];

/** Defines a column for an instant to the millisecond, the precision of JavaScript and the API. */
export function instantColumn() {
  return timestamp({ withTimezone: true, precision: 3, mode: 'date' });
}

/** Defines a column for the start or the end of a span. `null` stands for infinity. */
export function boundColumn(none: '-infinity' | 'infinity') {
  return customType<{ data: Date | null; driverData: string }>({
    dataType: () => 'timestamp(3) with time zone',
    // In ISO form, because JavaScript misreads the years 1 to 99 in the form of PostgreSQL.
    fromDriver: (value) => (value === none ? null : new Date(value.replace(' ', 'T').replace(/\+00$/, 'Z'))),
    toDriver: (value) => value?.toISOString() ?? none,
  })();
}

/** Defines a column for bytes. */
export const bytesColumn = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** Defines a CHECK of a rule's minimum length. The column type has its maximum. */
export function minLengthCheck(name: string, column: AnyPgColumn, rule: z.ZodType) {
  return check(name, sql`char_length(${column}) >= ${sql.raw(String(jsonSchemaOf(rule).minLength))}`);
}

/** Defines a CHECK that a column holds one of the given words. */
export function oneOfCheck(name: string, column: AnyPgColumn, words: readonly string[]) {
  return check(name, sql`${column} in (${sql.raw(words.map((word) => `'${word}'`).join(', '))})`);
}

/** Defines a CHECK of the limits of an integer rule. */
export function betweenCheck(name: string, column: AnyPgColumn, rule: z.ZodType) {
  const { minimum, maximum } = jsonSchemaOf(rule);
  return check(name, sql`${column} between ${sql.raw(String(minimum))} and ${sql.raw(String(maximum))}`);
}
