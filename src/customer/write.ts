import { sql } from 'drizzle-orm';
import { customerByKey } from '../account/read.ts';
import { accounts } from '../account/table.ts';
import { toAddressColumns } from '../address/rules.ts';
import type { Ctx, Run } from '../ctx.ts';
import { revive, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changeRow, recordChanges } from '../history/write.ts';
import { byId, byUuid } from '../lib/entity-key.ts';
import { allows } from '../lib/scope.ts';
import { listFirst } from '../lib/wording.ts';
import { settingsOfOwner } from '../setting/read.ts';
import { inSettingOrder } from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import { NotAllowedInStatusError } from '../writing/errors.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { type Patches, runPatches } from '../writing/patch.ts';
import { patchStatements } from '../writing/patch-statement.ts';
import { assertArchived, assertWritable, lockStatement, touchStatement } from '../writing/row-lock.ts';
import type { EntityInput } from '../writing/rules.ts';
import { onlyResult } from '../writing/write-each.ts';
import type { CustomerStatus, UpdateCustomerInput } from './rules.ts';
import { type CustomerRow, changeableKeys, customers } from './table.ts';

const lockCustomersStatement = lockStatement('lock_customers', customers);
const touchCustomerStatement = touchStatement('touch_customer', customers);

/** Locks one customer until the transaction ends. */
export async function lockCustomer(run: Run, id: string): Promise<CustomerRow | undefined> {
  const [row] = (await run(lockCustomersStatement, { ids: [id] })) as CustomerRow[];
  return row;
}

/** Adds 1 to the version of a locked customer, and sets its status if one is given. */
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
  if (row === undefined) throw new Error('A locked customer does not exist.');
  return row;
}

interface Belongings {
  settings?: SettingRow[] | undefined;
}

/** Primes the loaders with a customer and its settings. */
export function primeCustomer(ctx: Ctx, customer: CustomerRow, { settings }: Belongings = {}): void {
  for (const key of [byId(customer.id), byUuid(customer.nodeId)]) ctx.prime(customerByKey, key, customer);
  if (settings !== undefined)
    ctx.prime(settingsOfOwner, { type: 'CUSTOMER', id: customer.id }, inSettingOrder(settings));
}

/** Clears the loaders and primes them with a customer after a write. */
export function refreshCustomer(ctx: Ctx, customer: CustomerRow, belongings?: Belongings): void {
  ctx.forget();
  primeCustomer(ctx, customer, belongings);
}

const updateCustomerStatements = patchStatements({
  name: 'update_customer',
  kind: 'CUSTOMER_UPDATED',
  table: customers,
  keys: changeableKeys,
  allowed: () => sql`true`,
  customerId: sql`after.id`,
  accountId: sql`null`,
});

const reviveCustomer = (answer: unknown) => revive(customers, answer);

/** Returns the columns that an update sets: absent keeps, null clears. The address is replaced as a whole. */
function columnsToSet({ name, primaryEmail, address, metadata }: UpdateCustomerInput): Partial<CustomerRow> {
  return {
    ...(name != null && { name }),
    ...(primaryEmail != null && { primaryEmail }),
    ...(address != null && toAddressColumns(address)),
    ...(metadata !== undefined && { metadata: metadata ?? {} }),
  };
}

const customerPatches: Patches<UpdateCustomerInput, CustomerRow> = {
  mutation: 'updateCustomer',
  statementOf: updateCustomerStatements,
  columnsToSet,
  revive: reviveCustomer,
  refuse(row, input) {
    assertWritable('Customer', row, input);
    throw new Error('The update of a customer returned neither a row nor a reason.');
  },
};

/** Changes fields of a customer in one statement. Throws the AppError that explains a refusal. */
export async function updateCustomer(ctx: Ctx, input: UpdateCustomerInput): Promise<Written<CustomerRow>> {
  const result = onlyResult(await runPatches(ctx, customerPatches, [input]));
  if (!result.replayed) primeCustomer(ctx, result.written);
  return result;
}

const namedAtMost = 10;

const liveAccountsStatement = statement('live_accounts', (orm) =>
  orm
    .select({ id: accounts.id, total: sql<number>`count(*) over ()::integer` })
    .from(accounts)
    .where(
      sql`${accounts.tenantId} = ${tenantId} and ${accounts.customerId} = ${sql.placeholder('id')}
        and ${accounts.status} <> 'ARCHIVED'`,
    )
    .orderBy(accounts.id)
    .limit(namedAtMost),
);

/**
 * Throws NotAllowedInStatusError if the customer has live accounts. The error lists them only for callers that can read
 * accounts.
 */
async function assertNoLiveAccounts({ viewer }: Ctx, run: Run, { id, status }: CustomerRow): Promise<void> {
  const live = await run(liveAccountsStatement, { id });
  const total = live[0]?.total ?? 0;
  if (total === 0) return;
  const ids = allows(viewer.scopes, 'accounts:read') ? live.map((account) => account.id) : [];
  const names = ids.length === 0 ? '' : `: ${listFirst(ids, total)}`;
  const reason = `it has ${total === 1 ? 'an account that is' : `${total} accounts that are`} not archived${names}. Archive them first.`;
  throw new NotAllowedInStatusError('Customer', id, status, reason, { ids, total });
}

async function changeStatus(
  ctx: Ctx,
  run: Run,
  kind: ChangeKind,
  { id, status: before }: CustomerRow,
  status: CustomerRow['status'],
): Promise<CustomerRow> {
  const customer = await touchCustomer(ctx, run, id, status);
  const difference = { before: { status: before }, after: { status } };
  const { version } = customer;
  await recordChanges(run, [
    changeRow(ctx, { kind, customerId: id, accountId: null, version, ...difference }),
  ]);
  return customer;
}

/** Archives a customer. Throws NotAllowedInStatusError while it has accounts that are not archived. */
export async function archiveCustomer(ctx: Ctx, input: EntityInput): Promise<Written<CustomerRow>> {
  const result = await writeOnce(ctx, 'archiveCustomer', input, reviveCustomer, async (run) => {
    const held = assertWritable('Customer', await lockCustomer(run, input.id), input);
    await assertNoLiveAccounts(ctx, run, held);
    return changeStatus(ctx, run, 'CUSTOMER_ARCHIVED', held, 'ARCHIVED');
  });
  refreshCustomer(ctx, result.written);
  return result;
}

/** Restores an archived customer to ACTIVE. Its accounts stay archived. */
export async function restoreCustomer(ctx: Ctx, input: EntityInput): Promise<Written<CustomerRow>> {
  const result = await writeOnce(ctx, 'restoreCustomer', input, reviveCustomer, async (run) => {
    const held = assertArchived('Customer', await lockCustomer(run, input.id), input);
    return changeStatus(ctx, run, 'CUSTOMER_RESTORED', held, 'ACTIVE');
  });
  refreshCustomer(ctx, result.written);
  return result;
}
