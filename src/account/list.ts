import { type SQL, sql } from 'drizzle-orm';
import { aliases } from '../alias/table.ts';
import type { Ctx } from '../ctx.ts';
import { given } from '../db/page.ts';
import { tenantId } from '../db/rows.ts';
import type { Listed } from '../entity/list-filter.ts';
import { entityPage } from '../entity/list-page.ts';
import { defaultOrder, listOrder, type OrderBy } from '../entity/orders.ts';
import { accountFacets, accountText, aliasText } from '../entity/search.ts';
import { byId } from '../lib/entity-key.ts';
import type { ListPage, PageArgs } from '../lib/page.ts';
import type { AccountFilter } from './filters.ts';
import * as rules from './rules.ts';
import { type AccountRow, accounts } from './table.ts';
import { type Along, along, alongValues, primeAlong, sortAlong } from './whole.ts';

const tagGiven = given('tag', 'text');
const currency = given('currency', 'text');
const text = aliasText(aliases);

/** The aliases that name an account now; the account's own id is searched in its own row. */
const aliasesInForce = sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} <> ${aliases.accountId}
  and ${aliases.effectiveFrom} <= ${given('now', 'timestamptz')} and ${aliases.effectiveUntil} > ${given('now', 'timestamptz')}`;

const listed: Listed<typeof accounts> = {
  table: accounts,
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
  const page = await entityPage(
    ctx,
    listed,
    listOrder('accounts', accounts, rules, orderBy ?? defaultOrder),
    args,
    {
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
    },
  );
  for (const row of page.rows) ctx.loaders.account.prime(byId(row.id), row);
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
