import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { countOnce, encodeCursor, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import { keysetList, type List, runPage } from '../listing/keyset.ts';
import { type ChangeRow, changes } from './table.ts';

const orderName = 'changes';
/** By version, not by time: of two concurrent writes, the one that began earlier may commit later. */
const newestFirst = { by: changes.version, type: 'integer', direction: 'DESC' } as const;

/** Returns whether a cursor's value is a version: a positive 32-bit integer. */
export function isVersion(value: string): boolean {
  return /^[1-9]\d{0,9}$/.test(value) && Number(value) < 2 ** 31;
}

/** Returns a page of a list in the order of versions, newest first. Throws InvalidInputError. */
export async function changePage<Row extends { version: number }>(
  ctx: Ctx,
  args: PageArgs,
  { order, select, count }: List<Row>,
  values: Record<string, unknown> = {},
): Promise<ListPage<Row>> {
  const page = parsePage(args, orderName, ([version, tie]) => isVersion(version) && tie === '');
  return {
    ...(await runPage(ctx.run, page, { order, select, values })),
    cursorOf: (row) => encodeCursor(orderName, [String(row.version), '']),
    count: countOnce(async () => (await ctx.run(count, values))[0]?.count ?? 0),
  };
}

const changesOfAccount = keysetList('account_changes', {
  table: changes,
  order: newestFirst,
  where: sql`${changes.tenantId} = ${tenantId} and ${changes.accountId} = ${sql.placeholder('accountId')}`,
});

const changesOfCustomer = keysetList('customer_changes', {
  table: changes,
  order: newestFirst,
  where: sql`${changes.tenantId} = ${tenantId} and ${changes.customerId} = ${sql.placeholder('customerId')}
    and ${changes.accountId} is null`,
});

/** Returns a page of the changes of an account, newest first. Throws InvalidInputError. */
export function accountChanges(ctx: Ctx, accountId: string, args: PageArgs): Promise<ListPage<ChangeRow>> {
  return changePage(ctx, args, changesOfAccount, { accountId });
}

/**
 * Returns a page of the changes of a customer, without those of its accounts, newest first. Throws InvalidInputError.
 */
export function customerChanges(ctx: Ctx, customerId: string, args: PageArgs): Promise<ListPage<ChangeRow>> {
  return changePage(ctx, args, changesOfCustomer, { customerId });
}
