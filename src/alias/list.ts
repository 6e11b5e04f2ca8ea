import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { countRows, given, nameOfWalk, pageQuery, runPage, type Walk } from '../db/page.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { encodeCursor, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import * as rules from './rules.ts';
import { type AliasRow, aliases } from './table.ts';

const orderName = 'aliases in force';
const byValue = { by: aliases.value, type: 'text', direction: 'ASC' } as const;

const inForce = sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} <> ${aliases.accountId}
  and ${aliases.effectiveFrom} <= ${given('now', 'timestamptz')} and ${aliases.effectiveUntil} > ${given('now', 'timestamptz')}`;

/** The aliases of the tenant that are in force now, by value. Throws InvalidInputError. */
export async function aliasPage(ctx: Ctx, args: PageArgs): Promise<ListPage<AliasRow>> {
  const page = parsePage(
    args,
    orderName,
    ([value, tie]) => rules.value.safeParse(value).success && tie === '',
  );
  const select = (walk: Walk) =>
    statement(nameOfWalk(orderName, walk), (orm) => pageQuery(orm, { table: aliases }, walk, inForce));
  const count = statement('aliases_in_force_count', (orm) => countRows(orm, aliases, inForce));
  const values = { now: ctx.now.toISOString() };
  return {
    ...(await runPage(ctx.run, page, { order: byValue, select, values })),
    cursorOf: (row) => encodeCursor(orderName, [row.value, '']),
    count: async () => (await ctx.run(count, values))[0]?.count ?? 0,
  };
}
