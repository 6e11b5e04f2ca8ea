import { desc, sql } from 'drizzle-orm';
import { toAddressColumns } from '../address/rules.ts';
import { claimsInTheWay, type NewAlias, retryClaims } from '../alias/claim.ts';
import { type AliasSpan, isInForce } from '../alias/rules.ts';
import {
  aliasHistory,
  assertRoom,
  endedAt,
  endSpans,
  insertAliases,
  lockNames,
  spansAfter,
} from '../alias/spans.ts';
import { type AliasRow, aliases } from '../alias/table.ts';
import type { Ctx, Run } from '../ctx.ts';
import { holdActiveCustomer } from '../customer/lock.ts';
import { revive, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { assertArchived, assertWritable } from '../entity/lock.ts';
import { runPatch } from '../entity/patch.ts';
import { patchStatement } from '../entity/patch-statement.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changes } from '../history/table.ts';
import { changeRow, recordChanges } from '../history/write.ts';
import { type Written, writeOnce } from '../idempotency/write.ts';
import { AliasTakenError, NotAllowedInStatusError } from '../lib/errors.ts';
import { lockAccount, refreshAccount, touchAccount } from './lock.ts';
import type { EntityInput, UpdateAccountInput } from './rules.ts';
import { type AccountRow, accounts, changeableKeys } from './table.ts';

const updateAccountStatement = patchStatement({
  name: 'update_account',
  kind: 'ACCOUNT_UPDATED',
  table: accounts,
  keys: changeableKeys,
  allowed: sql`not (before.status = 'ACTIVE' and 'status' = any(input."set") and input.status = 'DRAFT')`,
  customerId: sql`after.customer_id`,
  accountId: sql`after.id`,
});

/** The columns that an update sets: absent keeps, null clears, a value sets; an address and the recipients as a whole. */
function columnsToSet(input: UpdateAccountInput): Partial<AccountRow> {
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

/** Changes fields of an account in one statement. Throws the AppError that refuses it. */
export async function updateAccount(ctx: Ctx, input: UpdateAccountInput): Promise<Written<AccountRow>> {
  const outcome = await runPatch<AccountRow>(
    ctx,
    { statement: updateAccountStatement, mutation: 'updateAccount' },
    input,
    columnsToSet(input),
  );
  if ('answer' in outcome) return { written: reviveAccount(outcome.answer), replayed: true };
  if ('refused' in outcome) {
    const { id, status } = assertWritable('Account', outcome.refused, input);
    throw new NotAllowedInStatusError('Account', id, status, 'it cannot become a DRAFT again.');
  }
  refreshAccount(ctx, outcome.after);
  return { written: outcome.after, replayed: false };
}

const reviveAccount = (answer: unknown) => revive(accounts, answer);

/** Archives an account: its aliases end now, and it refuses every other write until it is restored. */
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

/** The later of two instants; null lies before all others. */
function later(a: Date | null, b: Date): Date {
  return a !== null && a > b ? a : b;
}

/** The aliases that ended when the account was last archived, as they go on from now. */
async function aliasesToBringBack(ctx: Ctx, run: Run, id: string): Promise<NewAlias[]> {
  const [archive] = await run(lastArchiveStatement, { id });
  // Whoever archived it may have begun after this request, or by a clock that is ahead.
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
    .map(({ value, effectiveFrom, effectiveUntil }) => ({
      value,
      accountId: id,
      // What others made of the value meanwhile stays: it comes back from now on.
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

/** Brings an archived account back to ACTIVE, with the aliases that ended with it; refused when one was taken meanwhile. */
export async function restoreAccount(ctx: Ctx, input: EntityInput): Promise<Written<AccountRow>> {
  const { id } = input;
  let returning: NewAlias[] = [];
  const restore = async (run: Run) => {
    // Names are locked before accounts, by everyone.
    await lockNames(
      run,
      (await aliasesToBringBack(ctx, run, id)).map((alias) => alias.value),
    );
    const { customerId, status } = assertArchived('Account', await lockAccount(run, id), input);
    await holdActiveCustomer(run, customerId);
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
  const write = () => writeOnce(ctx, 'restoreAccount', input, reviveRestored, restore);
  const refuse = async () => {
    const clashes = await claimsInTheWay(ctx, returning);
    if (clashes.length > 0) throw new AliasTakenError(clashes);
  };
  const { written, replayed } = await retryClaims(write, refuse);
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

async function recordAccount(
  ctx: Ctx,
  run: Run,
  kind: ChangeKind,
  account: AccountRow,
  difference: Difference,
): Promise<void> {
  const { id, customerId, version } = account;
  await recordChanges(run, [changeRow(ctx, { kind, customerId, accountId: id, version, ...difference })]);
}
