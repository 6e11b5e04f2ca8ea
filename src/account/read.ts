import { sql } from 'drizzle-orm';
import type { LoadCtx } from '../ctx.ts';
import { once, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { type EntityKey, keyParts, pickInOrder } from '../lib/entity-key.ts';
import { createLoader, type Loader } from '../lib/loader.ts';
import { type AccountRow, accounts } from './table.ts';
import { along, alongValues, foundAccounts, primeAlong } from './whole.ts';

export type { AccountRow };

export interface AccountLoaders {
  account: Loader<EntityKey, AccountRow | null>;
}

const accountsByKeys = statement('accounts_by_keys', (orm) => {
  const found = orm.$with('found').as(
    orm
      .select()
      .from(accounts)
      .where(
        sql`${accounts.tenantId} = ${tenantId} and (${accounts.id} = any(${sql.placeholder('ids')})
            or ${accounts.nodeId} = any(${sql.placeholder('uuids')}))`,
      ),
  );
  return orm
    .with(found)
    .select({ rows: foundAccounts(), ...along() })
    .from(once);
});

export function accountLoaders(ctx: LoadCtx): AccountLoaders {
  const load = async (keys: readonly EntityKey[]) => {
    const [found] = await ctx.run(accountsByKeys, { ...keyParts(keys), ...alongValues(ctx) });
    const rows = found?.rows ?? [];
    if (found !== undefined) primeAlong(ctx, rows, found);
    return pickInOrder(keys, rows);
  };
  return { account: createLoader({ load, schedule: ctx.schedule('account'), nameOf: (key) => key }) };
}
