import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  uniqueIndex,
  uuid,
  varchar,
} from 'drizzle-orm/pg-core';
import { boundColumn, bytesColumn, idColumn, instantColumn, oneOfCheck, textColumn } from '../db/columns.ts';
import type { ChangeKind } from '../history/rules.ts';
import { entityId } from '../lib/fields.ts';
import { tenants } from '../tenant/table.ts';
import * as rules from './rules.ts';

const statusWords = Object.keys(rules.statuses) as [rules.EndpointStatus];
const payloadWords = Object.keys(rules.payloads) as [rules.Payload];
const exhaustionWords = Object.keys(rules.exhaustions) as [rules.OnExhausted];
const kindWords = Object.keys(rules.endpointChangeKinds) as [rules.EndpointChangeKind];

export const webhookEndpoints = pgTable(
  'webhook_endpoints',
  {
    tenantId: integer().notNull(),
    /** UUIDv7. */
    id: uuid().notNull(),
    url: textColumn(rules.url).notNull(),
    description: textColumn(rules.description).notNull(),
    /** Null: all kinds. */
    kinds: text().array().$type<ChangeKind[]>(),
    /** Null: the changes of all customers. */
    customerId: idColumn(entityId),
    payload: varchar({ length: 4, enum: payloadWords }).notNull(),
    onExhausted: varchar({ length: 5, enum: exhaustionWords }).notNull(),
    status: varchar({ length: 8, enum: statusWords }).notNull(),
    /** Why the service disabled the endpoint; null if it did not. */
    disabledReason: varchar({ length: 200 }),
    /** Encrypted signing secrets: the current one, and the previous one until it expires. */
    secret: bytesColumn().notNull(),
    previousSecret: bytesColumn(),
    previousSecretExpiresAt: instantColumn(),
    publicKey: varchar({ length: 60 }).notNull(),
    /** All entries of the feed up to this position have been delivered or are in a lane. */
    position: bigint({ mode: 'number' }).notNull(),
    /** No request starts before, because the endpoint asked for fewer. */
    notBefore: instantColumn(),
    version: integer().notNull(),
    createdAt: instantColumn().notNull(),
    updatedAt: instantColumn().notNull(),
  },
  (t) => [
    primaryKey({ name: 'webhook_endpoints_pkey', columns: [t.tenantId, t.id] }),
    foreignKey({
      name: 'webhook_endpoints_tenant_id_fkey',
      columns: [t.tenantId],
      foreignColumns: [tenants.id],
    }),
    oneOfCheck('webhook_endpoints_status_check', t.status, statusWords),
    oneOfCheck('webhook_endpoints_payload_check', t.payload, payloadWords),
    oneOfCheck('webhook_endpoints_on_exhausted_check', t.onExhausted, exhaustionWords),
  ],
);

/**
 * An account, or a customer itself, whose changes an endpoint has not received yet. Versions of the entity say which:
 * they are in the order of the feed.
 */
export const webhookLanes = pgTable(
  'webhook_lanes',
  {
    tenantId: integer().notNull(),
    endpointId: uuid().notNull(),
    isAccount: boolean().notNull(),
    entityId: idColumn(entityId).notNull(),
    /** The first and last version to deliver; null if there are only versions to deliver again. */
    nextVersion: integer(),
    lastVersion: integer(),
    /** The first and last version to deliver again; null if there are none. */
    againFrom: integer(),
    againTo: integer(),
    /** How often versions were requested again, so that a request during a delivery is not lost. */
    againRequests: integer().notNull().default(0),
    /** Failed attempts of the change that is next. */
    attempts: smallint().notNull(),
    /** Null, stored as infinity: the lane is blocked. */
    nextAttemptAt: boundColumn('infinity').notNull(),
    /** When the lane was created. */
    behindSince: instantColumn().notNull(),
    /** The lease of the replica that is delivering. */
    claimedBy: uuid(),
  },
  (t) => [
    primaryKey({ name: 'webhook_lanes_pkey', columns: [t.tenantId, t.endpointId, t.isAccount, t.entityId] }),
    foreignKey({
      name: 'webhook_lanes_endpoint_fkey',
      columns: [t.tenantId, t.endpointId],
      foreignColumns: [webhookEndpoints.tenantId, webhookEndpoints.id],
    }).onDelete('cascade'),
    index('webhook_lanes_due_idx').on(t.tenantId, t.endpointId, t.nextAttemptAt),
  ],
);

/** Requests to endpoints, kept for 30 days. */
export const webhookAttempts = pgTable(
  'webhook_attempts',
  {
    tenantId: integer().notNull(),
    endpointId: uuid().notNull(),
    /** UUIDv7. */
    id: uuid().notNull(),
    /** Null for a test. */
    changeId: uuid(),
    /** The number of the attempt for its change: 1, 2, 3 … */
    attempt: smallint().notNull(),
    at: instantColumn().notNull(),
    durationMs: integer().notNull(),
    /** The HTTP status; null if no response arrived. */
    status: smallint(),
    error: varchar({ length: 200 }),
    response: text().notNull(),
  },
  (t) => [
    primaryKey({ name: 'webhook_attempts_pkey', columns: [t.tenantId, t.endpointId, t.id] }),
    foreignKey({
      name: 'webhook_attempts_endpoint_fkey',
      columns: [t.tenantId, t.endpointId],
      foreignColumns: [webhookEndpoints.tenantId, webhookEndpoints.id],
    }).onDelete('cascade'),
    index('webhook_attempts_at_idx').on(t.at),
  ],
);

/** Replicas that deliver webhooks. A replica whose lease has expired loses its lanes. */
export const webhookLeases = pgTable('webhook_leases', {
  id: uuid().primaryKey(),
  expiresAt: instantColumn().notNull(),
});

/** The history of endpoints, without their secrets. A trigger (see the migrations) refuses updates and deletes. */
export const webhookEndpointChanges = pgTable(
  'webhook_endpoint_changes',
  {
    tenantId: integer().notNull(),
    id: uuid().notNull(),
    endpointId: uuid().notNull(),
    kind: varchar({ length: 30, enum: kindWords }).notNull(),
    at: instantColumn().notNull(),
    actor: varchar({ length: 260 }).notNull(),
    requestId: varchar({ length: 100 }).notNull(),
    version: integer().notNull(),
    before: jsonb().$type<Record<string, unknown>>(),
    after: jsonb().$type<Record<string, unknown>>(),
  },
  (t) => [
    primaryKey({ name: 'webhook_endpoint_changes_pkey', columns: [t.tenantId, t.id] }),
    uniqueIndex('webhook_endpoint_changes_version_key').on(t.tenantId, t.endpointId, t.version),
    oneOfCheck('webhook_endpoint_changes_kind_check', t.kind, kindWords),
  ],
);

export type EndpointRow = typeof webhookEndpoints.$inferSelect;
export type LaneRow = typeof webhookLanes.$inferSelect;
export type AttemptRow = typeof webhookAttempts.$inferSelect;
export type EndpointChangeRow = typeof webhookEndpointChanges.$inferSelect;
