import { foreignKey, index, integer, jsonb, pgTable, primaryKey, varchar } from 'drizzle-orm/pg-core';
import { idColumn, instantColumn } from '../db/columns.ts';
import { tenants } from '../tenant/table.ts';
import { idempotencyKey } from './rules.ts';

/** The results of requests with an idempotency key, written in the transaction of their change. */
export const idempotencyRecords = pgTable(
  'idempotency_records',
  {
    tenantId: integer().notNull(),
    key: idColumn(idempotencyKey).notNull(),
    /** SHA-256 of the mutation and its input, base64url. The same key with another fingerprint is refused. */
    fingerprint: varchar({ length: 43 }).notNull(),
    answer: jsonb().notNull(),
    createdAt: instantColumn().notNull(),
  },
  (t) => [
    primaryKey({ name: 'idempotency_records_pkey', columns: [t.tenantId, t.key] }),
    foreignKey({
      name: 'idempotency_records_tenant_id_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }),
    index('idempotency_records_created_at_idx').on(t.createdAt),
  ],
);
