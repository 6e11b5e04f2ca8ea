import { sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import { isInstant, type Position } from '../lib/page.ts';
import type { z } from '../lib/zod.ts';
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

interface Rules {
  id: z.ZodType;
  name: z.ZodType;
}

/** Returns an order of a list. Names are compared by code points, independent of the collation of the database. */
export function listOrder(
  list: string,
  table: ListedTable,
  rules: Rules,
  { field, direction }: OrderBy,
): ListOrder {
  const isId = (value: string) => rules.id.safeParse(value).success;
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
        isPosition: ([value, tie]) => rules.name.safeParse(value).success && isId(tie),
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
