import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../db/client.ts';
import { statement } from '../db/statement.ts';
import { apiKeys } from './table.ts';

/** Minimum time between two writes of a key's last use. */
const everyMs = 60_000;
/** How long uses are collected before one statement writes them. */
const gatherMs = 1_000;

const due = sql`(${apiKeys.lastUsedAt} is null
  or ${apiKeys.lastUsedAt} <= ${sql.placeholder('now')}::timestamptz - ${sql.raw(`${everyMs}`)} * interval '1 ms')`;

/** Skips rows that another replica is writing at the same time. */
const markUsed = statement(
  'mark_keys_used',
  (orm) =>
    orm
      .update(apiKeys)
      .set({ lastUsedAt: sql`${sql.placeholder('now')}::timestamptz` })
      .where(
        sql`(${apiKeys.tenantId}, ${apiKeys.id}) in (select tenant_id, id from ${apiKeys}
        where (tenant_id, id) in (select * from unnest(${sql.placeholder('tenantIds')}::integer[], ${sql.placeholder('ids')}::uuid[]))
          and ${due} for update skip locked)`,
      ),
  { acrossTenants: 'The uses of all keys are written together.' },
);

interface UsedKey {
  tenantId: number;
  keyId: string;
  lastUsedAt: Date | null;
}

export interface UseLog {
  /** Records a use. `key` is what the database returned just now. */
  note(key: UsedKey): void;
  /** Writes the recorded uses. */
  close(): Promise<void>;
}

/** Records when keys were used. Uses are written in batches outside of requests, so a failed write fails no request. */
export function createUseLog(database: Database, log: Logger): UseLog {
  const used = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    timer = undefined;
    if (used.size === 0) return;
    const values = { now: new Date().toISOString(), ids: [...used.keys()], tenantIds: [...used.values()] };
    used.clear();
    await database.run(markUsed, values).catch((error: unknown) => {
      log.warn({ err: error }, 'Writing the last use of keys failed');
    });
  }
  return {
    note({ tenantId, keyId, lastUsedAt }) {
      if (lastUsedAt !== null && Date.now() - lastUsedAt.getTime() < everyMs) return;
      used.set(keyId, tenantId);
      timer ??= setTimeout(() => void write(), gatherMs).unref();
    },
    async close() {
      clearTimeout(timer);
      await write();
    },
  };
}
