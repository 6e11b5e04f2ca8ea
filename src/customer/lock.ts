import { sql } from 'drizzle-orm';
import type { Ctx, Run } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { lockStatement, touchStatement } from '../entity/lock.ts';
import { byId, byUuid } from '../lib/entity-key.ts';
import { NotAllowedInStatusError } from '../lib/errors.ts';
import { inSettingOrder } from '../lib/order.ts';
import type { SettingRow } from '../setting/table.ts';
import type { CustomerStatus } from './rules.ts';
import { type CustomerRow, customers } from './table.ts';

const lockCustomersStatement = lockStatement('lock_customers', customers);
const touchCustomerStatement = touchStatement('touch_customer', customers);

const shareCustomerStatement = statement('share_customer', (orm) =>
  orm
    .select({ status: customers.status })
    .from(customers)
    .where(sql`${customers.tenantId} = ${tenantId} and ${customers.id} = ${sql.placeholder('id')}`)
    .for('share'),
);

/** Holds one customer until the transaction ends. */
export async function lockCustomer(run: Run, id: string): Promise<CustomerRow | undefined> {
  const [row] = (await run(lockCustomersStatement, { ids: [id] })) as CustomerRow[];
  return row;
}

/** Keeps a customer from being archived until the transaction ends; throws when it is. */
export async function holdActiveCustomer(run: Run, id: string): Promise<void> {
  const [customer] = await run(shareCustomerStatement, { id });
  if (customer === undefined) throw new Error('An account without a customer.');
  if (customer.status === 'ARCHIVED') {
    throw new NotAllowedInStatusError('Customer', id, customer.status, 'restore it before its accounts.');
  }
}

/** Adds 1 to the version of a locked customer, whose status may change with it. */
export async function touchCustomer(
  ctx: Ctx,
  run: Run,
  id: string,
  status: CustomerStatus | null = null,
): Promise<CustomerRow> {
  const [row] = (await run(touchCustomerStatement, {
    id,
    status,
    now: ctx.now.toISOString(),
  })) as CustomerRow[];
  if (row === undefined) throw new Error('A locked customer is gone.');
  return row;
}

/** Makes the rest of the request see a customer as a write left it, with its settings where the write knows them. */
export function refreshCustomer(
  ctx: Ctx,
  customer: CustomerRow,
  known: { settings?: SettingRow[] | undefined } = {},
): void {
  const { loaders } = ctx;
  for (const key of [byId(customer.id), byUuid(customer.nodeId)])
    loaders.customer.clear(key).prime(key, customer);
  const owner = { type: 'CUSTOMER', id: customer.id } as const;
  loaders.settings.clear(owner);
  if (known.settings !== undefined) loaders.settings.prime(owner, inSettingOrder(known.settings));
}
