import { sql } from 'drizzle-orm';
import { check, foreignKey, index, integer, pgTable, primaryKey, smallint } from 'drizzle-orm/pg-core';
import { accounts } from '../account/table.ts';
import { boundColumn, idColumn, instantColumn, minLengthCheck } from '../db/columns.ts';
import { entityId } from '../lib/fields.ts';
import { tenants } from '../tenant/table.ts';
import * as rules from './rules.ts';

/**
 * The names of a tenant: each row gives a value to one account for a span of time. Every account holds its own id here
 * without an end, so the exclusion constraint `aliases_no_overlap` (see the migrations) keeps ids and aliases apart.
 */
export const aliases = pgTable(
  'aliases',
  {
    tenantId: integer().notNull(),
    value: idColumn(rules.value).notNull(),
    accountId: idColumn(entityId).notNull(),
    effectiveFrom: boundColumn('-infinity').notNull(),
    effectiveUntil: boundColumn('infinity').notNull(),
    createdAt: instantColumn().notNull(),
    /** The position among the aliases of one request. */
    ordinal: smallint().notNull().default(0),
  },
  (t) => [
    primaryKey({ name: 'aliases_pkey', columns: [t.tenantId, t.value, t.effectiveFrom] }),
    foreignKey({
      name: 'aliases_account_fkey',
      columns: [t.tenantId, t.accountId],
      foreignColumns: [accounts.tenantId, accounts.id],
    }),
    index('aliases_account_idx').on(t.tenantId, t.accountId),
    minLengthCheck('aliases_value_check', t.value, rules.value),
    check('aliases_span_check', sql`${t.effectiveFrom} < ${t.effectiveUntil}`),
  ],
);

export type AliasRow = typeof aliases.$inferSelect;

/**
 * Values with a plus that were removed and left no span: registered ones, and aliases before their start. A path with
 * such a value still means it.
 */
export const removedAliases = pgTable(
  'removed_aliases',
  {
    tenantId: integer().notNull(),
    value: idColumn(rules.value).notNull(),
  },
  (t) => [
    primaryKey({ name: 'removed_aliases_pkey', columns: [t.tenantId, t.value] }),
    foreignKey({
      name: 'removed_aliases_tenant_id_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }),
  ],
);

/** Values that the REST API registered as aliases before an account has them. */
export const registeredAliases = pgTable(
  'registered_aliases',
  {
    tenantId: integer().notNull(),
    value: idColumn(rules.value).notNull(),
    createdAt: instantColumn().notNull(),
  },
  (t) => [
    primaryKey({ name: 'registered_aliases_pkey', columns: [t.tenantId, t.value] }),
    foreignKey({
      name: 'registered_aliases_tenant_id_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }),
  ],
);
