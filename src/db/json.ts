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

/** The columns that some callers need of a table, by the names that the code has for them, and when they are enough. */
export interface Brief {
  keys: readonly string[];
  when: SQL;
}

/** What makes rows of the JSON arrays that have the values of these columns. */
function decoderFor<Row>(table: PgTable, keys: readonly string[]) {
  const columns = getTableColumns(table) as Record<string, PgColumn>;
  const decoders = keys.map((key) => columns[key] && decoderOf(columns[key]));
  return (values: unknown[]): Row => {
    const row: Record<string, unknown> = {};
    for (let index = 0; index < keys.length; index += 1) {
      const decode = decoders[index];
      row[keys[index] as string] = decode ? decode(values[index]) : values[index];
    }
    return row as Row;
  };
}

/**
 * A row of a table that a query has under the name `from`, as one JSON value. `brief` leaves the other columns out when it
 * is enough; then whoever reads the row must not look at those.
 */
function jsonRow<T extends PgTable>(table: T, from: string, brief?: Brief) {
  type Row = InferSelectModel<T>;
  const arrayOf = (keys: readonly string[]) => {
    const names = keys.map((key) => sql`${sql.identifier(from)}.${sql.identifier(toSnakeCase(key))}`);
    return sql`json_build_array(${sql.join(names, sql`, `)})`;
  };
  const keys = storedKeys(table);
  const decodeWhole = decoderFor<Row>(table, keys);
  const decodeBrief = decoderFor<Row>(table, brief?.keys ?? keys);
  return {
    row: brief
      ? sql`case when ${brief.when} then ${arrayOf(brief.keys)} else ${arrayOf(keys)} end`
      : arrayOf(keys),
    decode: (values: unknown[]) =>
      values.length === keys.length ? decodeWhole(values) : decodeBrief(values),
  };
}

/** The row of a table that a query has joined under the name `from`, as one JSON value. */
export function jsonJoined<T extends PgTable>(
  table: T,
  from: string,
  brief?: Brief,
): SQL<InferSelectModel<T>> {
  const { row, decode } = jsonRow(table, from, brief);
  return row.mapWith(decode) as SQL<InferSelectModel<T>>;
}

/**
 * Rows of a table that a query has under the name `from`, as one JSON value: sending and reading it costs half of what
 * as many rows do (50 accounts with all that is theirs: 0.8 ms in place of 1.5 to 2.5).
 */
export function jsonRows<T extends PgTable>(
  table: T,
  from: string,
  { source, order, brief }: { source: SQL; order?: SQL; brief?: Brief },
): SQL<InferSelectModel<T>[]> {
  const { row, decode } = jsonRow(table, from, brief);
  const rows = sql`(select json_agg(${row} ${order ? sql`order by ${order}` : sql``}) from ${source})`;
  return rows.mapWith((json: unknown[][]) => json.map(decode)) as SQL<InferSelectModel<T>[]>;
}
