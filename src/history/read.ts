import { type SQL, sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { countRows, nameOfWalk, pageQuery, pageValues } from '../db/page.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { isUuid } from '../lib/id.ts';
import { encodeCursor, type ListPage, type PageArgs, pageOf, parsePage } from '../lib/page.ts';
import { type ChangeRow, changes } from './table.ts';

export type { ChangeRow };

const orderName = 'changes';
/** Ids are UUIDv7: their order is that of time. */
const newestFirst = { by: changes.id, type: 'uuid', direction: 'DESC' } as const;

async function changePage(
  ctx: Ctx,
  args: PageArgs,
  name: string,
  where: SQL,
  values: Record<string, unknown>,
): Promise<ListPage<ChangeRow>> {
  const page = parsePage(args, orderName, ([id, tie]) => isUuid(id) && tie === '');
  const walk = { order: newestFirst, backward: page.backward, from: page.from !== undefined };
  const select = statement(nameOfWalk(name, walk), (orm) => pageQuery(orm, changes, walk, where));
  const count = statement(`${name}_count`, (orm) => countRows(orm, changes, where));
  const found = await ctx.run(select, { ...values, ...pageValues(page, page.from) });
  return {
    ...pageOf(page, found),
    cursorOf: (row) => encodeCursor(orderName, [row.id, '']),
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
