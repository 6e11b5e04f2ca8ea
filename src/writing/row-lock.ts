import { sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { recordset, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { type EntityType, NotFoundError } from '../lib/errors.ts';
import { NotAllowedInStatusError, VersionConflictError } from './errors.ts';
import { laterOf, type VersionedTable } from './patch-statement.ts';

type EntityTable = VersionedTable & { status: PgColumn };

/**
 * Defines the statement that locks rows until the transaction ends. Later statements see all commits made before the
 * lock.
 */
export function lockStatement<T extends EntityTable>(name: string, table: T) {
  return statement(name, (orm) =>
    orm
      .select()
      .from(table as EntityTable)
      .where(sql`${table.tenantId} = ${tenantId} and ${table.id} = any(${sql.placeholder('ids')})`)
      .orderBy(table.id)
      .for('no key update'),
  );
}

/** Defines the statement that adds 1 to the version of a locked row, and sets its status if one is given. */
export function touchStatement<T extends EntityTable>(name: string, table: T) {
  return statement(name, (orm) =>
    orm
      .update(table as EntityTable)
      .set({
        status: sql`coalesce(${sql.placeholder('status')}, ${table.status})`,
        version: sql`${table.version} + 1`,
        updatedAt: laterOf(table.updatedAt, sql.placeholder('now')),
      })
      .where(sql`${table.tenantId} = ${tenantId} and ${table.id} = ${sql.placeholder('id')}`)
      .returning(),
  );
}

/** Defines the statement that writes columns of a locked row from the recordset `input`, and adds 1 to its version. */
export function rewriteStatement<T extends EntityTable>(name: string, table: T, keys: readonly string[]) {
  const values = keys.map((key) => [key, sql`input.${sql.identifier(key)}`]);
  return statement(name, (orm) =>
    orm
      .update(table as EntityTable)
      .set({
        ...Object.fromEntries(values),
        version: sql`${table.version} + 1`,
        updatedAt: laterOf(table.updatedAt, sql.placeholder('now')),
      })
      .from(recordset(table, 'input', {}, ['id', ...keys]))
      .where(sql`${table.tenantId} = ${tenantId} and ${table.id} = input.id`)
      .returning(),
  );
}

export interface Expected {
  id: string;
  expectedVersion?: number | null | undefined;
}

interface Entity {
  status: string;
  version: number;
}

/** Returns the row. Throws NotFoundError or VersionConflictError. */
export function assertFound<Row extends Entity>(
  type: EntityType,
  row: Row | null | undefined,
  expected: Expected,
): Row {
  if (row === null || row === undefined) throw new NotFoundError(type, expected.id);
  const { expectedVersion } = expected;
  if (expectedVersion !== null && expectedVersion !== undefined && expectedVersion !== row.version) {
    throw new VersionConflictError(expectedVersion, row.version);
  }
  return row;
}

/** Returns the row. Throws NotFoundError, VersionConflictError, or NotAllowedInStatusError if it is archived. */
export function assertWritable<Row extends Entity>(
  type: EntityType,
  row: Row | null | undefined,
  expected: Expected,
): Row {
  const found = assertFound(type, row, expected);
  if (found.status !== 'ARCHIVED') return found;
  throw new NotAllowedInStatusError(type, expected.id, found.status, 'restore it before you change it.');
}

/** Returns the row. Throws NotFoundError, VersionConflictError, or NotAllowedInStatusError if it is not archived. */
export function assertArchived<Row extends Entity>(
  type: EntityType,
  row: Row | null | undefined,
  expected: Expected,
): Row {
  const found = assertFound(type, row, expected);
  if (found.status === 'ARCHIVED') return found;
  throw new NotAllowedInStatusError(type, expected.id, found.status, 'only an archived one can be restored.');
}
