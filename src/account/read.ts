import { type SQL, sql } from 'drizzle-orm';
import { aliasesOfAccount } from '../alias/read.ts';
import { isInForce } from '../alias/rules.ts';
import { type AliasRow, aliases, aliasText } from '../alias/table.ts';
import type { Ctx, Loader, Run } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { jsonJoined, jsonRows } from '../db/json.ts';
import { given, once, tenantId } from '../db/rows.ts';
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
import { type AccountRow, accountFacets, accounts, accountText } from './table.ts';

/** What is read along with accounts; null where there is none. */
export interface Along {
  customers: CustomerRow[] | null;
  aliases: AliasRow[] | null;
  settings: SettingRow[] | null;
}

const nothingAlong: Along = { customers: null, aliases: null, settings: null };

/** What is enough of a row for a document that selects nothing else of its type but `others`, which need its ids. */
function brief<Row>(type: string, keys: (keyof Row & string)[], others: string[] = []) {
  const fields: ReadonlySet<string> = new Set([...keys, ...others]);
  return { type, keys, fields, when: given(`brief${type}`, 'boolean') };
}

const noFields: ReadonlySet<string> = new Set();

/** Columns cost more than rows: with all of them, 100 references with their customers take more than twice the time. */
const briefly = {
  account: brief<AccountRow>(
    'Account',
    ['id', 'customerId', 'name', 'status'],
    ['customer', 'aliases', 'aliasTimeline', 'settings', 'history'],
  ),
  customer: brief<CustomerRow>('Customer', ['id', 'name', 'status'], ['accounts', 'settings', 'history']),
  alias: brief<AliasRow>('Alias', ['value', 'accountId', 'effectiveFrom', 'effectiveUntil'], ['account']),
};

/** The accounts of the CTE `found` of a statement that is run with `alongValues`. */
export function foundAccounts() {
  return jsonRows(accounts, 'found', { source: sql`found`, brief: briefly.account });
}

/** The customer that a statement run with `alongValues` has joined as `customer`. */
export function joinedCustomer() {
  return jsonJoined(customers, 'customer', briefly.customer);
}

/** The instants that a statement reads for, of one request or of several. */
const [first, last] = [given('first', 'timestamptz'), given('last', 'timestamptz')];
// Arrays in place of joins: of those the planner expects few elements, and follows the index at any size.
const ids = sql`array(select id from found)`;

/**
 * What a statement reads along with the accounts of its CTE `found`, each only where the document selects it: so an
 * account is whole after one round trip in place of four.
 */
export function along(): { [key in keyof Along]: SQL<Along[key]> } {
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

type Selecting = Pick<Ctx, 'selects' | 'now'>;

/** Of what a document selects, all that decides what `along`, `foundAccounts` and `joinedCustomer` bring. */
export function alongFlags({ selects }: Pick<Selecting, 'selects'>): Record<string, boolean> {
  // Of whatever has a node id, it may be selected as of a Node.
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

/** The instants of those who ask, in order of which there may be any. */
function instantsOf(asks: readonly { now: Date }[]) {
  const times = asks.map(({ now }) => now.getTime());
  return {
    first: new Date(Math.min(...times)).toISOString(),
    last: new Date(Math.max(...times)).toISOString(),
  };
}

/** The values of the placeholders that `along`, `foundAccounts` and `joinedCustomer` use. */
export function alongValues(ctx: Selecting) {
  return { ...alongFlags(ctx), ...instantsOf([ctx]) };
}

/** What came along with accounts, by what it is looked for. */
export function sortAlong({ customers, aliases, settings }: Along) {
  return {
    customers: new Map((customers ?? []).map((customer) => [customer.id, customer])),
    aliases: groupBy(aliases ?? [], (alias) => alias.accountId),
    settings: groupBy(settings ?? [], (setting) => setting.ownerId),
  };
}

/** Primes what came along with the accounts of a request. */
export function primeAlong(
  ctx: Ctx,
  accounts: (AccountRow | null)[],
  found: ReturnType<typeof sortAlong>,
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

/** What one request asks for of those that select the same. */
interface Ask<Key> {
  keys: readonly Key[];
  now: Date;
}

export interface AccountsRead<Key> {
  /** Tells this way of reading from others. */
  name: string;
  flags: Record<string, boolean>;
  keyOf(key: Key): string;
  /** Reads the accounts of all keys, by a statement that has the placeholders of `alongValues`. */
  read(
    run: Run,
    keys: readonly Key[],
    values: Record<string, unknown>,
  ): Promise<{ byName: Map<string, AccountRow | undefined>; found: Along | undefined }>;
}

/** Reads accounts together with others of the tenant who ask for as much of them at the moment, in the order of the keys. */
export async function accountsTogether<Key>(
  ctx: Ctx,
  keys: readonly Key[],
  { name, flags, keyOf, read }: AccountsRead<Key>,
): Promise<(AccountRow | null)[]> {
  const find = async (run: Run, asks: readonly Ask<Key>[]) => {
    const all = asks.flatMap((ask) => ask.keys);
    const { byName, found } = await read(run, all, { ...flags, ...instantsOf(asks) });
    return { byName, along: sortAlong(found ?? nothingAlong) };
  };
  const asking = { ask: { keys, now: ctx.now }, size: keys.length, maxSize: maxKeysTogether };
  const { byName, along: sorted } = await ctx.share(`${name} ${Object.values(flags)}`, asking, find);
  const rows = keys.map((key) => byName.get(keyOf(key)) ?? null);
  primeAlong(ctx, rows, sorted);
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

/** Reads customers by either id. It is here because accounts show their customers. */
export const customerByKey: Loader<EntityKey, CustomerRow | null> = {
  name: 'customer',
  turn: 3,
  keyOf: (key) => key,
  async load({ share }, keys) {
    const find = async (run: Run, asks: readonly (readonly EntityKey[])[]) =>
      byKeys(await run(customersByKeys, keyParts(asks.flat())));
    const found = await share('customers', { ask: keys, size: keys.length, maxSize: maxKeysTogether }, find);
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
    .select({ rows: foundAccounts(), ...along() })
    .from(once);
});

/** Reads accounts by either id, with what the document selects of them. */
export const accountByKey: Loader<EntityKey, AccountRow | null> = {
  name: 'account',
  turn: 2,
  keyOf: (key) => key,
  load(ctx, keys) {
    const flags = alongFlags(ctx);
    return accountsTogether<EntityKey>(ctx, keys, {
      name: 'accounts',
      // Rows that are looked up by node id must have it.
      flags: { ...flags, briefAccount: flags.briefAccount === true && keys.every(isById) },
      keyOf: (key) => key,
      async read(run, all, values) {
        const [found] = await run(accountsByKeys, { ...keyParts(all), ...values });
        return { byName: byKeys(found?.rows ?? []), found };
      },
    });
  },
};

const tagGiven = given('tag', 'text');
const currency = given('currency', 'text');
const text = aliasText(aliases);

/** The aliases that name an account now; the account's own id is searched in its own row. */
const aliasesInForce = sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} <> ${aliases.accountId}
  and ${aliases.effectiveFrom} <= ${given('now', 'timestamptz')} and ${aliases.effectiveUntil} > ${given('now', 'timestamptz')}`;

const listed: Listed<typeof accounts> = {
  table: accounts,
  family: statementFamily(),
  text: accountText(accounts),
  facets: accountFacets(accounts),
  along,
  owner: sql`${accounts.customerId} = ${given('customerId', 'text')}`,
  filter: sql`(${tagGiven} is null or ${tagGiven} = any(${accounts.tags}))
    and (${currency} is null or coalesce(${accounts.invoiceCurrency}, ${given('baseCurrency', 'text')}) = ${currency})`,
  elsewhere: {
    contains: (needle: SQL) =>
      sql`exists (select from ${aliases} where ${aliasesInForce} and ${aliases.accountId} = ${accounts.id}
        and strpos(${text}, ${needle}) > 0)`,
    idsLike: (pattern: SQL) =>
      sql`select ${aliases.accountId} from ${aliases} where ${aliasesInForce} and ${text} like ${pattern}`,
  },
};

/** Accounts that match a filter, archived ones left out unless asked for. Throws InvalidInputError. */
export async function accountPage(
  ctx: Ctx,
  args: PageArgs,
  filter?: (AccountFilter & { id?: string | undefined }) | null,
  orderBy?: OrderBy | null,
): Promise<ListPage<AccountRow>> {
  const { id, customerId, ...others } = filter ?? {};
  const { invoiceCurrency, tag } = others;
  const { baseCurrency } = ctx.viewer.tenant;
  // Accounts in the tenant's currency mostly have none of their own: no word stands for that.
  const ownCurrency = invoiceCurrency === baseCurrency ? undefined : invoiceCurrency;
  const facets = [tag, ownCurrency].filter((word) => typeof word === 'string');
  const page = await entityPage(ctx, listed, listOrder('accounts', accounts, orderBy ?? defaultOrder), args, {
    filter: others,
    statuses: Object.keys(rules.statuses),
    facets,
    values: {
      tag: tag ?? null,
      currency: invoiceCurrency ?? null,
      baseCurrency,
      now: ctx.now.toISOString(),
      ...alongValues(ctx),
    },
    customerId,
    id,
  });
  for (const row of page.rows) ctx.prime(accountByKey, byId(row.id), row);
  primeAlong(ctx, page.rows, sortAlong(page.found as unknown as Along));
  return page;
}

/** As `accountPage`, of one customer. A filter that names another one is met by no account. */
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
