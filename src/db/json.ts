import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import { toSnakeCase } from 'drizzle-orm/casing';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { storedKeys } from './rows.ts';

type Decode = (value: unknown) => unknown;

/** Returns the function that decodes the JSON of a column; undefined if it needs no decoding. */
function decoderOf(column: PgColumn): Decode | undefined {
  const type = column.getSQLType();
  if (type === 'bytea')
    return (value) => (value === null ? null : Buffer.from(String(value).slice(2), 'hex'));
  if (!type.startsWith('timestamp')) return undefined;
  return (value) => (value === null ? null : column.mapFromDriverValue(value));
}

/** A condition that is fixed in the text of a statement, or that a placeholder decides. */
export type Flag = boolean | SQL;

/** Returns `yes` if a condition holds, else `no`. */
export function either(flag: Flag, yes: SQL, no: SQL = sql`null`): SQL {
  if (typeof flag === 'boolean') return flag ? yes : no;
  return sql`case when ${flag} then ${yes} else ${no} end`;
}

/** A subset of the columns of a table, used if `when` is true. */
export interface Brief {
  keys: readonly string[];
  when: Flag;
}

/** The SQL of a JSON value, and its decoder. */
export interface Json<Value> {
  value: SQL;
  decode(json: unknown): Value;
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
 * Returns the row `from` as a JSON array. With `brief`, the row may lack the other columns, although its type has them.
 */
export function jsonRow<T extends PgTable>(table: T, from: string, brief?: Brief): Json<InferSelectModel<T>> {
  type Row = InferSelectModel<T>;
  const arrayOf = (keys: readonly string[]) => {
    const names = keys.map((key) => sql`${sql.identifier(from)}.${sql.identifier(toSnakeCase(key))}`);
    return sql`json_build_array(${sql.join(names, sql`, `)})`;
  };
  const keys = storedKeys(table);
  const decodeWhole = decoderFor<Row>(table, keys);
  const decodeBrief = decoderFor<Row>(table, brief?.keys ?? keys);
  return {
    value: brief ? either(brief.when, arrayOf(brief.keys), arrayOf(keys)) : arrayOf(keys),
    decode: (json) => {
      const values = json as unknown[];
      return values.length === keys.length ? decodeWhole(values) : decodeBrief(values);
    },
  };
}

/** Selects the joined row `from` as one JSON value. */
export function jsonJoined<T extends PgTable>(
  table: T,
  from: string,
  brief?: Brief,
): SQL<InferSelectModel<T>> {
  const { value, decode } = jsonRow(table, from, brief);
  return value.mapWith(decode) as SQL<InferSelectModel<T>>;
}

interface Source {
  /** What follows `from`. */
  source: SQL;
  order?: SQL;
}

/** Returns JSON values as one JSON array, which is cheaper to send and decode than a result set. SQL has `null` for none. */
export function jsonArray<Value>({ value, decode }: Json<Value>, { source, order }: Source): Json<Value[]> {
  return {
    value: sql`(select json_agg(${value} ${order ? sql`order by ${order}` : sql``}) from ${source})`,
    decode: (json) => ((json ?? []) as unknown[]).map(decode),
  };
}

/** Selects rows as one JSON value. `null` if there are none. */
export function jsonRows<T extends PgTable>(
  table: T,
  from: string,
  source: Source,
): SQL<InferSelectModel<T>[]> {
  const { value, decode } = jsonArray(jsonRow(table, from), source);
  return value.mapWith(decode) as SQL<InferSelectModel<T>[]>;
}
