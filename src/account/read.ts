import DataLoader from 'dataloader';
import { sql } from 'drizzle-orm';
import type { LoadCtx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { type EntityKey, keyParts, pickInOrder } from '../lib/entity-key.ts';
import { type AccountRow, accounts } from './table.ts';

export type { AccountRow };

export interface AccountLoaders {
  account: DataLoader<EntityKey, AccountRow | null>;
}

const accountsByKeys = statement('accounts_by_keys', (orm) =>
  orm
    .select()
    .from(accounts)
    .where(
      sql`${accounts.tenantId} = ${tenantId} and (${accounts.id} = any(${sql.placeholder('ids')})
        or ${accounts.nodeId} = any(${sql.placeholder('uuids')}))`,
    ),
);

export function accountLoaders({ run, schedule }: LoadCtx): AccountLoaders {
  const load = async (keys: readonly EntityKey[]) =>
    pickInOrder(keys, await run(accountsByKeys, keyParts(keys)));
  return { account: new DataLoader(load, { batchScheduleFn: schedule('account') }) };
}
