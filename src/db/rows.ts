import { getTableColumns, type InferSelectModel, type SQL, sql } from 'drizzle-orm';
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core';

/** The value that every statement carries: the tenant of the request, put in by the context and by nobody else. */
export const tenantId = sql.placeholder('tenantId');

/** The placeholder of a value of this type. */
export function given(name: string, type: string): SQL {
  return sql`${sql.placeholder(name)}::${sql.raw(type)}`;
}

/** What a statement selects from that reads all it answers in sub-selects. */
export const once = sql`(values (1)) as once`;

function storedColumns(table: PgTable): [string, PgColumn][] {
  return Object.entries(getTableColumns(table) as Record<string, PgColumn>).filter(
    ([, column]) => !column.generated,
  );
}

/** The names, as the code has them, of the columns that a table stores. */
export function storedKeys(table: PgTable): string[] {
  return storedColumns(table).map(([key]) => key);
}

/**
 * Reads a batch of rows from one JSON parameter, so that a statement's text does not change with the batch's size.
 * The JSON names its values as the code does; `extra` adds values that are not columns of the table,
 * `keys` leaves columns out.
 */
export function recordset(
  table: PgTable,
  alias: string,
  extra: Record<string, string> = {},
  keys: readonly string[] = storedKeys(table),
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

/** What `insert … select` takes from a recordset: the table's columns in their order, the tenant from the context. */
export function insertedFrom<T extends PgTable>(table: T, alias: string): Aliased<T> {
  const columns = storedColumns(table).map(([key]) => [
    key,
    key === 'tenantId'
      ? sql`${tenantId}::integer`.as(key)
      : sql`${sql.identifier(alias)}.${sql.identifier(key)}`.as(key),
  ]);
  return Object.fromEntries(columns) as Aliased<T>;
}

/** A row that was kept as JSON, its instants made into dates again. */
export function revive<T extends PgTable>(table: T, json: unknown): InferSelectModel<T> {
  const row = { ...(json as Record<string, unknown>) };
  for (const [key, column] of storedColumns(table)) {
    if (column.getSQLType().startsWith('timestamp') && row[key] != null)
      row[key] = new Date(String(row[key]));
  }
  return row as InferSelectModel<T>;
}

/** The columns of a table as a CTE that returned them names them, all null where a left join found nothing. */
export function fieldsOf<T extends PgTable>(table: T, cte: object): T['_']['columns'] {
  const keys = storedColumns(table).map(([key]) => key);
  return Object.fromEntries(
    keys.map((key) => [key, (cte as Record<string, unknown>)[key]]),
  ) as T['_']['columns'];
}

/** The row that a left join brought, null where it found nothing; Drizzle shows that as null or as a row of nulls. */
export function joined<Row extends { id: string | null }>(row: Row | null): Row | null {
  return row === null || row.id === null ? null : row;
}
