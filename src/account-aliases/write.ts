import { type AccountRow, accounts } from '../account/table.ts';
import { lockAccount, lockAccounts, refreshAccount, touchAccount } from '../account/write.ts';
import type { ListedAlias } from '../alias/read.ts';
import {
  type AddAliasesInput,
  type AliasSpan,
  type EndAliasInput,
  isInForce,
  type RegisterAliasesInput,
  type RemoveAliasesInput,
  type RemoveSpansInput,
  spanIdOf,
  spansOf,
  type TransferAliasInput,
} from '../alias/rules.ts';
import { type AliasRow, aliases } from '../alias/table.ts';
import {
  aliasHistory,
  assertRoom,
  countedSpans,
  endedAt,
  endSpan,
  forgetRegisteredValue,
  insertAliases,
  lockNames,
  type NewAlias,
  registerValues,
  spanAt,
  spansAfter,
  writeClaims,
} from '../alias/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { revive } from '../db/rows.ts';
import type { ChangeKind } from '../history/rules.ts';
import { changeRow, recordChanges } from '../history/write.ts';
import { InvalidInputError, type Issue, NotFoundError } from '../lib/errors.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { assertWritable } from '../writing/row-lock.ts';

/** An account after a write of its aliases, with the aliases in force at the time of the request. */
export interface AccountWithAliases {
  account: AccountRow;
  aliases: AliasRow[];
}

function reviveAnswer(answer: unknown): AccountWithAliases {
  const { account, aliases: inForce } = answer as AccountWithAliases;
  return { account: revive(accounts, account), aliases: inForce.map((alias) => revive(aliases, alias)) };
}

async function withAliases(ctx: Ctx, run: Run, account: AccountRow): Promise<AccountWithAliases> {
  const standing = await spansAfter(run, account.id, ctx.now, null);
  return { account, aliases: standing.filter((alias) => isInForce(alias, ctx.now)) };
}

/** Clears the loaders and primes them with the written account. */
function show(ctx: Ctx, { written, replayed }: Written<AccountWithAliases>): Written<AccountRow> {
  const { account, aliases } = written;
  refreshAccount(ctx, account, { aliases });
  return { written: account, replayed };
}

async function recordAliases(
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

/** Adds aliases to an account. Its own id among them has no effect. Throws the AppError that explains a refusal. */
export async function addAliases(ctx: Ctx, input: AddAliasesInput): Promise<Written<AccountRow>> {
  const { accountId } = input;
  const claims: NewAlias[] = spansOf(input)
    .filter((span) => span.value !== accountId)
    .map((span, ordinal) => ({ ...span, accountId, createdAt: ctx.now, ordinal }));
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
  const result = await writeClaims(ctx, accountId, claims, (rows) =>
    writeOnce(ctx, 'addAliases', input, reviveAnswer, (run) => add(run, rows)),
  );
  return show(ctx, result);
}

function refuseTransfer(field: keyof TransferAliasInput, message: string): InvalidInputError {
  return new InvalidInputError([{ path: [field], code: 'INVALID_VALUE', message }]);
}

/** Returns the span to transfer. Throws if the value has no span at the instant, or cannot move to the account. */
async function findTransferable(
  run: Run,
  { alias, toAccountId }: TransferAliasInput,
  instant: Date,
): Promise<AliasRow> {
  const span = await spanAt(run, alias, instant);
  if (span === undefined) throw new NotFoundError('Alias', alias, ' in force at that instant');
  if (span.value === span.accountId)
    throw refuseTransfer('alias', 'is the id of an account, so it cannot be transferred');
  if (alias === toAccountId) throw refuseTransfer('alias', 'is the id of the new account');
  if (span.accountId === toAccountId)
    throw refuseTransfer('toAccountId', 'already has the alias at that instant');
  return span;
}

/** Moves an alias to another account at one instant. Returns the new holder. */
export async function transferAlias(ctx: Ctx, input: TransferAliasInput): Promise<Written<AccountRow>> {
  const { alias, toAccountId } = input;
  const instant = input.effectiveFrom ?? ctx.now;
  const result = await writeOnce(ctx, 'transferAlias', input, reviveAnswer, async (run) => {
    await lockNames(run, [alias]);
    const { accountId: fromAccountId } = await findTransferable(run, input, instant);
    const held = await lockAccounts(run, [fromAccountId, toAccountId]);
    assertWritable('Account', held.get(toAccountId), { id: toAccountId });
    assertWritable('Account', held.get(fromAccountId), { id: fromAccountId });
    // The holder may have ended it before the lock was acquired.
    const span = await findTransferable(run, input, instant);
    const moved = { ...span, accountId: toAccountId, effectiveFrom: instant, createdAt: ctx.now, ordinal: 0 };
    await endSpan(run, span, instant);
    await insertAliases(run, [moved]);
    await assertRoom(ctx, run, toAccountId, [moved]);
    const from = await touchAccount(ctx, run, fromAccountId);
    const to = await touchAccount(ctx, run, toAccountId);
    await recordAliases(ctx, run, 'ALIAS_TRANSFERRED', from, [[span], endedAt([span], instant)]);
    await recordAliases(ctx, run, 'ALIAS_TRANSFERRED', to, [[], [moved]]);
    return withAliases(ctx, run, to);
  });
  return show(ctx, result);
}

/** A span to end at an instant, and the path at which the input names it. */
interface Ending {
  span: AliasRow;
  instant: Date;
  path: string[];
}

function refused(path: string[], code: Issue['code'], message: string): InvalidInputError {
  return new InvalidInputError([{ path, code, message }]);
}

const notOf = (account: AccountRow, name: string) =>
  new NotFoundError('Alias', name, ` of the account ${JSON.stringify(account.id)} at that instant`);

/** Returns the spans of a value that end after an instant. */
function endingsByValue(account: AccountRow, spans: AliasRow[], value: string, to: Omit<Ending, 'span'>) {
  if (value === account.id)
    throw refused(to.path, 'INVALID_VALUE', "is the account's own id, so it cannot end");
  return spans
    .filter((span) => span.value === value && isAfter(span.effectiveUntil, to.instant))
    .map((span): Ending => ({ span, ...to }));
}

function isAfter(end: Date | null, instant: Date): boolean {
  return end === null || end > instant;
}

/** Returns the span with an id. Throws NotFoundError if it has ended by the instant. */
function endingById(account: AccountRow, spans: AliasRow[], id: string, to: Omit<Ending, 'span'>): Ending {
  const span = spans.find((one) => isAfter(one.effectiveUntil, to.instant) && spanIdOf(account, one) === id);
  if (span === undefined) throw notOf(account, id);
  return { span, ...to };
}

/** Throws InvalidInputError if an input may not end its spans. */
function assertEndable(ctx: Ctx, endings: Ending[]): void {
  endings.forEach(({ span: { effectiveFrom }, instant, path }, index) => {
    if (endings.findIndex(({ span }) => span === endings[index]?.span) < index)
      throw refused(path, 'DUPLICATE', 'names an alias that this input already ends');
    if (effectiveFrom !== null && effectiveFrom >= instant && effectiveFrom < ctx.now)
      throw refused(
        path,
        'INVALID_VALUE',
        'was in force after that instant, and the past cannot change. Choose a later instant',
      );
  });
}

/** Ends spans of a locked account and records the change. Spans that start later are removed. */
async function endAll(ctx: Ctx, run: Run, accountId: string, endings: Ending[]): Promise<AccountWithAliases> {
  assertEndable(ctx, endings);
  for (const { span, instant } of endings) await endSpan(run, span, instant);
  const account = await touchAccount(ctx, run, accountId);
  const before = endings.map(({ span }) => span);
  const after = endings.flatMap(({ span, instant }) => endedAt([span], instant));
  await recordAliases(ctx, run, 'ALIASES_REMOVED', account, [before, after]);
  return withAliases(ctx, run, account);
}

/** Ends the spans that `endingsIn` selects from those that end after an instant. */
async function endSpansOf(
  ctx: Ctx,
  run: Run,
  { accountId, after }: { accountId: string; after: Date },
  endingsIn: (account: AccountRow, spans: AliasRow[]) => Ending[],
): Promise<AccountWithAliases> {
  const account = assertWritable('Account', await lockAccount(run, accountId), { id: accountId });
  const spans = await spansAfter(run, accountId, after, null);
  return endAll(ctx, run, accountId, endingsIn(account, spans));
}

/** Ends aliases of an account now or at a given instant. Throws the AppError that explains a refusal. */
export async function removeAliases(ctx: Ctx, input: RemoveAliasesInput): Promise<Written<AccountRow>> {
  const { accountId, aliases: values } = input;
  const instant = input.effectiveUntil ?? ctx.now;
  const result = await writeOnce(ctx, 'removeAliases', input, reviveAnswer, (run) =>
    endSpansOf(ctx, run, { accountId, after: instant }, (account, spans) =>
      values.flatMap((value, index) => {
        const found = endingsByValue(account, spans, value, { instant, path: ['aliases', String(index)] });
        if (found.length === 0) throw notOf(account, value);
        return found;
      }),
    ),
  );
  return show(ctx, result);
}

/** Ends aliases of an account now, by value or id, and single spans at given instants. */
export async function removeSpans(ctx: Ctx, input: RemoveSpansInput): Promise<Written<AccountRow>> {
  const { accountId, aliases: names, spans: given } = input;
  const { now } = ctx;
  const after = new Date(Math.min(Number(now), ...(given ?? []).map(({ from }) => Number(from ?? now))));
  const result = await writeOnce(ctx, 'removeSpans', input, reviveAnswer, (run) =>
    endSpansOf(ctx, run, { accountId, after }, (account, spans) => [
      ...(names ?? []).flatMap((name, index) => {
        const to = { instant: now, path: ['aliases', String(index)] };
        const found = endingsByValue(account, spans, name, to);
        return found.length > 0 ? found : [endingById(account, spans, name, to)];
      }),
      ...(given ?? []).map(({ id, from }, index) =>
        endingById(account, spans, id, {
          instant: from ?? now,
          path: ['accountAliases', String(index), from ? 'from' : 'id'],
        }),
      ),
    ]),
  );
  return show(ctx, result);
}

/** Returns the current span of an alias, or undefined. An account's own id is not an alias. */
async function spanInForce(ctx: Ctx, run: Run, alias: string): Promise<AliasRow | undefined> {
  const span = await spanAt(run, alias, ctx.now);
  return span?.value === span?.accountId ? undefined : span;
}

/** Returns the current span of an alias. Throws NotFoundError. */
async function findInForce(ctx: Ctx, run: Run, alias: string): Promise<AliasRow> {
  const span = await spanInForce(ctx, run, alias);
  if (span === undefined) throw new NotFoundError('Alias', alias, ' in force');
  return span;
}

/**
 * Ends an alias now, in whichever account has it, and forgets it if it is registered. Returns the account, if there is
 * one. An account can get a value while it is being registered, so a value can be both.
 */
export async function endAlias(ctx: Ctx, input: EndAliasInput): Promise<Written<AccountRow | null>> {
  const { alias } = input;
  const revive = (answer: unknown) => (answer === null ? null : reviveAnswer(answer));
  const { written, replayed } = await writeOnce(ctx, 'endAlias', input, revive, async (run) => {
    await lockNames(run, [alias]);
    const isForgotten = await forgetRegisteredValue(run, alias);
    if (isForgotten && (await spanInForce(ctx, run, alias)) === undefined) return null;
    const { accountId: id } = await findInForce(ctx, run, alias);
    assertWritable('Account', await lockAccount(run, id), { id });
    // The holder may have ended or transferred it before the lock was acquired.
    const span = await findInForce(ctx, run, alias);
    if (span.accountId !== id) throw new NotFoundError('Alias', alias, ' in force');
    return endAll(ctx, run, id, [{ span, instant: ctx.now, path: ['alias'] }]);
  });
  return written === null ? { written, replayed } : show(ctx, { written, replayed });
}

/** Registers values that name no account yet. They have no history. Throws the AppError that refuses one of them. */
export function registerAliases(ctx: Ctx, input: RegisterAliasesInput): Promise<Written<ListedAlias[]>> {
  const values = input.aliases.map(({ value }) => value);
  const revive = (answer: unknown) =>
    (answer as ListedAlias[]).map(({ value, createdAt }) => ({ value, createdAt: new Date(createdAt) }));
  return writeOnce(ctx, 'registerAliases', input, revive, async (run) => {
    await registerValues(ctx, run, values);
    return values.map((value) => ({ value, createdAt: ctx.now }));
  });
}
