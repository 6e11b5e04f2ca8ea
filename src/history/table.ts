import { sql } from 'drizzle-orm';
import {
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { accounts } from '../account/table.ts';
import { customers } from '../customer/table.ts';
import { idColumn, instantColumn, oneOfCheck } from '../db/columns.ts';
import { entityId } from '../lib/fields.ts';
import { type ChangeKind, changeKinds } from './rules.ts';

const kindWords = Object.keys(changeKinds) as [ChangeKind];

const transactionNumber = customType<{ data: string }>({ dataType: () => 'xid8' });

/** The history: one row per write and entity. A trigger (see the migrations) refuses updates and deletes. */
export const changes = pgTable(
  'changes',
  {
    tenantId: integer().notNull(),
    /** UUIDv7, made during the request. */
    id: uuid().notNull(),
    customerId: idColumn(entityId).notNull(),
    /** null: a change of the customer itself. */
    accountId: idColumn(entityId),
    kind: varchar({ length: 20, enum: kindWords }).notNull(),
    at: instantColumn().notNull(),
    /** Fits the longest JWT subject with its prefix. */
    actor: varchar({ length: 260 }).notNull(),
    requestId: varchar({ length: 100 }).notNull(),
    version: integer().notNull(),
    before: jsonb().$type<Record<string, unknown>>(),
    after: jsonb().$type<Record<string, unknown>>(),
    /** Lets the feed find the changes that committed after a snapshot. */
    transactionId: transactionNumber().notNull().default(sql`pg_current_xact_id()`),
  },
  (t) => [
    primaryKey({ name: 'changes_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({
      name: 'changes_account_fkey',
      columns: [t.tenantId, t.accountId],
      foreignColumns: [accounts.tenantId, accounts.id],
    }),
    foreignKey({
      name: 'changes_customer_fkey',
      columns: [t.tenantId, t.customerId],
      foreignColumns: [customers.tenantId, customers.id],
    }),
    // Unique, because exactly one write makes each version.
    uniqueIndex('changes_account_version_key')
      .on(t.tenantId, t.accountId, t.version)
      .where(sql`${t.accountId} is not null`),
    uniqueIndex('changes_customer_version_key')
      .on(t.tenantId, t.customerId, t.version)
      .where(sql`${t.accountId} is null`),
    index('changes_transaction_idx').on(t.transactionId),
    oneOfCheck('changes_kind_check', t.kind, kindWords),
  ],
);

export type ChangeRow = typeof changes.$inferSelect;
