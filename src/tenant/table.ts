import { sql } from 'drizzle-orm';
import {
  check,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
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
  },
  (t) => [
    unique('tenants_name_key').on(t.name),
    betweenCheck('tenants_net_term_days_check', t.netTermDays, netTermDays),
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
export type ApiKeyRow = typeof apiKeys.$inferSelect;
