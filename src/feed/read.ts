import { type SQL, sql } from 'drizzle-orm';
import type { Ctx, Loader } from '../ctx.ts';
import { type Json, jsonArray, jsonRow } from '../db/json.ts';
import { given, oneRow, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { type ChangeRow, changes } from '../history/table.ts';
import { assertPosition, encodePosition, type GivenPosition, parsePosition, start } from './position.ts';
import type { ChangeFilter } from './rules.ts';
import { type FeedEntry, type FeedPage, feed, type Place } from './table.ts';

/** The most entries that one page examines, so that a filter that rarely matches takes bounded time. */
const maxExamined = 10_000;
/** The most entries of a tenant that a poll reads. */
const maxPerPoll = 500;

/** Returns whether a filter selects a change. `matchesInSql` is the same condition. */
export function matches(
  { accountId, customerId, kinds, accountsOnly }: ChangeFilter,
  change: ChangeRow,
): boolean {
  if (accountsOnly === true && change.accountId === null) return false;
  if ((accountId ?? change.accountId) !== change.accountId) return false;
  if ((customerId ?? change.customerId) !== change.customerId) return false;
  return kinds == null || kinds.includes(change.kind);
}

const matchesInSql = sql`(not ${given('accountsOnly', 'boolean')} or change.account_id is not null)
  and (${given('accountId', 'text')} is null or change.account_id = ${given('accountId', 'text')})
  and (${given('customerId', 'text')} is null or change.customer_id = ${given('customerId', 'text')})
  and (${given('kinds', 'text[]')} is null or change.kind = any(${given('kinds', 'text[]')}))`;

/** The change of the entry `place`. `offset 0` makes the planner look each up by its key, also before it has statistics. */
export const changeAt = sql`lateral (select * from ${changes}
  where ${changes.tenantId} = place.tenant_id and ${changes.id} = place.change_id offset 0)`;

const change = jsonRow(changes, 'entry');
const entry: Json<FeedEntry> = {
  value: sql`json_build_array(entry.position, ${change.value})`,
  decode(json) {
    const [position, row] = json as [number, unknown];
    return { ...change.decode(row), position };
  },
};

/** Selects the entries of a source as one JSON value, in the order of the feed. */
function entriesOf(source: SQL): SQL<FeedEntry[]> {
  const { value, decode } = jsonArray(entry, {
    source: sql`(${source}) as entry`,
    order: sql`entry.position`,
  });
  return sql`coalesce(${value}, '[]'::json)`.mapWith(decode) as SQL<FeedEntry[]>;
}

const placeOf = (json: unknown): Place => {
  const [position, changeId] = json as [number, string];
  return { position, changeId };
};

/** Selects the place of the last entry of a tenant up to a position. */
function lastPlace(where: SQL): SQL<Place | null> {
  return sql`(select json_build_array(last.position, last.change_id) from ${feed} as last where ${where}
    order by last.position desc limit 1)`.mapWith(placeOf) as SQL<Place | null>;
}

const after = given('after', 'bigint');
const furthest = sql`${after} + ${sql.raw(String(maxExamined))}`;

export const feedPage = statement('feed_page', (orm) =>
  orm
    .select({
      changeIdAtStart: sql<string | null>`(select given.change_id from ${feed} as given
        where given.tenant_id = ${tenantId} and given.position = ${after})`,
      head: lastPlace(sql`last.tenant_id = ${tenantId}`),
      furthest: lastPlace(sql`last.tenant_id = ${tenantId} and last.position <= ${furthest}`),
      entries: entriesOf(sql`select place.position, change.* from ${feed} as place, ${changeAt} as change
        where place.tenant_id = ${tenantId} and place.position > ${after} and place.position <= ${furthest}
          and ${matchesInSql}
        order by place.position limit ${given('limit', 'integer')}`),
    })
    .from(oneRow),
);

/** What to read from a feed. */
export interface FeedRequest {
  /** A position is checked; a place is known to be of this feed. */
  after: GivenPosition | Place;
  filter: ChangeFilter;
  /** The most entries. */
  size: number;
}

/** Returns the values of the placeholders of `feedPage`. */
export function pageValues({ after, filter, size }: FeedRequest) {
  const { accountId = null, customerId = null, kinds = null, accountsOnly = false } = filter;
  return { after: after.position, limit: size, accountId, customerId, kinds, accountsOnly };
}

interface FoundPage {
  changeIdAtStart: string | null;
  head: Place | null;
  furthest: Place | null;
  entries: FeedEntry[];
}

/** Returns the page of a result of `feedPage`. Throws InvalidInputError for a position of another feed. */
export function pageFrom({ after, size }: FeedRequest, [found]: FoundPage[]): FeedPage {
  if (found === undefined) throw new Error('The statement returned no row.');
  if ('text' in after) assertPosition(after, found.changeIdAtStart);
  const { entries } = found;
  const last = entries.at(-1);
  const isFull = entries.length === size && last !== undefined;
  const end = isFull ? { position: last.position, changeId: last.id } : (found.furthest ?? start);
  return { entries, end, head: found.head ?? start };
}

/** Returns the entries after a position, or from the beginning, up to the newest change that has committed. */
export async function readFeed(
  ctx: Ctx,
  { after, filter, size }: { after: string | null | undefined; filter: ChangeFilter; size: number },
): Promise<FeedPage> {
  const request = { after: after == null ? start : parsePosition(after), filter, size };
  await ctx.appendChanges();
  return pageFrom(request, await ctx.run(feedPage, pageValues(request)));
}

/** A tenant whose feed grew, or that is polled for the first time. */
export interface FeedNews {
  tenantId: number;
  head: Place | null;
  /** The entries after the given position, in order; at most one poll's share. */
  entries: FeedEntry[];
}

/** Reads the feeds of several tenants from a position each; below 0, only where they end. */
export const feedNews = statement(
  'feed_news',
  (orm) =>
    orm
      .select({
        tenantId: sql<number>`followed.tenant_id`,
        head: lastPlace(sql`last.tenant_id = followed.tenant_id`),
        entries: entriesOf(sql`select place.position, change.* from ${feed} as place, ${changeAt} as change
          where place.tenant_id = followed.tenant_id and place.position > followed.position and followed.position >= 0
          order by place.position limit ${sql.raw(String(maxPerPoll))}`),
      })
      .from(
        sql`unnest(${given('tenantIds', 'integer[]')}, ${given('positions', 'bigint[]')}) as followed (tenant_id, position)`,
      ),
  { acrossTenants: 'One poll serves all subscribers. Each gets only the changes of its tenant.' },
);

const positionsOfChanges = statement('positions_of_changes', (orm) =>
  orm
    .select({ changeId: feed.changeId, position: feed.position })
    .from(feed)
    .where(sql`${feed.tenantId} = ${tenantId} and ${feed.changeId} = any(${given('ids', 'uuid[]')})`),
);

/** Reads the positions of changes, encoded. */
export const positionOfChange: Loader<string, string> = {
  name: 'positionOfChange',
  turn: 4,
  keyOf: (id) => id,
  async load(ctx, ids) {
    // A change that has just been written may not have its position yet.
    await ctx.appendChanges();
    const rows = await ctx.run(positionsOfChanges, { ids });
    const positions = new Map(rows.map((row) => [row.changeId, encodePosition(row)]));
    return ids.map((id) => {
      const position = positions.get(id);
      if (position === undefined) throw new Error(`The feed has no entry for the change ${id}.`);
      return position;
    });
  },
};
