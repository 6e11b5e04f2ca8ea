import type { Ctx } from '../ctx.ts';
import { encodeCursor, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import {
  type Driver,
  filteredCondition,
  type Listed,
  type ListedTable,
  unfilteredCondition,
} from './filter.ts';
import { type PageSource, readOrderedPage, runPage, type Walk, walkName } from './keyset.ts';
import type { ListOrder } from './orders.ts';
import { countList, readFilteredPage, readSortedPage } from './query.ts';
import type { CommonFilter } from './rules.ts';
import { tenantFacet, toSearch } from './search.ts';

interface Row {
  id: string;
  name: string;
  createdAt: Date;
  updatedAt: Date;
}

/** The request for a page of a list. */
export interface ListRequest {
  filter: CommonFilter;
  /** All statuses of the entity. */
  statuses: string[];
  /** Facets that only this list has. */
  facets: string[];
  /** Values of placeholders that only this list has. */
  values: Record<string, unknown>;
  customerId?: string | null | undefined;
  /** Matches only the entity with this id. */
  id?: string | null | undefined;
}

/** Returns the condition whose index probably finds the fewest rows. `undefined` if no condition has an index. */
function driverOf({ filter, facets, customerId, id }: ListRequest): Driver | undefined {
  if (id !== null && id !== undefined) return 'ID';
  if (customerId !== null && customerId !== undefined) return 'CUSTOMER';
  if (filter.metadata) return 'METADATA';
  if (filter.search) return 'SEARCH';
  if (facets.length > 0 || filter.country || filter.status?.length === 1) return 'FACETS';
  if (filter.createdAt) return 'CREATED';
  if (filter.updatedAt) return 'UPDATED';
  return undefined;
}

function valuesOf(ctx: Ctx, { filter, statuses, facets, values, customerId, id }: ListRequest) {
  const wanted = filter.status ?? statuses.filter((status) => status !== 'ARCHIVED');
  const search = filter.search ? toSearch(filter.search) : undefined;
  const words = [...facets, filter.country, wanted.length === 1 ? wanted[0] : undefined];
  return {
    ...values,
    customerId: customerId ?? null,
    id: id ?? null,
    statuses: wanted,
    live: wanted.some((status) => status !== 'ARCHIVED'),
    archived: wanted.includes('ARCHIVED'),
    country: filter.country ?? null,
    metadata: filter.metadata ? JSON.stringify({ [filter.metadata.key]: filter.metadata.value }) : null,
    createdFrom: filter.createdAt?.from?.toISOString() ?? '-infinity',
    createdUntil: filter.createdAt?.until?.toISOString() ?? 'infinity',
    updatedFrom: filter.updatedAt?.from?.toISOString() ?? '-infinity',
    updatedUntil: filter.updatedAt?.until?.toISOString() ?? 'infinity',
    needle: search?.needle ?? null,
    pattern: search?.pattern ?? null,
    facets: [
      tenantFacet(ctx.viewer.tenant.id),
      ...words.filter((word) => word !== undefined && word !== null),
    ],
    now: ctx.now.toISOString(),
  };
}

function isFiltered({ filter, id }: ListRequest): boolean {
  return [id, ...Object.values(filter)].some((value) => value !== null && value !== undefined);
}

/** Returns the statements of a list. Lists without a filter have simpler ones than filtered lists. */
function statementsOf(listed: Listed, order: ListOrder, request: ListRequest) {
  const filtered = isFiltered(request);
  const driver = driverOf(request) ?? (filtered ? 'FACETS' : undefined);
  const kind = `${filtered ? 'filtered' : 'plain'}_${driver?.toLowerCase() ?? 'all'}`;
  const where = () =>
    driver !== undefined && filtered
      ? filteredCondition(listed, driver)
      : unfilteredCondition(listed, driver);
  const select = (walk: Walk) =>
    listed.family(`${kind}_${walkName(order.name, walk)}`, (orm) => {
      if (driver === 'ID' || (driver === 'CUSTOMER' && !order.byChange))
        return readSortedPage(orm, listed, walk, where());
      if (driver === undefined || driver === 'CUSTOMER') return readOrderedPage(orm, listed, walk, where());
      return readFilteredPage(orm, listed, { ...order, driver, walk });
    });
  const count = listed.family(`${kind}_${order.list}_count`, (orm) =>
    countList(orm, listed, where(), filtered && driver === 'SEARCH'),
  );
  return { select, count };
}

/** Returns a page of a list. Throws InvalidInputError for conflicting arguments and for cursors of another order. */
export async function entityPage<T extends ListedTable>(
  ctx: Ctx,
  listed: Listed<T>,
  order: ListOrder,
  args: PageArgs,
  request: ListRequest,
): Promise<ListPage<T['$inferSelect'] & Row> & { found: Record<string, unknown> }> {
  const page = parsePage(args, order.name, order.isPosition);
  const { select, count } = statementsOf(listed, order, request);
  const values = valuesOf(ctx, request);
  const source = { order: order.order, select, values, alwaysFrom: isFiltered(request) };
  return {
    ...(await runPage(ctx.run, page, source as PageSource<T['$inferSelect'] & Row>)),
    cursorOf: (row) => encodeCursor(order.name, order.positionOf(row)),
    count: async () => (await ctx.run(count, values))[0]?.count ?? 0,
  };
}
