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

/** What every write leaves behind, one row per entity; a trigger (see the migrations) refuses to change or delete one. */
export const changes = pgTable(
  'changes',
  {
    tenantId: integer().notNull(),
    /** UUIDv7, made when the request came. */
    id: uuid().notNull(),
    customerId: idColumn(entityId).notNull(),
    /** null: the change is one of the customer itself. */
    accountId: idColumn(entityId),
    kind: varchar({ length: 20, enum: kindWords }).notNull(),
    at: instantColumn().notNull(),
    /** As long as the subject of a JWT can be, and its prefix. */
    actor: varchar({ length: 260 }).notNull(),
    requestId: varchar({ length: 100 }).notNull(),
    version: integer().notNull(),
    before: jsonb().$type<Record<string, unknown>>(),
    after: jsonb().$type<Record<string, unknown>>(),
    /** Tells who follows the history which rows have come to be visible since they looked last. */
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
    // Unique, since every version of an account or customer comes of exactly one write.
    uniqueIndex('changes_account_version_key')
      .on(t.tenantId, t.accountId, t.version)
      .where(sql`${t.accountId} is not null`),
    uniqueIndex('changes_customer_version_key')
      .on(t.tenantId, t.customerId, t.version)
      .where(sql`${t.accountId} is null`),
    index('changes_feed_idx').on(t.tenantId, t.transactionId).where(sql`${t.accountId} is not null`),
    oneOfCheck('changes_kind_check', t.kind, kindWords),
  ],
);

export type ChangeRow = typeof changes.$inferSelect;
