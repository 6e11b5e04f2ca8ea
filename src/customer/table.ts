import { sql } from 'drizzle-orm';
import {
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  unique,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { addressColumns } from '../address/table.ts';
import {
  emailColumn,
  idColumn,
  instantColumn,
  minLengthCheck,
  oneOfCheck,
  searchColumns,
  textColumn,
} from '../db/columns.ts';
import { presentFields, storedKeys } from '../db/rows.ts';
import { tenants } from '../tenant/table.ts';
import * as rules from './rules.ts';

const statusWords = Object.keys(rules.statuses) as [rules.CustomerStatus];

export const customers = pgTable(
  'customers',
  {
    tenantId: integer().notNull(),
    id: idColumn(rules.id).notNull(),
    nodeId: uuid().notNull(),
    name: textColumn(rules.name).notNull(),
    status: varchar({ length: 10, enum: statusWords }).notNull(),
    primaryEmail: emailColumn().notNull(),
    ...addressColumns(),
    metadata: jsonb().$type<Record<string, string>>().notNull(),
    version: integer().notNull(),
    createdAt: instantColumn().notNull(),
    updatedAt: instantColumn().notNull(),
    ...searchColumns(),
  },
  (t) => [
    primaryKey({ name: 'customers_pkey', columns: [t.tenantId, t.id] }),
    unique('customers_tenant_id_node_id_key').on(t.tenantId, t.nodeId),
    foreignKey({ name: 'customers_tenant_id_fkey', columns: [t.tenantId], foreignColumns: [tenants.id] }),
    index('customers_updated_at_idx')
      .on(t.tenantId, t.updatedAt.desc().nullsFirst(), t.id)
      .where(sql`${t.status} <> 'ARCHIVED'`),
    index('customers_archived_idx')
      .on(t.tenantId, t.updatedAt.desc().nullsFirst(), t.id)
      .where(sql`${t.status} = 'ARCHIVED'`),
    index('customers_created_at_idx').on(t.tenantId, t.createdAt.desc().nullsFirst(), t.id),
    index('customers_name_idx').on(t.tenantId, sql`${t.name} collate "C"`, t.id),
    index('customers_search_idx').using(
      'gin',
      t.searchText.op('gin_trgm_ops'),
      t.metadata.op('jsonb_path_ops'),
      t.facets,
    ),
    minLengthCheck('customers_id_check', t.id, rules.id),
    minLengthCheck('customers_name_check', t.name, rules.name),
    oneOfCheck('customers_status_check', t.status, statusWords),
  ],
);

export type CustomerRow = Omit<typeof customers.$inferSelect, 'searchText' | 'facets'>;

const fixedKeys = ['tenantId', 'id', 'nodeId', 'version', 'createdAt', 'updatedAt'];

/** The columns that an update can change and the history records. */
export const changeableKeys = storedKeys(customers).filter((key) => !fixedKeys.includes(key));

/** Returns the changeable fields that are not null, as the history stores them. */
export function snapshot(row: CustomerRow): Record<string, unknown> {
  return presentFields(row, changeableKeys);
}
