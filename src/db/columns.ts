import { sql } from 'drizzle-orm';
import { type AnyPgColumn, check, customType, timestamp, varchar } from 'drizzle-orm/pg-core';
import { jsonSchemaOf, maxLength } from '../lib/rule.ts';
import type { z } from '../lib/zod.ts';

/** A text column as wide as its rule admits. */
export function textColumn(rule: z.ZodType) {
  return varchar({ length: maxLength(rule) });
}

/** An email address, as wide as earlier versions accepted. */
export function emailColumn() {
  return varchar({ length: 320 });
}

/** An identifier: compared and sorted by its bytes, whatever the database's collation. */
export function idColumn(rule: z.ZodType) {
  const type = `varchar(${maxLength(rule)}) collate "C"`;
  return customType<{ data: string }>({ dataType: () => type })();
}

/** An instant to the millisecond, which is what JavaScript and the API can say. */
export function instantColumn() {
  return timestamp({ withTimezone: true, precision: 3, mode: 'date' });
}

/** One end of a span of time; null stands for "no end", which PostgreSQL calls infinity. */
export function boundColumn(none: '-infinity' | 'infinity') {
  return customType<{ data: Date | null; driverData: string }>({
    dataType: () => 'timestamp(3) with time zone',
    // In ISO form: JavaScript takes the years 1 to 99 of PostgreSQL's own form for others.
    fromDriver: (value) => (value === none ? null : new Date(value.replace(' ', 'T').replace(/\+00$/, 'Z'))),
    toDriver: (value) => value?.toISOString() ?? none,
  })();
}

/** CHECK for a text rule's minimum length; its maximum is the column's type. */
export function minLengthCheck(name: string, column: AnyPgColumn, rule: z.ZodType) {
  return check(name, sql`char_length(${column}) >= ${sql.raw(String(jsonSchemaOf(rule).minLength))}`);
}

/** CHECK that a column holds one of the words its rule lists. */
export function oneOfCheck(name: string, column: AnyPgColumn, words: readonly string[]) {
  return check(name, sql`${column} in (${sql.raw(words.map((word) => `'${word}'`).join(', '))})`);
}

/** CHECK for the limits of a whole-number rule. */
export function betweenCheck(name: string, column: AnyPgColumn, rule: z.ZodType) {
  const { minimum, maximum } = jsonSchemaOf(rule);
  return check(name, sql`${column} between ${sql.raw(String(minimum))} and ${sql.raw(String(maximum))}`);
}
