import { sql } from 'drizzle-orm';
import type { Database } from '../db/client.ts';
import { statement } from '../db/statement.ts';
import { keptForMs } from './rules.ts';
import { idempotencyRecords } from './table.ts';

/** Small enough to keep the transaction short. */
const batchSize = 2000;

const forgetBatch = statement(
  'forget_expired_batch',
  (orm) =>
    orm
      .delete(idempotencyRecords)
      .where(
        sql`(${idempotencyRecords.tenantId}, ${idempotencyRecords.key}) in (
        select tenant_id, key from idempotency_records
        where created_at <= ${sql.placeholder('keptSince')}::timestamptz
        order by created_at limit ${sql.placeholder('batchSize')}::integer for update skip locked)`,
      )
      .returning({ key: idempotencyRecords.key }),
  { acrossTenants: 'Expired records of all tenants are deleted.' },
);

/** Deletes the expired records of all tenants. Replicas can do so at the same time. */
export async function forgetExpired(database: Database): Promise<void> {
  const keptSince = new Date(Date.now() - keptForMs).toISOString();
  let forgotten: unknown[];
  do {
    forgotten = await database.run(forgetBatch, { keptSince, batchSize });
  } while (forgotten.length === batchSize);
}
