import { isDeepStrictEqual } from 'node:util';
import { billingInformationOf, type UpdateAccountInput, updateAccountInput } from '../account/rules.ts';
import { type AccountRow, accounts, changeableKeys } from '../account/table.ts';
import {
  columnsToSet,
  later,
  lockAccount,
  recordAccount,
  refreshAccount,
  rewriteAccount,
} from '../account/write.ts';
import { addressOf } from '../address/rules.ts';
import { type AliasSpan, value as aliasValue, isInForce } from '../alias/rules.ts';
import { type AliasRow, aliases } from '../alias/table.ts';
import {
  aliasHistory,
  assertRoom,
  endedAt,
  endSpan,
  findConflictingClaims,
  insertAliases,
  lockNames,
  type NewAlias,
  spansAfter,
} from '../alias/write.ts';
import type { Ctx, Run } from '../ctx.ts';
import { revive } from '../db/rows.ts';
import { type Issue, NotFoundError } from '../lib/errors.ts';
import { issuesOf } from '../lib/wording.ts';
import type { z } from '../lib/zod.ts';
import { type SettingInput, setting, settingKey } from '../setting/rules.ts';
import type { SettingRow } from '../setting/table.ts';
import {
  deleteSettings,
  isSameSetting,
  newSettings,
  readSettings,
  settingHistory,
  upsertSettings,
} from '../setting/write.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { assertWritable } from '../writing/row-lock.ts';
import { type AccountState, accountStateAt } from './read.ts';
import { type RevertAccountInput, RevertRefusedError } from './rules.ts';

/** An account after a revert, with its settings and the aliases that are then in force. */
interface Reverted {
  account: AccountRow;
  aliases: AliasRow[];
  settings: SettingRow[];
}

/** The elements to remove and to add. */
interface Exchange<Old, New> {
  gone: Old[];
  added: New[];
}

/** All that a revert writes. */
interface Plan {
  /** From which the aliases change. */
  from: Date;
  current: AccountRow;
  target: AccountRow;
  spans: Exchange<AliasRow, NewAlias>;
  settings: Exchange<SettingRow, SettingInput>;
}

const goesOnAfter =
  (instant: Date) =>
  ({ effectiveUntil }: AliasSpan): boolean =>
    effectiveUntil === null || effectiveUntil > instant;

/** Compares what spans mean from an instant on. Earlier instants keep their meaning. */
function exchangedSpans(live: AliasRow[], wanted: AliasSpan[], from: Date): Exchange<AliasRow, AliasSpan> {
  const restOf = (span: AliasSpan) => ({ ...span, effectiveFrom: later(span.effectiveFrom, from) });
  const keyOf = (span: AliasSpan) => {
    const { value, effectiveFrom, effectiveUntil } = restOf(span);
    return JSON.stringify([value, effectiveFrom, effectiveUntil]);
  };
  const rests = wanted.filter(goesOnAfter(from)).map(restOf);
  const [wantedKeys, liveKeys] = [new Set(rests.map(keyOf)), new Set(live.map(keyOf))];
  return {
    gone: live.filter((span) => !wantedKeys.has(keyOf(span))),
    added: rests.filter((span) => !liveKeys.has(keyOf(span))),
  };
}

function exchangedSettings(present: SettingRow[], wanted: SettingInput[]) {
  const missingIn = (others: SettingInput[]) => {
    const byKey = new Map(others.map((one) => [settingKey(one), one]));
    return (one: SettingInput) => {
      const other = byKey.get(settingKey(one));
      return other === undefined || !isSameSetting(one, other);
    };
  };
  return { gone: present.filter(missingIn(wanted)), added: wanted.filter(missingIn(present)) };
}

/** Returns what leads from a locked account to one of its versions. The status does not change. */
async function planOf(ctx: Ctx, run: Run, current: AccountRow, state: AccountState): Promise<Plan> {
  const { id, status } = current;
  // An earlier write can have ended aliases later than `ctx.now`: it may come from a host whose clock is ahead.
  const from = later(current.updatedAt, ctx.now);
  const { gone, added } = exchangedSpans(await spansAfter(run, id, from, null), state.aliases, from);
  const claims = added.map((span, ordinal) => ({ ...span, accountId: id, createdAt: ctx.now, ordinal }));
  return {
    from,
    current,
    target: { ...current, ...state.fields, status } as AccountRow,
    spans: { gone, added: claims },
    settings: exchangedSettings(await readSettings(run, { type: 'ACCOUNT', id }), state.settings),
  };
}

/** Returns the changeable columns in which two rows differ. */
function differingKeys(a: AccountRow, b: AccountRow): (keyof AccountRow)[] {
  const keys = changeableKeys as (keyof AccountRow)[];
  return keys.filter((key) => !isDeepStrictEqual(a[key], b[key]));
}

function changesNothing({ current, target, spans, settings }: Plan): boolean {
  const exchanged = [spans.gone, spans.added, settings.gone, settings.added];
  return differingKeys(current, target).length === 0 && exchanged.every(({ length }) => length === 0);
}

/** Returns the issues of a value that the rules refuse, or would store in another form. */
function issuesFor<T>(rule: z.ZodType<T>, value: unknown, path: string[], isKept: (stored: T) => boolean) {
  const { data, error } = rule.safeParse(value);
  if (error !== undefined)
    return issuesOf(error).map((issue): Issue => ({ ...issue, path: [...path, ...issue.path] }));
  const message = 'has a form that is no longer stored';
  return isKept(data) ? [] : [{ path, code: 'INVALID_VALUE' as const, message }];
}

/** Returns the values of an account as an update sets them. */
function valuesOf(account: AccountRow): Record<string, unknown> {
  const { name, invoiceCurrency, netTermDays, primaryEmail, tags, metadata } = account;
  const nested = { address: addressOf(account), billingInformation: billingInformationOf(account) };
  return { name, invoiceCurrency, netTermDays, primaryEmail, tags, metadata, ...nested };
}

/** Returns the issues of the fields that change. */
function fieldIssues(current: AccountRow, target: AccountRow): Issue[] {
  const [before, after] = [valuesOf(current), valuesOf(target)];
  const isKept = (stored: UpdateAccountInput) =>
    Object.entries(columnsToSet(stored)).every(([key, value]) =>
      isDeepStrictEqual(value, target[key as keyof AccountRow]),
    );
  return Object.keys(after)
    .filter((field) => !isDeepStrictEqual(before[field], after[field]))
    .flatMap((field) =>
      issuesFor(updateAccountInput, { id: current.id, [field]: after[field] }, [], isKept).map((issue) =>
        issue.path.length > 0 ? issue : { ...issue, path: [field] },
      ),
    );
}

/** Returns the issues of all that a revert would write. */
function issuesIn({ current, target, spans, settings }: Plan): Issue[] {
  return [
    ...fieldIssues(current, target),
    ...spans.added.flatMap(({ value }) =>
      issuesFor(aliasValue, value, ['aliases', value], (stored) => stored === value),
    ),
    ...settings.added.flatMap((one) =>
      issuesFor(setting, one, ['settings', one.namespace, one.id], (stored) => isSameSetting(stored, one)),
    ),
  ];
}

/** Returns what the history records of a plan. Aliases and settings are absent if none changes. */
function differenceOf({ from, current, target, spans, settings }: Plan) {
  const keys = differingKeys(current, target);
  const pick = (row: AccountRow) => Object.fromEntries(keys.map((key) => [key, row[key]]));
  const hasSpans = spans.gone.length + spans.added.length > 0;
  const hasSettings = settings.gone.length + settings.added.length > 0;
  return {
    before: {
      ...pick(current),
      ...(hasSpans && aliasHistory(spans.gone)),
      ...(hasSettings && settingHistory(settings.gone)),
    },
    after: {
      ...pick(target),
      ...(hasSpans && aliasHistory([...endedAt(spans.gone, from), ...spans.added])),
      ...(hasSettings && settingHistory(settings.added)),
    },
  };
}

/** Writes a plan as one version. Throws RevertRefusedError and LimitExceededError. */
async function writePlan(ctx: Ctx, run: Run, input: RevertAccountInput, plan: Plan): Promise<AccountRow> {
  const { from, target, spans, settings } = plan;
  const { id } = target;
  const owner = { type: 'ACCOUNT' as const, id };
  for (const span of spans.gone) await endSpan(run, span, from);
  // The names are locked, so no other account can take one between this read and the insert.
  const clashes = await findConflictingClaims({ run }, spans.added);
  const issues = issuesIn(plan);
  if (issues.length + clashes.length > 0) throw new RevertRefusedError(input, issues, clashes);
  await insertAliases(run, spans.added);
  await assertRoom(ctx, run, id, spans.added);
  if (settings.gone.length > 0) await deleteSettings(run, owner, settings.gone);
  if (settings.added.length > 0) await upsertSettings(run, newSettings('ACCOUNT', id, settings.added));
  const account = await rewriteAccount(ctx, run, target);
  await recordAccount(ctx, run, 'ACCOUNT_REVERTED', account, differenceOf(plan));
  return account;
}

function reviveReverted(answer: unknown): Reverted {
  const { account, aliases: inForce, settings } = answer as Reverted;
  return {
    account: revive(accounts, account),
    aliases: inForce.map((alias) => revive(aliases, alias)),
    settings,
  };
}

/**
 * Writes the values of an earlier version of an account as a new version: its fields except the status, its aliases from
 * now on, and its settings. Equal values change nothing. Throws the AppError that explains a refusal.
 */
export async function revertAccount(ctx: Ctx, input: RevertAccountInput): Promise<Written<AccountRow>> {
  const { id, toVersion } = input;
  const { written, replayed } = await writeOnce(ctx, 'revertAccount', input, reviveReverted, async (run) => {
    const state = await accountStateAt(run, id, toVersion);
    const names = (state?.aliases ?? []).filter(goesOnAfter(ctx.now)).map(({ value }) => value);
    // Lock order: names before accounts, in every write.
    await lockNames(run, names);
    const current = assertWritable('Account', await lockAccount(run, id), input);
    if (state === undefined) throw new NotFoundError('Account', id, ` with version ${toVersion}`);
    const plan = await planOf(ctx, run, current, state);
    const isDone = toVersion === current.version || changesNothing(plan);
    const account = isDone ? current : await writePlan(ctx, run, input, plan);
    const live = await spansAfter(run, id, plan.from, null);
    const inForce = live.filter((alias) => isInForce(alias, plan.from));
    return { account, aliases: inForce, settings: await readSettings(run, { type: 'ACCOUNT', id }) };
  });
  const { account, aliases: inForce, settings } = written;
  refreshAccount(ctx, account, { aliases: inForce, settings });
  return { written: account, replayed };
}
