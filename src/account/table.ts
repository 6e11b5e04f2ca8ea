import { sql } from 'drizzle-orm';
import {
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  unique,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { addressColumns } from '../address/table.ts';
import { customers } from '../customer/table.ts';
import {
  betweenCheck,
  emailColumn,
  idColumn,
  instantColumn,
  minLengthCheck,
  oneOfCheck,
  searchColumns,
  textColumn,
} from '../db/columns.ts';
import { presentFields, storedKeys } from '../db/rows.ts';
import * as rules from './rules.ts';

const statusWords = Object.keys(rules.statuses) as [rules.AccountStatus];

export const accounts = pgTable(
  'accounts',
  {
    tenantId: integer().notNull(),
    id: idColumn(rules.id).notNull(),
    nodeId: uuid().notNull(),
    customerId: idColumn(rules.id).notNull(),
    name: textColumn(rules.name).notNull(),
    status: varchar({ length: 10, enum: statusWords }).notNull(),
    /** null: the tenant's base currency. */
    invoiceCurrency: textColumn(rules.invoiceCurrency),
    /** null: the tenant's net terms. */
    netTermDays: smallint(),
    primaryEmail: emailColumn(),
    ...addressColumns(),
    /** Both lists are null if the account has no billing information. */
    emailRecipients: emailColumn().array(),
    additionalEmailRecipients: emailColumn().array(),
    tags: textColumn(rules.tag).array().notNull(),
    metadata: jsonb().$type<Record<string, string>>().notNull(),
    version: integer().notNull(),
    createdAt: instantColumn().notNull(),
    updatedAt: instantColumn().notNull(),
    ...searchColumns(),
  },
  (t) => [
    primaryKey({ name: 'accounts_pkey', columns: [t.tenantId, t.id] }),
    unique('accounts_tenant_id_node_id_key').on(t.tenantId, t.nodeId),
    foreignKey({
      name: 'accounts_customer_fkey',
      columns: [t.tenantId, t.customerId],
      foreignColumns: [customers.tenantId, customers.id],
    }),
    // The default list excludes archived accounts. In a shared index, recently archived accounts would have to be
    // skipped.
    index('accounts_updated_at_idx')
      .on(t.tenantId, t.updatedAt.desc().nullsFirst(), t.id)
      .where(sql`${t.status} <> 'ARCHIVED'`),
    index('accounts_archived_idx')
      .on(t.tenantId, t.updatedAt.desc().nullsFirst(), t.id)
      .where(sql`${t.status} = 'ARCHIVED'`),
    index('accounts_created_at_idx').on(t.tenantId, t.createdAt.desc().nullsFirst(), t.id),
    index('accounts_name_idx').on(t.tenantId, sql`${t.name} collate "C"`, t.id),
    // The scan begins with the first column. Facets are common, above all that of a large tenant, so they come last.
    index('accounts_search_idx').using(
      'gin',
      t.searchText.op('gin_trgm_ops'),
      t.metadata.op('jsonb_path_ops'),
      t.facets,
    ),
    index('accounts_customer_updated_at_idx').on(
      t.tenantId,
      t.customerId,
      t.updatedAt.desc().nullsFirst(),
      t.id,
    ),
    minLengthCheck('accounts_id_check', t.id, rules.id),
    minLengthCheck('accounts_name_check', t.name, rules.name),
    oneOfCheck('accounts_status_check', t.status, statusWords),
    betweenCheck('accounts_net_term_days_check', t.netTermDays, rules.netTermDays),
    check('accounts_invoice_currency_check', sql`${t.invoiceCurrency} ~ '^[A-Z]{3}$'`),
    check(
      'accounts_recipients_check',
      sql`(${t.emailRecipients} is null) = (${t.additionalEmailRecipients} is null)`,
    ),
  ],
);

export type AccountRow = Omit<typeof accounts.$inferSelect, 'searchText' | 'facets'>;

const fixedKeys = ['tenantId', 'id', 'nodeId', 'customerId', 'version', 'createdAt', 'updatedAt'];

/** The columns that an update can change and the history records. */
export const changeableKeys = storedKeys(accounts).filter((key) => !fixedKeys.includes(key));

/** Returns the changeable fields that are not null, as the history stores them. */
export function snapshot(row: AccountRow): Record<string, unknown> {
  return presentFields(row, changeableKeys);
}
