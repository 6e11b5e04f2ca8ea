import { sql } from 'drizzle-orm';
import type { Logger } from 'pino';
import type { Database } from '../db/client.ts';
import { statement } from '../db/statement.ts';
import { apiKeys } from './table.ts';

/** A key's last use is written at most this often; more would be a write for every request. */
const everyMs = 60_000;
/** Uses wait this long for others, to be written together. */
const gatherMs = 1_000;

const due = sql`(${apiKeys.lastUsedAt} is null
  or ${apiKeys.lastUsedAt} <= ${sql.placeholder('now')}::timestamptz - ${sql.raw(`${everyMs}`)} * interval '1 ms')`;

/** What another replica is writing at the same moment is left to it. */
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
  /** Takes note of a use; the key is as a moment ago it was read. */
  note(key: UsedKey): void;
  /** Writes what is still to be written. */
  close(): Promise<void>;
}

/** Writes down when keys were used, beside the requests: later, many at once, and never failing one. */
export function createUseLog(database: Database, log: Logger): UseLog {
  const used = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  async function write(): Promise<void> {
    timer = undefined;
    if (used.size === 0) return;
    const values = { now: new Date().toISOString(), ids: [...used.keys()], tenantIds: [...used.values()] };
    used.clear();
    await database.run(markUsed, values).catch((error: unknown) => {
      log.warn({ err: error }, 'the last use of some keys is not written');
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
