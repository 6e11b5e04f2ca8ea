import type { Ctx } from '../ctx.ts';
import type { Listed } from '../entity/list-filter.ts';
import { entityPage } from '../entity/list-page.ts';
import { defaultOrder, listOrder, type OrderBy } from '../entity/orders.ts';
import { customerFacets, customerText } from '../entity/search.ts';
import { byId } from '../lib/entity-key.ts';
import type { ListPage, PageArgs } from '../lib/page.ts';
import type { CustomerFilter } from './filters.ts';
import * as rules from './rules.ts';
import { type CustomerRow, customers } from './table.ts';

const listed: Listed<typeof customers> = {
  table: customers,
  text: customerText(customers),
  facets: customerFacets(customers),
};

/** Customers that match a filter, archived ones left out unless asked for. Throws InvalidInputError. */
export async function customerPage(
  ctx: Ctx,
  args: PageArgs,
  filter?: CustomerFilter | null,
  orderBy?: OrderBy | null,
): Promise<ListPage<CustomerRow>> {
  const order = listOrder('customers', customers, rules, orderBy ?? defaultOrder);
  const page = await entityPage(ctx, listed, order, args, {
    filter: filter ?? {},
    statuses: Object.keys(rules.statuses),
    facets: [],
    values: {},
  });
  for (const row of page.rows) ctx.loaders.customer.prime(byId(row.id), row);
  return page;
}
