import { lockAccount, lockAccounts, refreshAccount, touchAccount } from '../account/lock.ts';
import { type AccountRow, accounts } from '../account/table.ts';
import type { Ctx, Run } from '../ctx.ts';
import { revive } from '../db/rows.ts';
import { assertWritable } from '../entity/lock.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changeRow, recordChanges } from '../history/write.ts';
import { type Written, writeOnce } from '../idempotency/write.ts';
import { InvalidInputError, NotFoundError } from '../lib/errors.ts';
import { type NewAlias, writeClaims } from './claim.ts';
import {
  type AddAliasesInput,
  type AliasSpan,
  isInForce,
  type RemoveAliasesInput,
  spansOf,
  type TransferAliasInput,
} from './rules.ts';
import {
  aliasHistory,
  assertRoom,
  countedSpans,
  endedAt,
  endSpan,
  endSpans,
  insertAliases,
  lockNames,
  spanAt,
  spansAfter,
} from './spans.ts';
import { type AliasRow, aliases } from './table.ts';

/** An account after a write of its aliases, with those in force then. */
export interface AccountWithAliases {
  account: AccountRow;
  aliases: AliasRow[];
}

export function reviveAnswer(answer: unknown): AccountWithAliases {
  const { account, aliases: inForce } = answer as AccountWithAliases;
  return { account: revive(accounts, account), aliases: inForce.map((alias) => revive(aliases, alias)) };
}

export async function withAliases(ctx: Ctx, run: Run, account: AccountRow): Promise<AccountWithAliases> {
  const standing = await spansAfter(run, account.id, ctx.now, null);
  return { account, aliases: standing.filter((alias) => isInForce(alias, ctx.now)) };
}

/** Makes the rest of the request see the account as the write left it. */
export function show(ctx: Ctx, { written, replayed }: Written<AccountWithAliases>): Written<AccountRow> {
  const { account, aliases } = written;
  refreshAccount(ctx, account, { aliases });
  return { written: account, replayed };
}

export async function recordAliases(
  ctx: Ctx,
  run: Run,
  kind: ChangeKind,
  account: AccountRow,
  [before, after]: [AliasSpan[], AliasSpan[]],
): Promise<void> {
  const { id, customerId, version } = account;
  const difference = { before: aliasHistory(before), after: aliasHistory(after) };
  await recordChanges(run, [changeRow(ctx, { kind, customerId, accountId: id, version, ...difference })]);
}

/** Gives an account further aliases. Its own id among them has no effect. Throws the AppError that refuses it. */
export async function addAliases(ctx: Ctx, input: AddAliasesInput): Promise<Written<AccountRow>> {
  const { accountId } = input;
  const claims: NewAlias[] = spansOf(input)
    .filter((span) => span.value !== accountId)
    .map((span) => ({ ...span, accountId, createdAt: ctx.now }));
  const add = async (run: Run, rows: NewAlias[]) => {
    await lockNames(
      run,
      rows.map((row) => row.value),
    );
    const held = assertWritable('Account', await lockAccount(run, accountId), { id: accountId });
    if (rows.length === 0) return withAliases(ctx, run, held);
    await insertAliases(run, rows);
    await assertRoom(ctx, run, accountId, countedSpans(claims, ctx.now));
    const account = await touchAccount(ctx, run, accountId);
    await recordAliases(ctx, run, 'ALIASES_ADDED', account, [[], rows]);
    return withAliases(ctx, run, account);
  };
  const result = await writeClaims(ctx, claims, (rows) =>
    writeOnce(ctx, 'addAliases', input, reviveAnswer, (run) => add(run, rows)),
  );
  return show(ctx, result);
}

function cannotEnd(index: number, message: string): InvalidInputError {
  return new InvalidInputError([{ path: ['aliases', String(index)], code: 'INVALID_VALUE', message }]);
}

/** Throws what forbids ending the values at an instant: their spans are those that go on after it. */
function assertEndable(
  ctx: Ctx,
  { accountId, aliases: values }: RemoveAliasesInput,
  spans: AliasRow[],
  instant: Date,
): void {
  values.forEach((value, index) => {
    if (value === accountId) throw cannotEnd(index, "is the account's own id, which names it for ever");
    const own = spans.filter((span) => span.value === value);
    if (own.length === 0)
      throw new NotFoundError('Alias', value, ` of the account ${JSON.stringify(accountId)} then`);
    const begun = own.some(
      ({ effectiveFrom }) => effectiveFrom !== null && effectiveFrom >= instant && effectiveFrom < ctx.now,
    );
    if (begun)
      throw cannotEnd(
        index,
        'has been in force after effectiveUntil, and what was in force stays: choose a later instant',
      );
  });
}

/** Ends aliases of an account now or at a given instant; those that have not begun by then disappear. */
export async function removeAliases(ctx: Ctx, input: RemoveAliasesInput): Promise<Written<AccountRow>> {
  const { accountId, aliases: values } = input;
  const instant = input.effectiveUntil ?? ctx.now;
  const result = await writeOnce(ctx, 'removeAliases', input, reviveAnswer, async (run) => {
    assertWritable('Account', await lockAccount(run, accountId), { id: accountId });
    const spans = await spansAfter(run, accountId, instant, values);
    assertEndable(ctx, input, spans, instant);
    await endSpans(run, accountId, instant, values);
    const account = await touchAccount(ctx, run, accountId);
    await recordAliases(ctx, run, 'ALIASES_REMOVED', account, [spans, endedAt(spans, instant)]);
    return withAliases(ctx, run, account);
  });
  return show(ctx, result);
}

function refuseTransfer(field: keyof TransferAliasInput, message: string): InvalidInputError {
  return new InvalidInputError([{ path: [field], code: 'INVALID_VALUE', message }]);
}

/** The span to transfer, unless the value names nobody then, or cannot go to the account. */
async function findTransferable(
  run: Run,
  { alias, toAccountId }: TransferAliasInput,
  instant: Date,
): Promise<AliasRow> {
  const span = await spanAt(run, alias, instant);
  if (span === undefined) throw new NotFoundError('Alias', alias, ' in force then');
  if (span.value === span.accountId)
    throw refuseTransfer('alias', 'is the id of an account, which names it for ever');
  if (alias === toAccountId) throw refuseTransfer('alias', 'is the id of the account that it would go to');
  if (span.accountId === toAccountId) throw refuseTransfer('toAccountId', 'has the alias then already');
  return span;
}

/** Moves an alias to another account, at one instant and atomically. Answers the new holder. */
export async function transferAlias(ctx: Ctx, input: TransferAliasInput): Promise<Written<AccountRow>> {
  const { alias, toAccountId } = input;
  const instant = input.effectiveFrom ?? ctx.now;
  const result = await writeOnce(ctx, 'transferAlias', input, reviveAnswer, async (run) => {
    await lockNames(run, [alias]);
    const { accountId: fromAccountId } = await findTransferable(run, input, instant);
    const held = await lockAccounts(run, [fromAccountId, toAccountId]);
    assertWritable('Account', held.get(toAccountId), { id: toAccountId });
    assertWritable('Account', held.get(fromAccountId), { id: fromAccountId });
    // Its holder may have ended it until now.
    const span = await findTransferable(run, input, instant);
    const moved = { ...span, accountId: toAccountId, effectiveFrom: instant, createdAt: ctx.now };
    await endSpan(run, span, instant);
    await insertAliases(run, [moved]);
    await assertRoom(ctx, run, toAccountId, [moved]);
    const from = await touchAccount(ctx, run, fromAccountId);
    const to = await touchAccount(ctx, run, toAccountId);
    await recordAliases(ctx, run, 'ALIAS_TRANSFERRED', from, [[span], endedAt([span], instant)]);
    await recordAliases(ctx, run, 'ALIAS_TRANSFERRED', to, [[], [moved]]);
    return withAliases(ctx, run, to);
  });
  ctx.loaders.account.clearAll();
  return show(ctx, result);
}
