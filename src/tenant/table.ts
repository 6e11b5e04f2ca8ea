import { sql } from 'drizzle-orm';
import {
  check,
  customType,
  foreignKey,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { betweenCheck, instantColumn, textColumn } from '../db/columns.ts';
import { currency, netTermDays } from '../lib/fields.ts';
import { scopes } from '../lib/scope.ts';
import * as rules from './rules.ts';

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

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
    /** SHA-256 of the whole token: the token itself is shown once and kept nowhere. */
    tokenHash: bytes().notNull(),
    scopes: text().array().notNull(),
    createdAt: instantColumn().notNull(),
    /** null: never. */
    expiresAt: instantColumn(),
    revokedAt: instantColumn(),
    /** To the minute; null: never. */
    lastUsedAt: instantColumn(),
  },
  (t) => [
    primaryKey({ name: 'api_keys_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({ name: 'api_keys_tenant_id_fkey', columns: [t.tenantId], foreignColumns: [tenants.id] }),
    // The one unique key that does not begin with the tenant: a token is what tells the tenant.
    check(
      'api_keys_scopes_check',
      sql`${t.scopes} <@ array[${sql.raw(scopes.map((scope) => `'${scope}'`).join(', '))}]::text[]`,
    ),
    unique('api_keys_token_hash_key').on(t.tokenHash),
  ],
);

export type TenantRow = typeof tenants.$inferSelect;
export type ApiKeyRow = typeof apiKeys.$inferSelect;
