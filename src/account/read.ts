import { sql } from 'drizzle-orm';
import type { LoadCtx } from '../ctx.ts';
import { once, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { byKeys, type EntityKey, isById, keyParts } from '../lib/entity-key.ts';
import { createLoader, type Loader } from '../lib/loader.ts';
import { type AccountRow, accounts } from './table.ts';
import { accountsTogether, along, alongFlags, foundAccounts } from './whole.ts';

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
  const load = (keys: readonly EntityKey[]) => {
    const flags = alongFlags(ctx);
    return accountsTogether<EntityKey>(ctx, keys, {
      name: 'accounts',
      // Those that are looked up by node id must have it.
      flags: { ...flags, briefAccount: flags.briefAccount === true && keys.every(isById) },
      nameOf: (key) => key,
      async read(run, all, values) {
        const [found] = await run(accountsByKeys, { ...keyParts(all), ...values });
        return { byName: byKeys(found?.rows ?? []), found };
      },
    });
  };
  return { account: createLoader({ load, schedule: ctx.schedule('account'), nameOf: (key) => key }) };
}
