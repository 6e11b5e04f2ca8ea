import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openDatabase } from '../../src/db/client.ts';
import { oneRow } from '../../src/db/rows.ts';
import { statement } from '../../src/db/statement.ts';
import { useService } from '../support/service.ts';

const service = useService();

describe('Database.snapshot', () => {
  const modes = statement('snapshot_modes', (orm) =>
    orm
      .select({
        isolation: sql`current_setting('transaction_isolation')`,
        isReadOnly: sql`current_setting('transaction_read_only')`,
        lockTimeout: sql`current_setting('lock_timeout')`,
      })
      .from(oneRow),
  );

  it.each([true, false])(
    'reads one state and writes nothing, with prepared statements: %s',
    async (prepare) => {
      const { limits } = readConfig({ DATABASE_LOCK_TIMEOUT_MS: '1234' }).database;
      const database = openDatabase({ connection: service.connection, poolSize: 1, prepare, limits });
      const found = await database.snapshot((run) => run(modes, {}));
      await database.close();
      expect(found).toEqual([{ isolation: 'repeatable read', isReadOnly: 'on', lockTimeout: '1234ms' }]);
    },
  );
});
