import { sql } from 'drizzle-orm';
import {
  check,
  foreignKey,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { betweenCheck, bytesColumn, instantColumn, textColumn } from '../db/columns.ts';
import { currency, netTermDays } from '../lib/fields.ts';
import { scopes } from '../lib/scope.ts';
import * as rules from './rules.ts';

export const tenants = pgTable(
  'tenants',
  {
    id: integer().generatedAlwaysAsIdentity().primaryKey(),
    name: textColumn(rules.name).notNull(),
    baseCurrency: textColumn(currency).notNull(),
    netTermDays: smallint().notNull(),
    createdAt: instantColumn().notNull(),
    version: integer().notNull().default(1),
    /** Null if the tenant never changed. */
    updatedAt: instantColumn(),
  },
  (t) => [
    unique('tenants_name_key').on(t.name),
    betweenCheck('tenants_net_term_days_check', t.netTermDays, netTermDays),
  ],
);

/** The fields of a tenant that can change. */
export interface TenantFields extends Record<string, unknown> {
  name: string;
  baseCurrency: string;
  netTermDays: number;
}

/**
 * The history of tenants. Each row has all fields, so the first state of a tenant is `before` of its first change. A
 * trigger (see the migrations) refuses updates and deletes.
 */
export const tenantChanges = pgTable(
  'tenant_changes',
  {
    tenantId: integer().notNull(),
    /** The version of the tenant after the change. */
    version: integer().notNull(),
    at: instantColumn().notNull(),
    actor: varchar({ length: 260 }).notNull(),
    requestId: varchar({ length: 100 }).notNull(),
    before: jsonb().$type<TenantFields>().notNull(),
    after: jsonb().$type<TenantFields>().notNull(),
  },
  (t) => [
    primaryKey({ name: 'tenant_changes_pkey', columns: [t.tenantId, t.version] }),
    foreignKey({
      name: 'tenant_changes_tenant_id_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }),
  ],
);

export const apiKeys = pgTable(
  'api_keys',
  {
    tenantId: integer().notNull(),
    id: uuid().notNull(),
    name: textColumn(rules.keyName).notNull(),
    /** SHA-256 of the token, which is shown once and not stored. */
    tokenHash: bytesColumn().notNull(),
    scopes: text().array().notNull(),
    createdAt: instantColumn().notNull(),
    /** Null if the key never expires. */
    expiresAt: instantColumn(),
    revokedAt: instantColumn(),
    /** Accurate to the minute. Null if the key was never used. */
    lastUsedAt: instantColumn(),
  },
  (t) => [
    primaryKey({ name: 'api_keys_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({ name: 'api_keys_tenant_id_fkey', columns: [t.tenantId], foreignColumns: [tenants.id] }),
    check(
      'api_keys_scopes_check',
      sql`${t.scopes} <@ array[${sql.raw(scopes.map((scope) => `'${scope}'`).join(', '))}]::text[]`,
    ),
    // The only unique key that does not begin with the tenant, because the token determines the tenant.
    unique('api_keys_token_hash_key').on(t.tokenHash),
  ],
);

export type TenantRow = typeof tenants.$inferSelect;
export type TenantChangeRow = typeof tenantChanges.$inferSelect;
export type ApiKeyRow = typeof apiKeys.$inferSelect;
