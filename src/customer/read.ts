import { sql } from 'drizzle-orm';
import type { LoadCtx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { type EntityKey, keyParts, pickInOrder } from '../lib/entity-key.ts';
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

export function customerLoaders({ run, schedule }: LoadCtx): CustomerLoaders {
  const load = async (keys: readonly EntityKey[]) =>
    pickInOrder(keys, await run(customersByKeys, keyParts(keys)));
  return { customer: createLoader({ load, schedule: schedule('customer'), nameOf: (key) => key }) };
}
