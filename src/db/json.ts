import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { storedKeys } from './rows.ts';

type Decode = (value: unknown) => unknown;

/** How a column's JSON becomes its value; undefined where it is the value. */
function decoderOf(column: PgColumn): Decode | undefined {
  return column.getSQLType().startsWith('timestamp')
    ? (value) => (value === null ? null : column.mapFromDriverValue(value))
    : undefined;
}

/**
 * Rows of a table that a query has under the name `from`, as one JSON value: sending and reading it costs half of what
 * as many rows do (50 accounts with all that is theirs: 0.8 ms in place of 1.5 to 2.5).
 */
export function jsonRows<T extends PgTable>(
  table: T,
  from: string,
  rest: { source: SQL; order?: SQL },
): SQL<InferSelectModel<T>[]> {
  const keys = storedKeys(table);
  const columns = getTableColumns(table) as Record<string, PgColumn>;
  const decoders = keys.map((key) => columns[key] && decoderOf(columns[key]));
  const names = keys.map((key) => sql`${sql.identifier(from)}.${sql.identifier(toSnakeCase(key))}`);
  const order = rest.order ? sql`order by ${rest.order}` : sql``;
  const decodeRow = (values: unknown[]) => {
    const row: Record<string, unknown> = {};
    for (let index = 0; index < keys.length; index += 1) {
      const decode = decoders[index];
      row[keys[index] as string] = decode ? decode(values[index]) : values[index];
    }
    return row as InferSelectModel<T>;
  };
  const rows = sql`(select json_agg(json_build_array(${sql.join(names, sql`, `)}) ${order}) from ${rest.source})`;
  return rows.mapWith((json: unknown[][]) => json.map(decodeRow)) as SQL<InferSelectModel<T>[]>;
}
