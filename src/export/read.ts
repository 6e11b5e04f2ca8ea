import { getTableName, type SQL, sql } from 'drizzle-orm';
import { accounts } from '../account/table.ts';
import { aliases } from '../alias/table.ts';
import { customers } from '../customer/table.ts';
import type { Run } from '../db/client.ts';
import { type Json, jsonArray, jsonRow } from '../db/json.ts';
import { given, tenantId } from '../db/rows.ts';
import { type Statement, statement } from '../db/statement.ts';
import { type FeedRequest, feedPage, pageFrom, pageValues } from '../feed/read.ts';
import { type FeedEntry, type FeedPage, feed, type Place } from '../feed/table.ts';
import { changes } from '../history/table.ts';
import { settings } from '../setting/table.ts';
import type { ExportedAlias, ExportedSetting, FoundAccount, FoundCustomer } from './record.ts';

/** The rows of a page. A row with settings can have a megabyte. */
const pageSize = 250;

const portable = given('portable', 'boolean');
const since = given('since', 'bigint');
const noUuid = '00000000-0000-0000-0000-000000000000';

type Owner = typeof accounts | typeof customers;

/**
 * Selects the next rows of a table in the order of its index on node ids. If the text had the limit, the planner could
 * sort all rows of a large tenant for each page, because it estimates the average tenant.
 */
function nextRows(table: Owner): SQL {
  return sql`(select * from ${table} where ${table.tenantId} = ${tenantId} and ${table.nodeId} > ${given('after', 'uuid')}
    order by ${table.nodeId} limit ${given('limit', 'integer')}) as ${table}`;
}

/**
 * Matches the rows to export. The change that made a row's version is its last one. It has no position yet if it has
 * committed after the feed was brought up to date.
 */
function isWanted(table: Owner, madeBy: SQL): SQL {
  const position = sql`(select place.position from ${feed} as place where place.tenant_id = ${tenantId}
    and place.change_id = (select latest.id from ${changes} as latest where latest.tenant_id = ${tenantId} and ${madeBy}))`;
  return sql`not (${portable} and ${table.status} = 'ARCHIVED')
    and case when ${since} is null then true else coalesce(${position} > ${since}, true) end`;
}

/** The settings of the row `owner`, in their order. */
function settingsOf(ownerType: 'ACCOUNT' | 'CUSTOMER', owner: SQL): Json<ExportedSetting[]> {
  const keys = ['namespace', 'id', 'name', 'dataType', 'value'];
  return jsonArray(jsonRow(settings, 'settings', { keys, when: true }), {
    source: sql`${settings} where ${settings.tenantId} = ${tenantId}
      and ${settings.ownerType} = ${sql.raw(`'${ownerType}'`)} and ${settings.ownerId} = ${owner}`,
    order: sql`${settings.namespace}, ${settings.id}`,
  });
}

/** The spans of the row `accounts`. Their order does not depend on when they were added, which an import changes. */
function spansOfAccount(): Json<ExportedAlias[]> {
  const keys = ['value', 'effectiveFrom', 'effectiveUntil'];
  return jsonArray(jsonRow(aliases, 'aliases', { keys, when: true }), {
    source: sql`${aliases} where ${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = accounts.id
      and ${aliases.value} <> accounts.id`,
    order: sql`${aliases.value}, ${aliases.effectiveFrom}`,
  });
}

type Found<T> = { nodeId: string; found: T | null };

/** Defines the statement of a page. `madeBy` matches the change `latest` that made the version of a row. */
function pageStatement<T>(table: Owner, madeBy: SQL, { value, decode }: Json<T>): Statement<Found<T>[]> {
  const name = getTableName(table);
  const rowId = sql`${sql.identifier(name)}.node_id`;
  const found = sql`case when ${isWanted(table, madeBy)} then ${value} end`.mapWith(decode) as SQL<T | null>;
  return statement(`export_${name}`, (orm) =>
    orm
      .select({ nodeId: rowId as SQL<string>, found })
      .from(nextRows(table))
      .orderBy(rowId),
  );
}

function foundCustomer(): Json<FoundCustomer> {
  const row = jsonRow(customers, 'customers');
  const set = settingsOf('CUSTOMER', sql`customers.id`);
  return {
    value: sql`json_build_array(${row.value}, ${set.value})`,
    decode(json) {
      const [ofRow, ofSettings] = json as [unknown, unknown];
      return { row: row.decode(ofRow), settings: set.decode(ofSettings) };
    },
  };
}

function foundAccount(): Json<FoundAccount> {
  const row = jsonRow(accounts, 'accounts');
  const spans = spansOfAccount();
  const set = settingsOf('ACCOUNT', sql`accounts.id`);
  return {
    value: sql`json_build_array(${row.value}, ${spans.value}, ${set.value})`,
    decode(json) {
      const [ofRow, ofSpans, ofSettings] = json as [unknown, unknown, unknown];
      return { row: row.decode(ofRow), aliases: spans.decode(ofSpans), settings: set.decode(ofSettings) };
    },
  };
}

const customerPage = pageStatement(
  customers,
  sql`latest.customer_id = customers.id and latest.account_id is null and latest.version = customers.version`,
  foundCustomer(),
);

const accountPage = pageStatement(
  accounts,
  sql`latest.account_id = accounts.id and latest.version = accounts.version`,
  foundAccount(),
);

type After = FeedRequest['after'];

/** Which rows to read. */
export interface RowFilter {
  /** Whether archived rows are left out. */
  portable: boolean;
  /** Only rows that changed after this place. */
  since: After | undefined;
}

/** Reads all rows of a table in the order of their creation, one statement a page. */
async function* readPages<T>(
  run: Run,
  page: Statement<Found<T>[]>,
  { portable, since }: RowFilter,
): AsyncGenerator<T[], void> {
  const values = { portable, since: since?.position ?? null, limit: pageSize };
  for (let after: string | undefined = noUuid; after !== undefined; ) {
    const rows: Found<T>[] = await run(page, { ...values, after });
    const found = rows.flatMap((row) => (row.found === null ? [] : [row.found]));
    if (found.length > 0) yield found;
    after = rows.length < pageSize ? undefined : rows.at(-1)?.nodeId;
  }
}

export function readCustomers(run: Run, filter: RowFilter): AsyncGenerator<FoundCustomer[], void> {
  return readPages(run, customerPage, filter);
}

export function readAccounts(run: Run, filter: RowFilter): AsyncGenerator<FoundAccount[], void> {
  return readPages(run, accountPage, filter);
}

async function readFeedPage(run: Run, after: After, size: number): Promise<FeedPage> {
  const request = { after, filter: {}, size };
  return pageFrom(request, await run(feedPage, pageValues(request)));
}

/** Returns the place of the newest change. Throws InvalidInputError if a position is not one of the tenant. */
export async function readHead(run: Run, after: After): Promise<Place> {
  return (await readFeedPage(run, after, 1)).head;
}

/** Reads the changes after a place in the order of the feed, one statement a page. */
export async function* readChanges(run: Run, after: After): AsyncGenerator<readonly FeedEntry[], void> {
  for (let place: After | undefined = after; place !== undefined; ) {
    const { entries, end, head }: FeedPage = await readFeedPage(run, place, pageSize);
    if (entries.length > 0) yield entries;
    place = end.position < head.position ? end : undefined;
  }
}
