import { customerByKey } from '../account/read.ts';
import type { Ctx } from '../ctx.ts';
import { statementFamily } from '../db/statement.ts';
import { byId } from '../lib/entity-key.ts';
import type { ListPage, PageArgs } from '../lib/page.ts';
import type { Listed } from '../listing/filter.ts';
import { defaultOrder, listOrder, type OrderBy } from '../listing/orders.ts';
import { entityPage } from '../listing/page.ts';
import type { CustomerFilter } from './rules.ts';
import * as rules from './rules.ts';
import { type CustomerRow, customers } from './table.ts';

const listed: Listed<typeof customers> = {
  table: customers,
  family: statementFamily(),
};

/**
 * Returns the customers that match a filter, without archived ones unless the filter includes them. Throws
 * InvalidInputError.
 */
export async function customerPage(
  ctx: Ctx,
  args: PageArgs,
  filter?: CustomerFilter | null,
  orderBy?: OrderBy | null,
): Promise<ListPage<CustomerRow>> {
  const order = listOrder('customers', customers, orderBy ?? defaultOrder);
  const page = await entityPage(ctx, listed, order, args, {
    filter: filter ?? {},
    statuses: Object.keys(rules.statuses),
    facets: [],
    values: {},
  });
  for (const row of page.rows) ctx.prime(customerByKey, byId(row.id), row);
  return page;
}
