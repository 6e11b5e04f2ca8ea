import { type SQL, sql } from 'drizzle-orm';
import type { Ctx, Run } from '../ctx.ts';
import { insertedFrom, recordset } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import { newUuid } from '../lib/id.ts';
import type { ChangeKind } from './rules.ts';
import { type ChangeRow, changes } from './table.ts';

interface Change {
  kind: ChangeKind;
  customerId: string;
  accountId: string | null;
  version: number;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

/** Returns the history row of a change. The statement of the change inserts it. */
export function changeRow(ctx: Ctx, change: Change): Omit<ChangeRow, 'tenantId' | 'transactionId'> {
  return { ...change, id: newUuid(), at: ctx.now, actor: ctx.viewer.actor, requestId: ctx.requestId };
}

/** The columns of the recordset `newChange`, for an insert. */
export const newChange = {
  ...insertedFrom(changes, 'newChange'),
  transactionId: sql<string>`pg_current_xact_id()`.as('transactionId'),
};

/** Returns the CTE that inserts the rows of the recordset `newChange` that match a condition. */
export function insertChanges(orm: Orm, name: string, where: SQL) {
  return orm.$with(name).as(
    orm
      .insert(changes)
      .select(orm.select(newChange).from(recordset(changes, 'newChange')).where(where))
      .returning({ id: changes.id }),
  );
}

const recordChangesStatement = statement('record_changes', (orm) =>
  orm
    .insert(changes)
    .select(orm.select(newChange).from(recordset(changes, 'newChange')))
    .returning({ id: changes.id }),
);

/** Inserts history rows in the transaction of their change. */
export async function recordChanges(run: Run, rows: ReturnType<typeof changeRow>[]): Promise<void> {
  await run(recordChangesStatement, { newChange: JSON.stringify(rows) });
}
