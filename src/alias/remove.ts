import { lockAccount, touchAccount } from '../account/lock.ts';
import type { AccountRow } from '../account/table.ts';
import type { Ctx, Run } from '../ctx.ts';
import { assertWritable } from '../entity/lock.ts';
import { type Written, writeOnce } from '../idempotency/write.ts';
import { InvalidInputError, type Issue, NotFoundError } from '../lib/errors.ts';
import type { EndAliasInput, RemoveSpansInput } from './rules.ts';
import { spanIdOf } from './span-id.ts';
import { endedAt, endSpan, spanAt, spansAfter } from './spans.ts';
import type { AliasRow } from './table.ts';
import { recordAliases, reviveAnswer, show, withAliases } from './write.ts';

/** A span to end, when, and where the input names it. */
interface Ending {
  span: AliasRow;
  instant: Date;
  path: string[];
}

function refused(path: string[], code: Issue['code'], message: string): InvalidInputError {
  return new InvalidInputError([{ path, code, message }]);
}

/** The spans that an input names by value, all that go on after now, or by id. */
function endingsOf(ctx: Ctx, input: RemoveSpansInput, account: AccountRow, spans: AliasRow[]): Ending[] {
  const goesOn = (instant: Date) => (span: AliasRow) =>
    span.effectiveUntil === null || span.effectiveUntil > instant;
  const byId = (id: string, instant: Date, path: string[]): Ending[] => {
    const found = spans.filter(goesOn(instant)).filter((span) => spanIdOf(account, span) === id);
    if (found.length > 0) return found.map((span) => ({ span, instant, path }));
    throw new NotFoundError('Alias', id, ` of the account ${JSON.stringify(account.id)} then`);
  };
  const named = (input.aliases ?? []).flatMap((name, index) => {
    const path = ['aliases', String(index)];
    const own = spans.filter(goesOn(ctx.now)).filter((span) => span.value === name);
    if (name === account.id)
      throw refused(path, 'INVALID_VALUE', "is the account's own id, which names it for ever");
    return own.length > 0 ? own.map((span) => ({ span, instant: ctx.now, path })) : byId(name, ctx.now, path);
  });
  const identified = (input.spans ?? []).flatMap(({ id, from }, index) =>
    byId(id, from ?? ctx.now, ['spans', String(index), from ? 'from' : 'id']),
  );
  return [...named, ...identified];
}

/** Throws what forbids ending the spans then. */
function assertEndable(ctx: Ctx, endings: Ending[]): void {
  endings.forEach(({ span: { effectiveFrom }, instant, path }, index) => {
    if (endings.findIndex(({ span }) => span === endings[index]?.span) < index)
      throw refused(path, 'DUPLICATE', 'names an alias that this input already ends');
    if (effectiveFrom !== null && effectiveFrom >= instant && effectiveFrom < ctx.now)
      throw refused(
        path,
        'INVALID_VALUE',
        'has been in force after that instant, and what was in force stays: choose a later one',
      );
  });
}

/** Ends spans and records it, in the transaction of whoever holds the account. */
async function endAll(ctx: Ctx, run: Run, accountId: string, endings: Ending[]) {
  for (const { span, instant } of endings) await endSpan(run, span, instant);
  const account = await touchAccount(ctx, run, accountId);
  const before = endings.map(({ span }) => span);
  const after = endings.flatMap(({ span, instant }) => endedAt([span], instant));
  await recordAliases(ctx, run, 'ALIASES_REMOVED', account, [before, after]);
  return withAliases(ctx, run, account);
}

/** Ends aliases of an account now, or single spans at given instants; those that have not begun by then disappear. */
export async function removeSpans(ctx: Ctx, input: RemoveSpansInput): Promise<Written<AccountRow>> {
  const { accountId } = input;
  const instants = [ctx.now, ...(input.spans ?? []).map(({ from }) => from ?? ctx.now)];
  const earliest = new Date(Math.min(...instants.map(Number)));
  const result = await writeOnce(ctx, 'removeSpans', input, reviveAnswer, async (run) => {
    const account = assertWritable('Account', await lockAccount(run, accountId), { id: accountId });
    const endings = endingsOf(ctx, input, account, await spansAfter(run, accountId, earliest, null));
    assertEndable(ctx, endings);
    return endAll(ctx, run, accountId, endings);
  });
  return show(ctx, result);
}

/** The span in which a value is the alias of an account now. */
async function findInForce(ctx: Ctx, run: Run, alias: string): Promise<AliasRow> {
  const span = await spanAt(run, alias, ctx.now);
  if (span === undefined || span.value === span.accountId)
    throw new NotFoundError('Alias', alias, ' in force');
  return span;
}

/** Ends an alias now, whichever account has it. */
export async function endAlias(ctx: Ctx, input: EndAliasInput): Promise<Written<AccountRow>> {
  const { alias } = input;
  const result = await writeOnce(ctx, 'endAlias', input, reviveAnswer, async (run) => {
    const { accountId: id } = await findInForce(ctx, run, alias);
    assertWritable('Account', await lockAccount(run, id), { id });
    // Its holder may have ended or given it away until now.
    const span = await findInForce(ctx, run, alias);
    if (span.accountId !== id) throw new NotFoundError('Alias', alias, ' in force');
    return endAll(ctx, run, id, [{ span, instant: ctx.now, path: ['alias'] }]);
  });
  return show(ctx, result);
}
