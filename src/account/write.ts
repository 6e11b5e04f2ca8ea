import { desc, sql } from 'drizzle-orm';
import { toAddressColumns } from '../address/rules.ts';
import { aliasesOfAccount } from '../alias/read.ts';
import {
  type AliasSpan,
  AliasTakenError,
  inAliasOrder,
  isInForce,
  type SettledClaims,
} from '../alias/rules.ts';
import { type AliasRow, aliases } from '../alias/table.ts';
import {
  aliasHistory,
  assertRoom,
  claimConstraints,
  endedAt,
  endSpans,
  findConflictingClaims,
  insertAliases,
  lockNames,
  type NewAlias,
  spansAfter,
  toClashError,
} from '../alias/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { customers } from '../customer/table.ts';
import { revive, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changes } from '../history/table.ts';
import { changeRow, recordChanges } from '../history/write.ts';
import { byId, byUuid } from '../lib/entity-key.ts';
import { AppError } from '../lib/errors.ts';
import { settingsOfOwner } from '../setting/read.ts';
import { inSettingOrder } from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import { type IdTakenError, NotAllowedInStatusError } from '../writing/errors.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { type Patches, runPatches } from '../writing/patch.ts';
import { patchStatements } from '../writing/patch-statement.ts';
import { retryOnViolation } from '../writing/retry.ts';
import {
  assertArchived,
  assertWritable,
  lockStatement,
  rewriteStatement,
  touchStatement,
} from '../writing/row-lock.ts';
import type { EntityInput } from '../writing/rules.ts';
import { onlyResult, type WriteResult } from '../writing/write-each.ts';
import { accountByKey, loadRelated } from './read.ts';
import type { AccountStatus, UpdateAccountInput } from './rules.ts';
import { type AccountRow, accounts, changeableKeys } from './table.ts';

const lockAccountsStatement = lockStatement('lock_accounts', accounts);
const touchAccountStatement = touchStatement('touch_account', accounts);
const rewriteAccountStatement = rewriteStatement('rewrite_account', accounts, changeableKeys);

/** Locks accounts until the transaction ends. */
export async function lockAccounts(run: Run, ids: string[]): Promise<Map<string, AccountRow>> {
  const rows = (await run(lockAccountsStatement, { ids })) as AccountRow[];
  return new Map(rows.map((row) => [row.id, row]));
}

/** Locks one account until the transaction ends. */
export async function lockAccount(run: Run, id: string): Promise<AccountRow | undefined> {
  return (await lockAccounts(run, [id])).get(id);
}

/** Adds 1 to the version of a locked account, and sets its status if one is given. */
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
  if (row === undefined) throw new Error('A locked account does not exist.');
  return row;
}

/** Writes the changeable columns of a locked account, and adds 1 to its version. */
export async function rewriteAccount(ctx: Ctx, run: Run, account: AccountRow): Promise<AccountRow> {
  const input = JSON.stringify([account]);
  const [row] = (await run(rewriteAccountStatement, { input, now: ctx.now.toISOString() })) as AccountRow[];
  if (row === undefined) throw new Error('A locked account does not exist.');
  return row;
}

/** Rows of an account that a write has read or written. */
export interface Belongings {
  /** The aliases in force at the time of the request. */
  aliases?: AliasRow[] | undefined;
  settings?: SettingRow[] | undefined;
}

/** Primes the loaders with an account and its related rows. */
export function primeAccount(ctx: Ctx, account: AccountRow, { aliases, settings }: Belongings = {}): void {
  for (const key of [byId(account.id), byUuid(account.nodeId)]) ctx.prime(accountByKey, key, account);
  if (aliases !== undefined)
    ctx.prime(aliasesOfAccount, { accountId: account.id, on: ctx.now }, inAliasOrder(aliases));
  if (settings !== undefined)
    ctx.prime(settingsOfOwner, { type: 'ACCOUNT', id: account.id }, inSettingOrder(settings));
}

/** Clears the loaders and primes them with an account after a write. */
export function refreshAccount(ctx: Ctx, account: AccountRow, belongings?: Belongings): void {
  ctx.forget();
  primeAccount(ctx, account, belongings);
}

const shareCustomerStatement = statement('share_customer', (orm) =>
  orm
    .select({ status: customers.status })
    .from(customers)
    .where(sql`${customers.tenantId} = ${tenantId} and ${customers.id} = ${sql.placeholder('id')}`)
    .for('share'),
);

/**
 * Keeps a customer from being archived until the transaction ends. Throws NotAllowedInStatusError if it is archived.
 */
async function lockActiveCustomer(run: Run, id: string): Promise<void> {
  const [customer] = await run(shareCustomerStatement, { id });
  if (customer === undefined) throw new Error('The account has no customer.');
  if (customer.status === 'ARCHIVED') {
    throw new NotAllowedInStatusError('Customer', id, customer.status, 'restore it before its accounts.');
  }
}

const updateAccountStatements = patchStatements({
  name: 'update_account',
  kind: 'ACCOUNT_UPDATED',
  table: accounts,
  keys: changeableKeys,
  allowed: (keys) =>
    keys.includes('status')
      ? sql`not (before.status = 'ACTIVE' and 'status' = any(input."set") and input.status = 'DRAFT')`
      : sql`true`,
  customerId: sql`after.customer_id`,
  accountId: sql`after.id`,
});

/**
 * Returns the columns that an update sets: absent keeps, null clears. The address and the recipients are replaced as a
 * whole.
 */
export function columnsToSet(input: UpdateAccountInput): Partial<AccountRow> {
  const { name, status, address, billingInformation: billing, tags, metadata } = input;
  const { invoiceCurrency, netTermDays, primaryEmail } = input;
  return {
    ...(name != null && { name }),
    ...(status != null && { status }),
    ...(invoiceCurrency !== undefined && { invoiceCurrency }),
    ...(netTermDays !== undefined && { netTermDays }),
    ...(primaryEmail !== undefined && { primaryEmail }),
    ...(address !== undefined && toAddressColumns(address)),
    ...(billing !== undefined && {
      emailRecipients: billing && (billing.emailRecipients ?? []),
      additionalEmailRecipients: billing && (billing.additionalEmailRecipients ?? []),
    }),
    ...(tags !== undefined && { tags: tags ?? [] }),
    ...(metadata !== undefined && { metadata: metadata ?? {} }),
  };
}

const reviveAccount = (answer: unknown) => revive(accounts, answer);

const accountPatches: Patches<UpdateAccountInput, AccountRow> = {
  mutation: 'updateAccount',
  statementOf: updateAccountStatements,
  columnsToSet,
  revive: reviveAccount,
  refuse(row, input) {
    const { id, status } = assertWritable('Account', row, input);
    throw new NotAllowedInStatusError('Account', id, status, 'it cannot become a DRAFT again.');
  },
};

/**
 * Changes fields of accounts in one statement. A refused input does not affect the others. Inputs with the same id run one
 * after another, in a statement each. Returns the results in the order of the inputs.
 */
export async function updateAccounts(
  ctx: Ctx,
  inputs: readonly UpdateAccountInput[],
): Promise<WriteResult<AccountRow>[]> {
  const results = await runPatches(ctx, accountPatches, inputs);
  const written = results.flatMap((result) =>
    result instanceof AppError || result.replayed ? [] : [result.written],
  );
  // An account that was written twice has its last row.
  const current = new Map(written.map((account) => [account.id, account]));
  for (const account of current.values()) primeAccount(ctx, account);
  await loadRelated(ctx, [...current.keys()]);
  return results;
}

/** Changes fields of an account. Throws the AppError that explains a refusal. */
export async function updateAccount(ctx: Ctx, input: UpdateAccountInput): Promise<Written<AccountRow>> {
  return onlyResult(await updateAccounts(ctx, [input]));
}

/** Archives an account. Its aliases end, and it accepts only a restore. */
export async function archiveAccount(ctx: Ctx, input: EntityInput): Promise<Written<AccountRow>> {
  const { id } = input;
  const result = await writeOnce(ctx, 'archiveAccount', input, reviveAccount, async (run) => {
    const { status } = assertWritable('Account', await lockAccount(run, id), input);
    const spans = await spansAfter(run, id, ctx.now, null);
    await endSpans(run, id, ctx.now, null);
    const account = await touchAccount(ctx, run, id, 'ARCHIVED');
    await recordAccount(ctx, run, 'ACCOUNT_ARCHIVED', account, {
      before: { status, ...aliasHistory(spans) },
      after: { status: account.status, ...aliasHistory(endedAt(spans, ctx.now)) },
    });
    return account;
  });
  refreshAccount(ctx, result.written, { aliases: [] });
  return result;
}

const lastArchiveStatement = statement('last_archive', (orm) =>
  orm
    .select({ before: changes.before, at: changes.at })
    .from(changes)
    .where(
      sql`${changes.tenantId} = ${tenantId} and ${changes.accountId} = ${sql.placeholder('id')}
        and ${changes.kind} = 'ACCOUNT_ARCHIVED'`,
    )
    .orderBy(desc(changes.version))
    .limit(1),
);

/** Returns the later of two instants; null is earlier than any other. */
export function later(a: Date | null, b: Date): Date {
  return a !== null && a > b ? a : b;
}

/** Returns the aliases that ended with the last archiving, starting now. */
async function aliasesToBringBack(ctx: Ctx, run: Run, id: string): Promise<NewAlias[]> {
  const [archive] = await run(lastArchiveStatement, { id });
  // The archiving can be later than `ctx.now`: it may have started after this request, or on a host whose clock is
  // ahead.
  const from = later(archive?.at ?? null, ctx.now);
  const ended = (archive?.before?.aliases ?? []) as AliasSpan[];
  const date = (value: unknown) => (value === null ? null : new Date(String(value)));
  return ended
    .map((span) => ({
      ...span,
      effectiveFrom: date(span.effectiveFrom),
      effectiveUntil: date(span.effectiveUntil),
    }))
    .filter(({ effectiveUntil }) => effectiveUntil === null || effectiveUntil > from)
    .map(({ value, effectiveFrom, effectiveUntil }, ordinal) => ({
      value,
      accountId: id,
      ordinal,
      // Other accounts may have held the value since then, so it starts now.
      effectiveFrom: later(effectiveFrom, from),
      effectiveUntil,
      createdAt: ctx.now,
    }));
}

function reviveRestored(answer: unknown) {
  const restored = answer as { account: AccountRow; aliases: AliasRow[] };
  return {
    account: revive(accounts, restored.account),
    aliases: restored.aliases.map((alias) => revive(aliases, alias)),
  };
}

/**
 * Restores an archived account to ACTIVE, with the aliases that ended with it. Throws AliasTakenError if one is in use.
 */
export async function restoreAccount(ctx: Ctx, input: EntityInput): Promise<Written<AccountRow>> {
  const { id } = input;
  let returning: NewAlias[] = [];
  const restore = async (run: Run) => {
    // Lock order: names before accounts, in every write.
    await lockNames(
      run,
      (await aliasesToBringBack(ctx, run, id)).map((alias) => alias.value),
    );
    const { customerId, status } = assertArchived('Account', await lockAccount(run, id), input);
    await lockActiveCustomer(run, customerId);
    returning = await aliasesToBringBack(ctx, run, id);
    await insertAliases(run, returning);
    await assertRoom(ctx, run, id, returning);
    const account = await touchAccount(ctx, run, id, 'ACTIVE');
    await recordAccount(ctx, run, 'ACCOUNT_RESTORED', account, {
      before: { status, ...aliasHistory([]) },
      after: { status: account.status, ...aliasHistory(returning) },
    });
    const { tenantId } = account;
    return { account, aliases: returning.map((alias) => ({ ...alias, tenantId })) };
  };
  const { written, replayed } = await retryOnViolation(
    claimConstraints,
    () => writeOnce(ctx, 'restoreAccount', input, reviveRestored, restore),
    async () => {
      const clashes = await findConflictingClaims(ctx, returning);
      if (clashes.length > 0) throw new AliasTakenError(clashes);
      return undefined;
    },
  );
  const { account, aliases: broughtBack } = written;
  refreshAccount(ctx, account, {
    aliases: broughtBack.filter((alias) => isInForce(alias, account.updatedAt)),
  });
  return { written: account, replayed };
}

interface Difference {
  before: Record<string, unknown>;
  after: Record<string, unknown>;
}

/** Records a change of an account in the transaction of its write. */
export async function recordAccount(
  ctx: Ctx,
  run: Run,
  kind: ChangeKind,
  account: AccountRow,
  difference: Difference,
): Promise<void> {
  const { id, customerId, version } = account;
  await recordChanges(run, [changeRow(ctx, { kind, customerId, accountId: id, version, ...difference })]);
}

/** Returns the error for a new account whose id or aliases are in use. */
export async function explainClash(
  ctx: Ctx,
  id: string,
  settled: SettledClaims<NewAlias>,
): Promise<IdTakenError | AliasTakenError> {
  const holder = await ctx.load(accountByKey, byId(id));
  return toClashError(id, settled, holder?.status === 'ARCHIVED');
}
