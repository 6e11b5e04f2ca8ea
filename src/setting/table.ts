import { sql } from 'drizzle-orm';
import { foreignKey, integer, pgTable, primaryKey, varchar } from 'drizzle-orm/pg-core';
import { accounts } from '../account/table.ts';
import { customers } from '../customer/table.ts';
import { idColumn, minLengthCheck, oneOfCheck, textColumn } from '../db/columns.ts';
import { entityId as ownerId } from '../lib/fields.ts';
import * as rules from './rules.ts';

const dataTypeWords = Object.keys(rules.dataTypes) as [rules.SettingDataType];

export const settings = pgTable(
  'settings',
  {
    tenantId: integer().notNull(),
    ownerType: varchar({ length: 8, enum: rules.ownerTypes }).notNull(),
    ownerId: idColumn(ownerId).notNull(),
    namespace: idColumn(rules.namespace).notNull(),
    id: idColumn(rules.id).notNull(),
    name: textColumn(rules.name).notNull(),
    dataType: varchar({ length: 10, enum: dataTypeWords }).notNull(),
    value: textColumn(rules.value).notNull(),
    /** Generated columns, because a foreign key cannot depend on `ownerType`. */
    accountId: idColumn(ownerId).generatedAlwaysAs(sql`case when owner_type = 'ACCOUNT' then owner_id end`),
    customerId: idColumn(ownerId).generatedAlwaysAs(sql`case when owner_type = 'CUSTOMER' then owner_id end`),
  },
  (t) => [
    primaryKey({ name: 'settings_pkey', columns: [t.tenantId, t.ownerType, t.ownerId, t.namespace, t.id] }),
    foreignKey({
      name: 'settings_account_fkey',
      columns: [t.tenantId, t.accountId],
      foreignColumns: [accounts.tenantId, accounts.id],
    }),
    foreignKey({
      name: 'settings_customer_fkey',
      columns: [t.tenantId, t.customerId],
      foreignColumns: [customers.tenantId, customers.id],
    }),
    oneOfCheck('settings_owner_type_check', t.ownerType, rules.ownerTypes),
    oneOfCheck('settings_data_type_check', t.dataType, dataTypeWords),
    minLengthCheck('settings_id_check', t.id, rules.id),
    minLengthCheck('settings_namespace_check', t.namespace, rules.namespace),
    minLengthCheck('settings_name_check', t.name, rules.name),
  ],
);

export type SettingRow = Omit<typeof settings.$inferSelect, 'accountId' | 'customerId'>;
