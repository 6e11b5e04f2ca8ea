import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { countRows, nameOfWalk, pageQuery, runPage, type Walk } from '../db/page.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { encodeCursor, isInstant, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import * as rules from './rules.ts';
import { type AliasRow, aliases } from './table.ts';

const orderName = 'aliases';
const noBeginning = '-infinity';
const byBeginning = {
  by: aliases.effectiveFrom,
  type: 'timestamptz',
  direction: 'ASC',
  tie: aliases.value,
} as const;

/** The spans of an account, without the one of its own id, which every account has without an end. */
const ofAccount = sql`${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = ${sql.placeholder('accountId')}
  and ${aliases.value} <> ${aliases.accountId}`;

/** All spans of an account's aliases, past and to come; those without a beginning first. Throws InvalidInputError. */
export async function aliasTimeline(
  ctx: Ctx,
  accountId: string,
  args: PageArgs,
): Promise<ListPage<AliasRow>> {
  const page = parsePage(
    args,
    orderName,
    ([from, value]) => (from === noBeginning || isInstant(from)) && rules.value.safeParse(value).success,
  );
  const select = (walk: Walk) =>
    statement(nameOfWalk('alias_timeline', walk), (orm) =>
      pageQuery(orm, { table: aliases }, walk, ofAccount),
    );
  const count = statement('alias_timeline_count', (orm) => countRows(orm, aliases, ofAccount));
  return {
    ...(await runPage(ctx.run, page, { order: byBeginning, select, values: { accountId } })),
    cursorOf: (row) => encodeCursor(orderName, [row.effectiveFrom?.toISOString() ?? noBeginning, row.value]),
    count: async () => (await ctx.run(count, { accountId }))[0]?.count ?? 0,
  };
}
