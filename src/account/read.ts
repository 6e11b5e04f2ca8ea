import { type SQL, sql } from 'drizzle-orm';
import { aliasesOfAccount } from '../alias/read.ts';
import { isInForce } from '../alias/rules.ts';
import { type AliasRow, aliases } from '../alias/table.ts';
import type { Ctx, Loader, Run } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { either, type Flag, type Json, jsonArray, jsonJoined, jsonRow } from '../db/json.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement, statementFamily } from '../db/statement.ts';
import { byId, byKeys, type EntityKey, isById, keyParts, maxKeysTogether } from '../lib/entity-key.ts';
import type { ListPage, PageArgs } from '../lib/page.ts';
import type { Listed } from '../listing/filter.ts';
import { defaultOrder, listOrder, type OrderBy } from '../listing/orders.ts';
import { entityPage } from '../listing/page.ts';
import { settingsOfOwner } from '../setting/read.ts';
import { type SettingRow, settings } from '../setting/table.ts';
import type { AccountFilter } from './rules.ts';
import * as rules from './rules.ts';
import { type AccountRow, accounts } from './table.ts';

/** The rows that belong to an account, read by the same statement. `null` if the document does not select them. */
interface Related {
  accountId: string;
  customer: CustomerRow | null;
  aliases: AliasRow[] | null;
  settings: SettingRow[] | null;
}

/** Columns that are read alone if the document selects nothing else of the type. */
interface BriefColumns {
  type: string;
  keys: readonly string[];
  /** The fields that need no other columns. */
  fields: ReadonlySet<string>;
}

/** Defines a subset of columns. `others` are fields that need only the ids. */
function brief<Row>(type: string, keys: (keyof Row & string)[], others: string[] = []): BriefColumns {
  return { type, keys, fields: new Set([...keys, ...others]) };
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

/** What a document selects of accounts and their related rows. */
export interface Shape {
  briefAccount: boolean;
  customers: boolean;
  briefCustomer: boolean;
  aliases: boolean;
  briefAlias: boolean;
  settings: boolean;
}

/** Returns what a document selects. */
export function shapeOf({ selects }: Pick<Ctx, 'selects'>): Shape {
  // A selection on `Node` applies to each type that has a node id.
  const isBrief = ({ type, fields }: BriefColumns) =>
    selects.only('Node', noFields) && selects.only(type, fields);
  return {
    briefAccount: isBrief(briefly.account),
    customers: selects.field('Account.customer'),
    briefCustomer: isBrief(briefly.customer),
    aliases: selects.field('Account.aliases'),
    briefAlias: isBrief(briefly.alias),
    settings: selects.field('Account.settings'),
  };
}

/** Returns a name that identifies a read and its shape. */
export function nameOfShape(read: string, shape: Shape): string {
  const selected = Object.entries(shape).filter(([, isSelected]) => isSelected);
  return [read, ...selected.map(([name]) => name)].join('_');
}

type Flags = Record<keyof Shape, Flag>;

/** A shape that the placeholders of a statement decide. Statements of lists have too many texts to fix it. */
const givenShape: Flags = {
  briefAccount: given('briefAccount', 'boolean'),
  customers: given('customers', 'boolean'),
  briefCustomer: given('briefCustomer', 'boolean'),
  aliases: given('aliases', 'boolean'),
  briefAlias: given('briefAlias', 'boolean'),
  settings: given('settings', 'boolean'),
};

/** Selects the joined row `customer` as JSON. The statement must run with `relatedValues`. */
export function joinedCustomer() {
  return jsonJoined(customers, 'customer', { ...briefly.customer, when: givenShape.briefCustomer });
}

/** The earliest and latest `now` of the batched requests. */
const [first, last] = [given('first', 'timestamptz'), given('last', 'timestamptz')];

/** Returns the rows that belong to the row `accounts` as one JSON value. The statement must run with `relatedValues`. */
function jsonRelated(flags: Flags): Json<Related> {
  const customer = jsonRow(customers, 'customers', { ...briefly.customer, when: flags.briefCustomer });
  const alias = jsonRow(aliases, 'aliases', { ...briefly.alias, when: flags.briefAlias });
  const named = jsonArray(alias, {
    source: sql`${aliases} where ${aliases.tenantId} = ${tenantId}
      and ${aliases.accountId} = accounts.id and ${aliases.value} <> accounts.id
      and ${aliases.effectiveFrom} <= ${last} and ${aliases.effectiveUntil} > ${first}`,
    order: sql`${aliases.createdAt}, ${aliases.ordinal}, ${aliases.value}, ${aliases.effectiveFrom}`,
  });
  const set = jsonArray(jsonRow(settings, 'settings'), {
    source: sql`${settings} where ${settings.tenantId} = ${tenantId}
      and ${settings.ownerType} = 'ACCOUNT' and ${settings.ownerId} = accounts.id`,
    order: sql`${settings.namespace}, ${settings.id}`,
  });
  const owner = sql`(select ${customer.value} from ${customers}
    where ${customers.tenantId} = ${tenantId} and ${customers.id} = accounts.customer_id)`;
  const parts = [
    sql`accounts.id`,
    either(flags.customers, owner),
    either(flags.aliases, named.value),
    either(flags.settings, set.value),
  ];
  return {
    value: sql`json_build_array(${sql.join(parts, sql`, `)})`,
    decode(json) {
      const [accountId, ofCustomer, ofAliases, ofSettings] = json as [string, unknown, unknown, unknown];
      return {
        accountId,
        customer: ofCustomer === null ? null : customer.decode(ofCustomer),
        aliases: named.decode(ofAliases),
        settings: set.decode(ofSettings),
      };
    },
  };
}

/** An account with its related rows, and the place of the key that found it. */
export interface FoundAccount {
  place: number | null;
  account: AccountRow;
  related: Related;
}

/** Selects the rows `accounts` of a query with their related rows as JSON. The statement must run with `relatedValues`. */
export function selectAccounts(shape: Shape, place: SQL = sql`null`): SQL<FoundAccount[] | null> {
  const account = jsonRow(accounts, 'accounts', { ...briefly.account, when: shape.briefAccount });
  const related = jsonRelated(shape);
  const value = sql`json_agg(json_build_array(${place}, ${account.value}, ${related.value}))`;
  return value.mapWith((found: [number | null, unknown, unknown][]) =>
    found.map(([at, row, rows]) => ({
      place: at,
      account: account.decode(row),
      related: related.decode(rows),
    })),
  ) as SQL<FoundAccount[] | null>;
}

type SelectingCtx = Pick<Ctx, 'selects' | 'now'>;

/** Returns the earliest and latest `now` of the batched requests. */
function instantsOf(requests: readonly { now: Date }[]) {
  const times = requests.map(({ now }) => now.getTime());
  return {
    first: new Date(Math.min(...times)).toISOString(),
    last: new Date(Math.max(...times)).toISOString(),
  };
}

/** Returns the values of the placeholders of `givenShape` and `jsonRelated`. */
export function relatedValues(ctx: SelectingCtx) {
  return { ...shapeOf(ctx), ...instantsOf([ctx]) };
}

/** Primes the loaders with the related rows of accounts. */
function primeRelated(ctx: Ctx, found: readonly Related[], shape: Shape): void {
  const { now } = ctx;
  for (const { accountId, customer, aliases, settings } of found) {
    if (customer !== null) ctx.prime(customerByKey, byId(customer.id), customer);
    if (shape.aliases)
      ctx.prime(
        aliasesOfAccount,
        { accountId, on: now },
        (aliases ?? []).filter((alias) => isInForce(alias, now)),
      );
    if (shape.settings) ctx.prime(settingsOfOwner, { type: 'ACCOUNT', id: accountId }, settings ?? []);
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
  shape: Shape;
  keyOf(key: Key): string;
  /** Reads the accounts of all keys. The statement must have the placeholders of `relatedValues`. */
  read(
    run: Run,
    keys: readonly Key[],
    values: Record<string, unknown>,
  ): Promise<Map<string, FoundAccount | undefined>>;
}

/** Reads accounts in one batch with concurrent requests that select the same. Returns rows in the order of the keys. */
export async function readAccountsInBatch<Key>(
  ctx: Ctx,
  keys: readonly Key[],
  { name, shape, keyOf, read }: AccountsRead<Key>,
): Promise<(AccountRow | null)[]> {
  const find = (run: Run, items: readonly KeysAt<Key>[]) =>
    read(
      run,
      items.flatMap((item) => item.keys),
      { ...shape, ...instantsOf(items) },
    );
  const request = { item: { keys, now: ctx.now }, size: keys.length, maxSize: maxKeysTogether };
  const byKey = await ctx.batch(nameOfShape(name, shape), request, find);
  const found = keys.map((key) => byKey.get(keyOf(key)));
  primeRelated(
    ctx,
    found.flatMap((one) => one?.related ?? []),
    shape,
  );
  return found.map((one) => one?.account ?? null);
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
      byKeys(await run(customersByKeys, keyParts(items.flat())), (row) => row);
    const found = await batch('customers', { item: keys, size: keys.length, maxSize: maxKeysTogether }, find);
    return keys.map((key) => found.get(key) ?? null);
  },
};

const readByKeys = statementFamily();

function accountsByKeys(shape: Shape) {
  return readByKeys(nameOfShape('accounts_by_keys', shape), (orm) =>
    orm
      .select({ found: selectAccounts(shape) })
      .from(accounts)
      .where(
        sql`${accounts.tenantId} = ${tenantId} and (${accounts.id} = any(${sql.placeholder('ids')})
          or ${accounts.nodeId} = any(${sql.placeholder('uuids')}))`,
      ),
  );
}

/** Reads accounts by id or node id, with the related rows that the document selects. */
export const accountByKey: Loader<EntityKey, AccountRow | null> = {
  name: 'account',
  turn: 2,
  keyOf: (key) => key,
  load(ctx, keys) {
    const selected = shapeOf(ctx);
    // Rows that are looked up by node id need that column.
    const shape = { ...selected, briefAccount: selected.briefAccount && keys.every(isById) };
    return readAccountsInBatch<EntityKey>(ctx, keys, {
      name: 'accounts',
      shape,
      keyOf: (key) => key,
      async read(run, all, values) {
        const [row] = await run(accountsByKeys(shape), { ...keyParts(all), ...values });
        return byKeys(row?.found ?? [], ({ account }) => account);
      },
    });
  },
};

/** Reads the rows of accounts that the document selects in one statement, if they would take several. */
export async function loadRelated(ctx: Ctx, ids: readonly string[]): Promise<void> {
  const { customers, aliases, settings } = shapeOf(ctx);
  const hasSeveral = [customers, aliases, settings].filter(Boolean).length > 1;
  if (hasSeveral && ids.length > 0) await accountByKey.load(ctx, ids.map(byId));
}

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

const relatedRows = jsonArray(jsonRelated(givenShape), { source: sql`found as accounts` });
const relatedPage = relatedRows.value.mapWith(relatedRows.decode);

const listed: Listed<typeof accounts> = {
  table: accounts,
  family: statementFamily(),
  wantedFacets: wantedTags,
  related: () => ({ related: relatedPage }),
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
  primeRelated(ctx, (page.found.related ?? []) as Related[], shapeOf(ctx));
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
