import { sql } from 'drizzle-orm';
import type { LoadCtx, Run } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { byKeys, type EntityKey, keyParts, maxKeysTogether } from '../lib/entity-key.ts';
import { createLoader, type Loader } from '../lib/loader.ts';
import { type CustomerRow, customers } from './table.ts';

export type { CustomerRow };

export interface CustomerLoaders {
  customer: Loader<EntityKey, CustomerRow | null>;
}

const customersByKeys = statement('customers_by_keys', (orm) =>
  orm
    .select()
    .from(customers)
    .where(
      sql`${customers.tenantId} = ${tenantId} and (${customers.id} = any(${sql.placeholder('ids')})
        or ${customers.nodeId} = any(${sql.placeholder('uuids')}))`,
    ),
);

export function customerLoaders({ share, schedule }: LoadCtx): CustomerLoaders {
  const find = async (run: Run, asks: readonly (readonly EntityKey[])[]) =>
    byKeys(await run(customersByKeys, keyParts(asks.flat())));
  const load = async (keys: readonly EntityKey[]) => {
    const found = await share('customers', { ask: keys, size: keys.length, maxSize: maxKeysTogether }, find);
    return keys.map((key) => found.get(key) ?? null);
  };
  return { customer: createLoader({ load, schedule: schedule('customer'), nameOf: (key) => key }) };
}
