import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  customType,
  integer,
  pgTable,
  primaryKey,
  smallint,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import type { ChangeRow } from '../history/table.ts';

const snapshot = customType<{ data: string }>({ dataType: () => 'pg_snapshot' });

/**
 * The order of the changes of a tenant. Each change gets one position, without gaps, after its transaction has
 * committed. A trigger (see the migrations) refuses updates and deletes.
 */
export const feed = pgTable(
  'feed',
  {
    tenantId: integer().notNull(),
    /** 1, 2, 3 … in each tenant. */
    position: bigint({ mode: 'number' }).notNull(),
    changeId: uuid().notNull(),
  },
  (t) => [
    primaryKey({ name: 'feed_pkey', columns: [t.tenantId, t.position] }),
    unique('feed_change_key').on(t.tenantId, t.changeId),
  ],
);

/** One row: how far changes have been appended to the feed. Its lock serializes appending. */
export const feedState = pgTable(
  'feed_state',
  {
    id: smallint().primaryKey().default(1),
    /** The database cluster whose transaction ids `seen` holds. Another one: the database was dumped and restored. */
    systemIdentifier: text(),
    /** Changes that are visible in this snapshot are in the feed. Null: not known. */
    seen: snapshot(),
  },
  (t) => [check('feed_state_one_row_check', sql`${t.id} = 1`)],
);

/** A change with its position in the feed of its tenant. */
export interface FeedEntry extends ChangeRow {
  position: number;
}

/** A place in the feed of a tenant. */
export interface Place {
  /** 0: before the first change. */
  position: number;
  /** The UUID of the change at this position; null before the first change. */
  changeId: string | null;
}

/** Consecutive entries of a feed, without those that a filter leaves out. */
export interface FeedPage {
  entries: readonly FeedEntry[];
  /** All entries up to this place are on the page or left out. */
  end: Place;
  /** The place of the newest entry of the feed. */
  head: Place;
}
