import { type SQL, sql } from 'drizzle-orm';
import { aliasesOfAccount } from '../alias/read.ts';
import { isInForce } from '../alias/rules.ts';
import { type AliasRow, aliases } from '../alias/table.ts';
import type { Ctx, Loader, Run } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { jsonJoined, jsonRows } from '../db/json.ts';
import { given, oneRow, tenantId } from '../db/rows.ts';
import { statement, statementFamily } from '../db/statement.ts';
import { byId, byKeys, type EntityKey, isById, keyParts, maxKeysTogether } from '../lib/entity-key.ts';
import { groupBy } from '../lib/group.ts';
import type { ListPage, PageArgs } from '../lib/page.ts';
import type { Listed } from '../listing/filter.ts';
import { defaultOrder, listOrder, type OrderBy } from '../listing/orders.ts';
import { entityPage } from '../listing/page.ts';
import { settingsOfOwner } from '../setting/read.ts';
import { type SettingRow, settings } from '../setting/table.ts';
import type { AccountFilter } from './rules.ts';
import * as rules from './rules.ts';
import { type AccountRow, accounts } from './table.ts';

/** Rows that belong to accounts, read by the same statement. `null` if there are none. */
export interface RelatedRows {
  customers: CustomerRow[] | null;
  aliases: AliasRow[] | null;
  settings: SettingRow[] | null;
}

const noRelatedRows: RelatedRows = { customers: null, aliases: null, settings: null };

/**
 * Defines a subset of columns, used if the document selects nothing else of the type. `others` are fields that need
 * only the ids.
 */
function brief<Row>(type: string, keys: (keyof Row & string)[], others: string[] = []) {
  const fields: ReadonlySet<string> = new Set([...keys, ...others]);
  return { type, keys, fields, when: given(`brief${type}`, 'boolean') };
}

const noFields: ReadonlySet<string> = new Set();

/** The columns that most documents select. Whole rows cost much more to read. */
const briefly = {
  account: brief<AccountRow>(
    'Account',
    ['id', 'customerId', 'name', 'status'],
    ['customer', 'aliases', 'aliasTimeline', 'settings', 'history'],
  ),
  customer: brief<CustomerRow>('Customer', ['id', 'name', 'status'], ['accounts', 'settings', 'history']),
  alias: brief<AliasRow>('Alias', ['value', 'accountId', 'effectiveFrom', 'effectiveUntil'], ['account']),
};

/** Selects the accounts of the CTE `found` as JSON. The statement must run with `relatedValues`. */
export function foundAccounts() {
  return jsonRows(accounts, 'found', { source: sql`found`, brief: briefly.account });
}

/** Selects the joined row `customer` as JSON. The statement must run with `relatedValues`. */
export function joinedCustomer() {
  return jsonJoined(customers, 'customer', briefly.customer);
}

/** The earliest and latest `now` of the batched requests. */
const [first, last] = [given('first', 'timestamptz'), given('last', 'timestamptz')];
// Arrays instead of joins: the planner expects few elements and uses the index at any size.
const ids = sql`array(select id from found)`;

/**
 * Selects the rows that belong to the accounts of the CTE `found`, each kind only if the document selects it. One
 * statement replaces four.
 */
export function selectRelated(): { [key in keyof RelatedRows]: SQL<RelatedRows[key]> } {
  return {
    customers: jsonRows(customers, 'customers', {
      source: sql`${customers} where ${given('withCustomers', 'boolean')} and ${customers.tenantId} = ${tenantId}
        and ${customers.id} = any(array(select customer_id from found))`,
      brief: briefly.customer,
    }),
    aliases: jsonRows(aliases, 'aliases', {
      source: sql`${aliases} where ${given('withAliases', 'boolean')} and ${aliases.tenantId} = ${tenantId}
        and ${aliases.accountId} = any(${ids}) and ${aliases.value} <> ${aliases.accountId}
        and ${aliases.effectiveFrom} <= ${last} and ${aliases.effectiveUntil} > ${first}`,
      order: sql`${aliases.createdAt}, ${aliases.ordinal}, ${aliases.value}, ${aliases.effectiveFrom}`,
      brief: briefly.alias,
    }),
    settings: jsonRows(settings, 'settings', {
      source: sql`${settings} where ${given('withSettings', 'boolean')} and ${settings.tenantId} = ${tenantId}
        and ${settings.ownerType} = 'ACCOUNT' and ${settings.ownerId} = any(${ids})`,
      order: sql`${settings.namespace}, ${settings.id}`,
    }),
  };
}

type SelectingCtx = Pick<Ctx, 'selects' | 'now'>;

/** Returns the flags that decide which rows and columns `selectRelated`, `foundAccounts` and `joinedCustomer` read. */
export function relatedFlags({ selects }: Pick<SelectingCtx, 'selects'>): Record<string, boolean> {
  // A selection on `Node` applies to each type that has a node id.
  const isBrief = selects.only('Node', noFields);
  return {
    withCustomers: selects.field('Account.customer'),
    withAliases: selects.field('Account.aliases'),
    withSettings: selects.field('Account.settings'),
    ...Object.fromEntries(
      Object.values(briefly).map(({ type, fields }) => [
        `brief${type}`,
        isBrief && selects.only(type, fields),
      ]),
    ),
  };
}

/** Returns the earliest and latest `now` of the batched requests. */
function instantsOf(requests: readonly { now: Date }[]) {
  const times = requests.map(({ now }) => now.getTime());
  return {
    first: new Date(Math.min(...times)).toISOString(),
    last: new Date(Math.max(...times)).toISOString(),
  };
}

/** Returns the values of the placeholders of `selectRelated`, `foundAccounts` and `joinedCustomer`. */
export function relatedValues(ctx: SelectingCtx) {
  return { ...relatedFlags(ctx), ...instantsOf([ctx]) };
}

/** Groups the related rows by the key that they are looked up by. */
export function groupRelated({ customers, aliases, settings }: RelatedRows) {
  return {
    customers: new Map((customers ?? []).map((customer) => [customer.id, customer])),
    aliases: groupBy(aliases ?? [], (alias) => alias.accountId),
    settings: groupBy(settings ?? [], (setting) => setting.ownerId),
  };
}

/** Primes the loaders with the related rows of accounts. */
export function primeRelated(
  ctx: Ctx,
  accounts: (AccountRow | null)[],
  found: ReturnType<typeof groupRelated>,
): void {
  const { now, selects } = ctx;
  const withAliases = selects.field('Account.aliases');
  const withSettings = selects.field('Account.settings');
  for (const account of accounts) {
    if (account === null) continue;
    const { id, customerId } = account;
    const customer = found.customers.get(customerId);
    if (customer !== undefined) ctx.prime(customerByKey, byId(customerId), customer);
    const named = found.aliases.get(id) ?? [];
    if (withAliases)
      ctx.prime(
        aliasesOfAccount,
        { accountId: id, on: now },
        named.filter((alias) => isInForce(alias, now)),
      );
    if (withSettings) ctx.prime(settingsOfOwner, { type: 'ACCOUNT', id }, found.settings.get(id) ?? []);
  }
}

/** The part of a batch that one request contributed. */
interface KeysAt<Key> {
  keys: readonly Key[];
  now: Date;
}

export interface AccountsRead<Key> {
  /** Identifies this kind of read in the name of the batch. */
  name: string;
  flags: Record<string, boolean>;
  keyOf(key: Key): string;
  /** Reads the accounts of all keys. The statement must have the placeholders of `relatedValues`. */
  read(
    run: Run,
    keys: readonly Key[],
    values: Record<string, unknown>,
  ): Promise<{ byKey: Map<string, AccountRow | undefined>; found: RelatedRows | undefined }>;
}

/** Reads accounts in one batch with concurrent requests that select the same. Returns rows in the order of the keys. */
export async function readAccountsInBatch<Key>(
  ctx: Ctx,
  keys: readonly Key[],
  { name, flags, keyOf, read }: AccountsRead<Key>,
): Promise<(AccountRow | null)[]> {
  const find = async (run: Run, items: readonly KeysAt<Key>[]) => {
    const all = items.flatMap((item) => item.keys);
    const { byKey, found } = await read(run, all, { ...flags, ...instantsOf(items) });
    return { byKey, related: groupRelated(found ?? noRelatedRows) };
  };
  const request = { item: { keys, now: ctx.now }, size: keys.length, maxSize: maxKeysTogether };
  const { byKey, related } = await ctx.batch(`${name} ${Object.values(flags)}`, request, find);
  const rows = keys.map((key) => byKey.get(keyOf(key)) ?? null);
  primeRelated(ctx, rows, related);
  return rows;
}

const customersByKeys = statement('customers_by_keys', (orm) =>
  orm
    .select()
    .from(customers)
    .where(
      sql`${customers.tenantId} = ${tenantId} and (${customers.id} = any(${sql.placeholder('ids')})
        or ${customers.nodeId} = any(${sql.placeholder('uuids')}))`,
    ),
);

/** Reads customers by id or node id. Defined here because accounts show their customers. */
export const customerByKey: Loader<EntityKey, CustomerRow | null> = {
  name: 'customer',
  turn: 3,
  keyOf: (key) => key,
  async load({ batch }, keys) {
    const find = async (run: Run, items: readonly (readonly EntityKey[])[]) =>
      byKeys(await run(customersByKeys, keyParts(items.flat())));
    const found = await batch('customers', { item: keys, size: keys.length, maxSize: maxKeysTogether }, find);
    return keys.map((key) => found.get(key) ?? null);
  },
};

const accountsByKeys = statement('accounts_by_keys', (orm) => {
  const found = orm.$with('found').as(
    orm
      .select()
      .from(accounts)
      .where(
        sql`${accounts.tenantId} = ${tenantId} and (${accounts.id} = any(${sql.placeholder('ids')})
            or ${accounts.nodeId} = any(${sql.placeholder('uuids')}))`,
      ),
  );
  return orm
    .with(found)
    .select({ rows: foundAccounts(), ...selectRelated() })
    .from(oneRow);
});

/** Reads accounts by id or node id, with the related rows that the document selects. */
export const accountByKey: Loader<EntityKey, AccountRow | null> = {
  name: 'account',
  turn: 2,
  keyOf: (key) => key,
  load(ctx, keys) {
    const flags = relatedFlags(ctx);
    return readAccountsInBatch<EntityKey>(ctx, keys, {
      name: 'accounts',
      // Rows that are looked up by node id need that column.
      flags: { ...flags, briefAccount: flags.briefAccount === true && keys.every(isById) },
      keyOf: (key) => key,
      async read(run, all, values) {
        const [found] = await run(accountsByKeys, { ...keyParts(all), ...values });
        return { byKey: byKeys(found?.rows ?? []), found };
      },
    });
  },
};

/** The tag of the filter in a list, as facets have it. */
const wantedTags = sql`(select fold_tags(${given('tags', 'text[]')}))`;
const currency = given('currency', 'text');
const now = given('now', 'timestamptz');

/** The current aliases of an account as the text of searches, without its own id, which is in the account's own text. */
const aliasText = sql`(select coalesce(string_agg(search_document(${aliases.value}), ''), '') from ${aliases}
  where ${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = ${accounts.id}
    and ${aliases.value} <> ${aliases.accountId}
    and ${aliases.effectiveFrom} <= ${now} and ${aliases.effectiveUntil} > ${now})`;

/**
 * Matches accounts by their text. Behind a mark, the text has aliases that start or end at a time, so that they may not
 * be in force now.
 */
function matches(patterns: SQL): SQL {
  const text = sql`${accounts.searchText}`;
  const own = sql`split_part(${text}, E' \\x1f\\n', 1)`;
  return sql`(${text} like all(${patterns})
    and (${own} like all(${patterns}) or (${own} || ${aliasText}) like all(${patterns})))`;
}

const listed: Listed<typeof accounts> = {
  table: accounts,
  family: statementFamily(),
  wantedFacets: wantedTags,
  related: selectRelated,
  owner: sql`${accounts.customerId} = ${given('customerId', 'text')}`,
  filter: sql`(${given('customerId', 'text')} is null or ${accounts.customerId} = ${given('customerId', 'text')})
    and (${accounts.facets} @> ${wantedTags}) is true
    and (${currency} is null or coalesce(${accounts.invoiceCurrency}, ${given('baseCurrency', 'text')}) = ${currency})`,
  matches,
};

/**
 * Returns the accounts that match a filter, without archived ones unless the filter includes them. Throws
 * InvalidInputError.
 */
export async function accountPage(
  ctx: Ctx,
  args: PageArgs,
  filter?: (AccountFilter & { id?: string | undefined }) | null,
  orderBy?: OrderBy | null,
): Promise<ListPage<AccountRow>> {
  const { id, customerId, ...others } = filter ?? {};
  const { invoiceCurrency, tag } = others;
  const { baseCurrency } = ctx.viewer.tenant;
  // Most accounts in the tenant's currency store none, so this currency is no facet.
  const ownCurrency = invoiceCurrency === baseCurrency ? undefined : invoiceCurrency;
  const page = await entityPage(ctx, listed, listOrder('accounts', accounts, orderBy ?? defaultOrder), args, {
    filter: others,
    statuses: Object.keys(rules.statuses),
    facets: typeof ownCurrency === 'string' ? [ownCurrency] : [],
    hasFacets: typeof tag === 'string',
    values: {
      tags: typeof tag === 'string' ? [tag] : [],
      currency: invoiceCurrency ?? null,
      baseCurrency,
      now: ctx.now.toISOString(),
      ...relatedValues(ctx),
    },
    customerId,
    id,
  });
  for (const row of page.rows) ctx.prime(accountByKey, byId(row.id), row);
  primeRelated(ctx, page.rows, groupRelated(page.found as unknown as RelatedRows));
  return page;
}

/** Returns a page of the accounts of one customer. If the filter names another customer, the page is empty. */
export function customerAccountPage(
  ctx: Ctx,
  args: PageArgs,
  customerId: string,
  filter?: AccountFilter | null,
  orderBy?: OrderBy | null,
): Promise<ListPage<AccountRow>> {
  const asked = filter?.customerId ?? customerId;
  // No customer has an empty id.
  return accountPage(ctx, args, { ...filter, customerId: asked === customerId ? asked : '' }, orderBy);
}
