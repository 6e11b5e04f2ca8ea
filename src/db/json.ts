import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { storedKeys } from './rows.ts';

type Decode = (value: unknown) => unknown;

/** Returns the function that decodes the JSON of a column; undefined if it needs no decoding. */
function decoderOf(column: PgColumn): Decode | undefined {
  return column.getSQLType().startsWith('timestamp')
    ? (value) => (value === null ? null : column.mapFromDriverValue(value))
    : undefined;
}

/** A subset of the columns of a table, used if `when` is true. */
export interface Brief {
  keys: readonly string[];
  when: SQL;
}

/** Returns a function that decodes a JSON array of these columns to a row. */
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
 * Returns the SQL of a row as a JSON array, and its decoder. With `brief`, the row may lack the other columns, although
 * its type has them.
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

/** Selects the joined row `from` as one JSON value. */
export function jsonJoined<T extends PgTable>(
  table: T,
  from: string,
  brief?: Brief,
): SQL<InferSelectModel<T>> {
  const { row, decode } = jsonRow(table, from, brief);
  return row.mapWith(decode) as SQL<InferSelectModel<T>>;
}

/** Selects rows as one JSON value, which is cheaper to send and decode than a result set. */
export function jsonRows<T extends PgTable>(
  table: T,
  from: string,
  { source, order, brief }: { source: SQL; order?: SQL; brief?: Brief },
): SQL<InferSelectModel<T>[]> {
  const { row, decode } = jsonRow(table, from, brief);
  const rows = sql`(select json_agg(${row} ${order ? sql`order by ${order}` : sql``}) from ${source})`;
  return rows.mapWith((json: unknown[][]) => json.map(decode)) as SQL<InferSelectModel<T>[]>;
}
