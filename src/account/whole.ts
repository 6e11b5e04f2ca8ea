import { type SQL, sql } from 'drizzle-orm';
import { type AliasRow, aliases } from '../alias/table.ts';
import type { Ctx, LoadCtx } from '../ctx.ts';
import { type CustomerRow, customers } from '../customer/table.ts';
import { jsonRows } from '../db/json.ts';
import { given } from '../db/page.ts';
import { tenantId } from '../db/rows.ts';
import { byId } from '../lib/entity-key.ts';
import { groupBy } from '../lib/group.ts';
import { type SettingRow, settings } from '../setting/table.ts';
import type { AccountRow } from './table.ts';

/** What is read along with accounts; null where there is none. */
export interface Along {
  customers: CustomerRow[] | null;
  aliases: AliasRow[] | null;
  settings: SettingRow[] | null;
}

const now = given('now', 'timestamptz');
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
    }),
    aliases: jsonRows(aliases, 'aliases', {
      source: sql`${aliases} where ${given('withAliases', 'boolean')} and ${aliases.tenantId} = ${tenantId}
        and ${aliases.accountId} = any(${ids}) and ${aliases.value} <> ${aliases.accountId}
        and ${aliases.effectiveFrom} <= ${now} and ${aliases.effectiveUntil} > ${now}`,
      order: sql`${aliases.createdAt}, ${aliases.value}, ${aliases.effectiveFrom}`,
    }),
    settings: jsonRows(settings, 'settings', {
      source: sql`${settings} where ${given('withSettings', 'boolean')} and ${settings.tenantId} = ${tenantId}
        and ${settings.ownerType} = 'ACCOUNT' and ${settings.ownerId} = any(${ids})`,
      order: sql`${settings.namespace}, ${settings.id}`,
    }),
  };
}

type Selecting = Pick<Ctx, 'selects' | 'now'>;

/** The values of the placeholders that `along` uses. */
export function alongValues({ selects, now }: Selecting) {
  return {
    withCustomers: selects('Account.customer'),
    withAliases: selects('Account.aliases'),
    withSettings: selects('Account.settings'),
    now: now.toISOString(),
  };
}

/** Makes known what came along with accounts. */
export function primeAlong(
  ctx: Selecting & Pick<LoadCtx, 'loaders'>,
  accounts: AccountRow[],
  { customers, aliases, settings }: Along,
): void {
  const { loaders, now } = ctx;
  for (const customer of customers ?? []) loaders.customer.prime(byId(customer.id), customer);
  if (ctx.selects('Account.aliases')) {
    const byAccount = groupBy(aliases ?? [], (alias) => alias.accountId);
    for (const { id } of accounts) loaders.aliases.prime({ accountId: id, on: now }, byAccount.get(id) ?? []);
  }
  if (ctx.selects('Account.settings')) {
    const byOwner = groupBy(settings ?? [], (setting) => setting.ownerId);
    for (const { id } of accounts) loaders.settings.prime({ type: 'ACCOUNT', id }, byOwner.get(id) ?? []);
  }
}
