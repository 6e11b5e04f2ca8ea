import type { AliasRow } from '../alias/table.ts';
import type { Ctx, Run } from '../ctx.ts';
import { lockStatement, touchStatement } from '../entity/lock.ts';
import { byId, byUuid } from '../lib/entity-key.ts';
import { inAliasOrder, inSettingOrder } from '../lib/order.ts';
import type { SettingRow } from '../setting/table.ts';
import type { AccountStatus } from './rules.ts';
import { type AccountRow, accounts } from './table.ts';

const lockAccountsStatement = lockStatement('lock_accounts', accounts);
const touchAccountStatement = touchStatement('touch_account', accounts);

/** Holds accounts until the transaction ends. */
export async function lockAccounts(run: Run, ids: string[]): Promise<Map<string, AccountRow>> {
  const rows = (await run(lockAccountsStatement, { ids })) as AccountRow[];
  return new Map(rows.map((row) => [row.id, row]));
}

/** Holds one account until the transaction ends. */
export async function lockAccount(run: Run, id: string): Promise<AccountRow | undefined> {
  return (await lockAccounts(run, [id])).get(id);
}

/** Adds 1 to the version of a locked account, whose status may change with it. */
export async function touchAccount(
  ctx: Ctx,
  run: Run,
  id: string,
  status: AccountStatus | null = null,
): Promise<AccountRow> {
  const [row] = (await run(touchAccountStatement, {
    id,
    status,
    now: ctx.now.toISOString(),
  })) as AccountRow[];
  if (row === undefined) throw new Error('A locked account is gone.');
  return row;
}

/** What belongs to an account, where a write knows it. */
export interface Belongings {
  /** In force at the instant of the request. */
  aliases?: AliasRow[] | undefined;
  settings?: SettingRow[] | undefined;
}

/** Makes the rest of the request see an account as a write left it. */
export function refreshAccount(ctx: Ctx, account: AccountRow, { aliases, settings }: Belongings = {}): void {
  const { loaders, now } = ctx;
  for (const key of [byId(account.id), byUuid(account.nodeId)])
    loaders.account.clear(key).prime(key, account);
  loaders.aliases.clearAll();
  loaders.accountByAlias.clearAll();
  if (aliases !== undefined) loaders.aliases.prime({ accountId: account.id, on: now }, inAliasOrder(aliases));
  const owner = { type: 'ACCOUNT', id: account.id } as const;
  loaders.settings.clear(owner);
  if (settings !== undefined) loaders.settings.prime(owner, inSettingOrder(settings));
}
