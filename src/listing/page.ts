import type { Ctx } from '../ctx.ts';
import type { Statement } from '../db/statement.ts';
import { countOnce, encodeCursor, type ListPage, type PageArgs, parsePage } from '../lib/page.ts';
import {
  type Driver,
  filteredCondition,
  type Listed,
  type ListedTable,
  unfilteredCondition,
} from './filter.ts';
import { countRows, type PageSource, readOrderedPage, runPage, type Walk, walkName } from './keyset.ts';
import { defaultOrder, type ListOrder, listOrder } from './orders.ts';
import {
  countAlong,
  countFar,
  nearRowLimits,
  type Probe,
  readFarPage,
  readNearPage,
  readProbe,
  readSortedPage,
} from './query.ts';
import type { CommonFilter } from './rules.ts';

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
  /** Whether the placeholders have further facets. */
  hasFacets?: boolean;
  /** Values of placeholders that only this list has. */
  values: Record<string, unknown>;
  customerId?: string | null | undefined;
  /** Matches only the entity with this id. */
  id?: string | null | undefined;
}

/** Returns the condition whose index probably finds the fewest rows. `undefined` if no condition has an index. */
function driverOf({ filter, facets, hasFacets, customerId, id }: ListRequest): Driver | undefined {
  const ofCustomer = customerId !== null && customerId !== undefined;
  if (id !== null && id !== undefined) return 'ID';
  if (ofCustomer) return filter.search ? 'CUSTOMER_SEARCH' : 'CUSTOMER';
  if (filter.metadata) return 'METADATA';
  if (filter.search) return 'SEARCH';
  if (hasFacets || facets.length > 0 || filter.country || filter.status?.length === 1) return 'FACETS';
  if (filter.createdAt) return 'CREATED';
  if (filter.updatedAt) return 'UPDATED';
  return undefined;
}

function valuesOf(ctx: Ctx, { filter, statuses, facets, values, customerId, id }: ListRequest) {
  const wanted = filter.status ?? statuses.filter((status) => status !== 'ARCHIVED');
  const ofCustomer = customerId === null || customerId === undefined ? undefined : `C:${customerId}`;
  const words = [...facets, filter.country, wanted.length === 1 ? wanted[0] : undefined, ofCustomer];
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
    search: filter.search ?? null,
    facets: [`T${ctx.viewer.tenant.id}`, ...words.filter((word) => word !== undefined && word !== null)],
    now: ctx.now.toISOString(),
  };
}

function isFiltered({ filter, id }: ListRequest): boolean {
  return [id, ...Object.values(filter)].some((value) => value !== null && value !== undefined);
}

/** The most parts of words that the index is used for. */
const maxIndexWords = 3;
/** A part with more hits in a scan is common, and the index is slow for it. */
const commonHits = nearRowLimits.first / 100;
/** With so few matches in a scan, a longer scan would find a page later than the index. */
const fewMatches = 2;
/** The share of matches from which counting row by row is faster than the index. */
const mostMatch = 0.3;

/** Returns the first three letters or digits of a pattern, whose one trigram is faster than all trigrams of the word. */
const shortened = (pattern: string) => pattern.replace(/^(%[\p{L}\p{N}]{3})[\p{L}\p{N}]+.*/su, '$1%');

/** Returns the patterns that an index should find: the rare ones or, if none is rare, short ones for all. */
function indexWords({ pieces }: Probe): string[] {
  const known = (pieces ?? []).toSorted(([, a], [, b]) => a - b).slice(0, maxIndexWords);
  const rare = known.filter(([, hits]) => hits <= commonHits);
  if (rare.length > 0) return rare.map(([pattern]) => pattern);
  return known.map(([pattern]) => shortened(pattern));
}

const wordValues = (words: string[]) => Object.fromEntries(words.map((word, n) => [`word${n}`, word]));

type Values = Record<string, unknown>;
type Found = Record<string, unknown> & { probe?: Probe | null };

/** The statements of a list: of its pages, of what a page lacks, and of its count. */
interface Source {
  select(walk: Walk): Statement<unknown>;
  complete?(walk: Walk, found: Found, values: Values): Promise<Found>;
  count(): Promise<number>;
}

/**
 * Returns the source of a list whose filter needs an index. A scan along the order finds common matches, and tells
 * which words of a search are rare. Only if it finds too few, the index is used.
 */
function scannedSource(ctx: Ctx, listed: Listed, order: ListOrder, driver: Driver, values: Values): Source {
  const { family, table } = listed;
  const name = `filtered_${driver.toLowerCase()}`;
  const countOrder = listOrder(order.list, table, defaultOrder);
  const countWalk = { order: countOrder.order, backward: false, from: false };
  const near = (walk: Walk, limit: number) =>
    family(`${name}_${limit}_${walkName(order.name, walk)}`, (orm) =>
      readNearPage(orm, listed, { ...order, driver, walk, limit }),
    );
  const far = (walk: Walk, words: number) =>
    family(`${name}_words_${words}_${walkName(order.name, walk)}`, (orm) =>
      readFarPage(orm, listed, { driver, walk, words }),
    );
  const { first, second } = nearRowLimits;
  return {
    select: (walk) => near(walk, first),
    async complete(walk, found, all) {
      let { probe } = found;
      if (probe == null || probe.scanned < first) return found;
      if (probe.matches > fewMatches) {
        const [more] = (await ctx.run(near(walk, second), all)) as unknown as [Found];
        if (more.probe == null || more.probe.scanned < second) return more;
        probe = more.probe;
      }
      const words = indexWords(probe);
      return (
        await ctx.run(far(walk, words.length), { ...all, ...wordValues(words) })
      )[0] as unknown as Found;
    },
    async count() {
      const reading = family(`${name}_${order.list}_probe`, (orm) =>
        readProbe(orm, listed, { ...countOrder, driver, walk: countWalk, limit: first }),
      );
      const [probe] = await ctx.run(reading, values);
      if (probe.scanned < first) return probe.matches;
      const words = indexWords(probe);
      const counting =
        probe.matches > probe.scanned * mostMatch
          ? family(`${name}_${order.list}_count_along`, (orm) => countAlong(orm, listed))
          : family(`${name}_words_${words.length}_${order.list}_count`, (orm) =>
              countFar(orm, listed, { driver, words: words.length }),
            );
      return (await ctx.run(counting, { ...values, ...wordValues(words) }))[0]?.count ?? 0;
    },
  };
}

/** Returns the source of a list that an index has in order, or that has few rows. */
function directSource(
  ctx: Ctx,
  listed: Listed,
  order: ListOrder,
  { driver, filtered, values }: { driver: Driver | undefined; filtered: boolean; values: Values },
): Source {
  const kind = `${filtered ? 'filtered' : 'plain'}_${driver?.toLowerCase() ?? 'all'}`;
  const where = () =>
    driver !== undefined && filtered
      ? filteredCondition(listed, driver)
      : unfilteredCondition(listed, driver);
  const isSorted = driver === 'ID' || (driver === 'CUSTOMER' && !order.byChange);
  const count = listed.family(`${kind}_${order.list}_count`, (orm) => countRows(orm, listed.table, where()));
  return {
    select: (walk) =>
      listed.family(`${kind}_${walkName(order.name, walk)}`, (orm) =>
        (isSorted ? readSortedPage : readOrderedPage)(orm, listed, walk, where()),
      ),
    count: async () => (await ctx.run(count, values))[0]?.count ?? 0,
  };
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
  const filtered = isFiltered(request);
  const driver = driverOf(request) ?? (filtered ? 'FACETS' : undefined);
  const values = valuesOf(ctx, request);
  const isDirect = driver === undefined || driver === 'ID' || driver === 'CUSTOMER';
  const source = isDirect
    ? directSource(ctx, listed, order, { driver, filtered, values })
    : scannedSource(ctx, listed, order, driver, values);
  const walked = { ...source, order: order.order, values, alwaysFrom: filtered };
  return {
    ...(await runPage(ctx.run, page, walked as unknown as PageSource<T['$inferSelect'] & Row>)),
    cursorOf: (row) => encodeCursor(order.name, order.positionOf(row)),
    count: countOnce(source.count),
  };
}
