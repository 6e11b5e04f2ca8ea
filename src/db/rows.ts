import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';
import { searchKeys } from './columns.ts';

/** The tenant of the request. Only the context sets this value. */
export const tenantId = sql.placeholder('tenantId');

/** Returns a placeholder with a type. */
export function given(name: string, type: string): SQL {
  return sql`${sql.placeholder(name)}::${sql.raw(type)}`;
}

/** One-row FROM for statements made of scalar sub-selects. */
export const oneRow = sql`(values (1)) as once`;

function storedColumns(table: PgTable): [string, PgColumn][] {
  return Object.entries(getTableColumns(table) as Record<string, PgColumn>).filter(
    ([, column]) => !column.generated,
  );
}

/** Returns the keys of the columns that the code reads, without generated ones and those of searches. */
export function storedKeys(table: PgTable): string[] {
  return storedColumns(table)
    .map(([key]) => key)
    .filter((key) => !searchKeys.includes(key));
}

/**
 * Returns a recordset that reads rows from one JSON parameter, so that the text of the statement does not depend on
 * their number. `extra` adds values that are not columns; `keys` selects columns.
 */
export function recordset(
  table: PgTable,
  alias: string,
  extra: Record<string, string> = {},
  keys: readonly string[] = storedColumns(table).map(([key]) => key),
): SQL {
  const types = storedColumns(table)
    .filter(([key]) => keys.includes(key))
    .map(([key, column]) => [key, column.getSQLType()] as const);
  const columns = [...types, ...Object.entries(extra)].map(
    ([key, type]) => sql`${sql.identifier(key)} ${sql.raw(type)}`,
  );
  return sql`json_to_recordset(${sql.placeholder(alias)}) as ${sql.identifier(alias)}(${sql.join(columns, sql`, `)})`;
}

type Aliased<T extends PgTable> = {
  [key in keyof InferSelectModel<T>]: SQL.Aliased<InferSelectModel<T>[key]>;
};

/** Returns the fields of an `insert … select` from a recordset, with the tenant of the context. */
export function insertedFrom<T extends PgTable>(table: T, alias: string): Aliased<T> {
  const columns = storedColumns(table).map(([key]) => [
    key,
    key === 'tenantId'
      ? sql`${tenantId}::integer`.as(key)
      : sql`${sql.identifier(alias)}.${sql.identifier(key)}`.as(key),
  ]);
  return Object.fromEntries(columns) as Aliased<T>;
}

/** Restores a row from JSON, with its instants as dates. */
export function revive<T extends PgTable>(table: T, json: unknown): InferSelectModel<T> {
  const row = { ...(json as Record<string, unknown>) };
  for (const [key, column] of storedColumns(table)) {
    if (column.getSQLType().startsWith('timestamp') && row[key] != null)
      row[key] = new Date(String(row[key]));
  }
  return row as InferSelectModel<T>;
}

/** Returns the columns of a table from a CTE; all are null if a left join matched nothing. */
export function fieldsOf<T extends PgTable>(table: T, cte: object): T['_']['columns'] {
  const keys = storedColumns(table).map(([key]) => key);
  return Object.fromEntries(
    keys.map((key) => [key, (cte as Record<string, unknown>)[key]]),
  ) as T['_']['columns'];
}

/** Returns the row of a left join, or null. Drizzle returns null or a row of nulls if nothing matched. */
export function joined<Row extends { id: string | null }>(row: Row | null): Row | null {
  return row === null || row.id === null ? null : row;
}

/** Returns the fields of a row that are not null. */
export function presentFields(row: object, keys: readonly string[]): Record<string, unknown> {
  const entries = Object.entries(row).filter(([key, value]) => keys.includes(key) && value !== null);
  return Object.fromEntries(entries);
}
