import { sql } from 'drizzle-orm';
import type { LoadCtx, Run } from '../ctx.ts';
import { once, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { byKeys, type EntityKey, isById, keyParts, maxKeysTogether } from '../lib/entity-key.ts';
import { createLoader, type Loader } from '../lib/loader.ts';
import { type AccountRow, accounts } from './table.ts';
import {
  along,
  alongFlags,
  foundAccounts,
  instantsOf,
  nothingAlong,
  primeAlong,
  sortAlong,
} from './whole.ts';

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

/** What one request asks for of those that select the same. */
interface Ask {
  keys: readonly EntityKey[];
  now: Date;
}

export function accountLoaders(ctx: LoadCtx): AccountLoaders {
  const load = async (keys: readonly EntityKey[]) => {
    const wanted = alongFlags(ctx);
    // Those that are looked up by node id must have it.
    const flags = { ...wanted, briefAccount: wanted.briefAccount && keys.every(isById) };
    const find = async (run: Run, asks: readonly Ask[]) => {
      const parts = keyParts(asks.flatMap((ask) => ask.keys));
      const [found] = await run(accountsByKeys, { ...parts, ...flags, ...instantsOf(asks) });
      return { byKey: byKeys(found?.rows ?? []), ...sortAlong(found ?? nothingAlong) };
    };
    const asking = { ask: { keys, now: ctx.now }, size: keys.length, maxSize: maxKeysTogether };
    const found = await ctx.share(`accounts ${Object.values(flags)}`, asking, find);
    const rows = keys.map((key) => found.byKey.get(key) ?? null);
    primeAlong(ctx, rows, found);
    return rows;
  };
  return { account: createLoader({ load, schedule: ctx.schedule('account'), nameOf: (key) => key }) };
}
