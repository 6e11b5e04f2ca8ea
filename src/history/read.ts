import { type SQL, sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { countRows, nameOfWalk, pageQuery, pageValues } from '../db/page.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { encodeCursor, type ListPage, type PageArgs, pageOf, parsePage } from '../lib/page.ts';
import { type ChangeRow, changes } from './table.ts';

export type { ChangeRow };

const orderName = 'changes';
/** By version, not by time: of two writes at once, the one that began earlier may be the later one. */
const newestFirst = { by: changes.version, type: 'integer', direction: 'DESC' } as const;

/** Whether a cursor's value is a version, which is a positive integer of PostgreSQL's. */
function isVersion(value: string): boolean {
  return /^[1-9]\d{0,9}$/.test(value) && Number(value) < 2 ** 31;
}

async function changePage(
  ctx: Ctx,
  args: PageArgs,
  name: string,
  where: SQL,
  values: Record<string, unknown>,
): Promise<ListPage<ChangeRow>> {
  const page = parsePage(args, orderName, ([version, tie]) => isVersion(version) && tie === '');
  const walk = { order: newestFirst, backward: page.backward, from: page.from !== undefined };
  const select = statement(nameOfWalk(name, walk), (orm) => pageQuery(orm, { table: changes }, walk, where));
  const count = statement(`${name}_count`, (orm) => countRows(orm, changes, where));
  const [found] = await ctx.run(select, { ...values, ...pageValues(page, page.from) });
  return {
    ...pageOf(page, found.rows ?? []),
    cursorOf: (row) => encodeCursor(orderName, [String(row.version), '']),
    count: async () => (await ctx.run(count, values))[0]?.count ?? 0,
  };
}

const ofAccount = sql`${changes.tenantId} = ${tenantId} and ${changes.accountId} = ${sql.placeholder('accountId')}`;
const ofCustomer = sql`${changes.tenantId} = ${tenantId} and ${changes.customerId} = ${sql.placeholder('customerId')}
  and ${changes.accountId} is null`;

/** What was written of an account, newest first. Throws InvalidInputError. */
export function accountChanges(ctx: Ctx, accountId: string, args: PageArgs): Promise<ListPage<ChangeRow>> {
  return changePage(ctx, args, 'account_changes', ofAccount, { accountId });
}

/** What was written of a customer itself, newest first; its accounts have histories of their own. Throws InvalidInputError. */
export function customerChanges(ctx: Ctx, customerId: string, args: PageArgs): Promise<ListPage<ChangeRow>> {
  return changePage(ctx, args, 'customer_changes', ofCustomer, { customerId });
}
