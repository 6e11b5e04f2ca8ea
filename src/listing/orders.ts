import { sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { isInstant, type Position } from '../lib/page.ts';
import { isStorable } from '../lib/rule.ts';
import type { ListedTable } from './filter.ts';
import type { Direction, Order } from './keyset.ts';
import type { OrderField } from './rules.ts';

export interface OrderBy {
  field: OrderField;
  direction: Direction;
}

export const defaultOrder: OrderBy = { field: 'UPDATED_AT', direction: 'DESC' };

/** An order of a list, and the positions that its cursors can hold. */
export interface ListOrder {
  list: string;
  name: string;
  order: Order;
  isPosition(position: Position): boolean;
  /** Returns the position of a row. */
  positionOf(row: OrderedRow): Position;
  /** Whether this is the order by the last change, which has an index for live rows and one for archived rows. */
  byChange: boolean;
  range: { column: PgColumn; name: 'created' | 'updated' } | undefined;
}

interface OrderedRow {
  id: string;
  name: string;
  createdAt: Date;
  updatedAt: Date;
}

/** Returns an order of a list. Names are compared by code points, independent of the collation of the database. */
export function listOrder(list: string, table: ListedTable, { field, direction }: OrderBy): ListOrder {
  // A row may have an id or a name that the current rules reject.
  const isText = (value: string) => value.length <= 2 * 255 && isStorable(value);
  const isId = (value: string) => value !== '' && value.length <= 2 * 50 && isStorable(value);
  const common = { list, name: `${list} ${field} ${direction}`, byChange: false, range: undefined };
  const byInstant = (column: PgColumn, name: 'created' | 'updated') => ({
    ...common,
    order: { by: column, type: 'timestamptz' as const, direction, tie: table.id },
    isPosition: ([value, tie]: Position) => isInstant(value) && isId(tie),
    positionOf: (row: OrderedRow): Position => [row[`${name}At`].toISOString(), row.id],
    range: { column, name },
  });
  switch (field) {
    case 'UPDATED_AT':
      return { ...byInstant(table.updatedAt, 'updated'), byChange: true };
    case 'CREATED_AT':
      return byInstant(table.createdAt, 'created');
    case 'NAME':
      return {
        ...common,
        order: { by: sql`${table.name} collate "C"`, type: 'text', direction, tie: table.id },
        isPosition: ([value, tie]) => isText(value) && isId(tie),
        positionOf: (row) => [row.name, row.id],
      };
    case 'ID':
      return {
        ...common,
        order: { by: table.id, type: 'text', direction },
        isPosition: ([value, tie]) => isId(value) && tie === '',
        positionOf: (row) => [row.id, ''],
      };
  }
}
