import { foreignKey, integer, json, pgTable, primaryKey, varchar } from 'drizzle-orm/pg-core';
import { idColumn, instantColumn, oneOfCheck } from '../db/columns.ts';
import { entityId } from '../lib/fields.ts';
import { tenants } from '../tenant/table.ts';
import { entityTypes } from './rules.ts';

/** A value with a name, and the version that last changed it. */
export type StoredEntry = readonly [name: string, value: unknown, version: number];

/** A state as `replay.ts` encodes it. */
export interface StoredState {
  fields: readonly StoredEntry[];
  aliases: readonly StoredEntry[];
  settings: readonly StoredEntry[];
}

/**
 * Some versions of accounts and customers, so that reads of the past replay few changes. A cache of the history: rows can
 * be deleted at any time, and never change.
 */
export const historySnapshots = pgTable(
  'history_snapshots',
  {
    tenantId: integer().notNull(),
    entityType: varchar({ length: 8, enum: entityTypes }).notNull(),
    entityId: idColumn(entityId).notNull(),
    version: integer().notNull(),
    /** The instant from which the version is current. */
    beginsAt: instantColumn().notNull(),
    state: json().$type<StoredState>().notNull(),
  },
  (t) => [
    // The version determines `beginsAt`, which comes first so that one index finds the snapshot for an instant.
    primaryKey({
      name: 'history_snapshots_pkey',
      columns: [t.tenantId, t.entityType, t.entityId, t.beginsAt, t.version],
    }),
    foreignKey({
      name: 'history_snapshots_tenant_id_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }),
    oneOfCheck('history_snapshots_entity_type_check', t.entityType, entityTypes),
  ],
);
