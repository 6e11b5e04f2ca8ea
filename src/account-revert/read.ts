import { sql } from 'drizzle-orm';
import { changeableKeys } from '../account/table.ts';
import type { AliasSpan } from '../alias/rules.ts';
import type { Run } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { type ChangeRow, changes } from '../history/table.ts';
import { type SettingInput, settingKey } from '../setting/rules.ts';

/** An account at one of its versions. */
export interface AccountState {
  /** The changeable columns. */
  fields: Record<string, unknown>;
  /** All spans of its aliases, also those that had ended. */
  aliases: AliasSpan[];
  settings: SettingInput[];
}

type Recorded = Pick<ChangeRow, 'version' | 'before' | 'after'>;

const changesUntil = statement('account_changes_until', (orm) =>
  orm
    .select({ version: changes.version, before: changes.before, after: changes.after })
    .from(changes)
    .where(
      sql`${changes.tenantId} = ${tenantId} and ${changes.accountId} = ${sql.placeholder('accountId')}
        and ${changes.version} <= ${sql.placeholder('version')}`,
    )
    .orderBy(changes.version),
);

/** Returns a bound of a span from the history, where earlier versions of the service stored infinite ones as text. */
function boundOf(value: unknown): Date | null {
  return value == null || value === 'infinity' || value === '-infinity' ? null : new Date(String(value));
}

function spansIn(recorded: Record<string, unknown> | null): AliasSpan[] {
  const spans = (recorded?.aliases ?? []) as Record<keyof AliasSpan, unknown>[];
  return spans.map(({ value, effectiveFrom, effectiveUntil }) => ({
    value: String(value),
    effectiveFrom: boundOf(effectiveFrom),
    effectiveUntil: boundOf(effectiveUntil),
  }));
}

const spanKey = ({ value, effectiveFrom }: AliasSpan): string =>
  JSON.stringify([value, effectiveFrom?.getTime() ?? null]);

/** Applies a change to elements: removes those before it, and adds those after it. */
function replaced<T>(elements: Map<string, T>, keyOf: (one: T) => string, before: T[], after: T[]): void {
  for (const one of before) elements.delete(keyOf(one));
  for (const one of after) elements.set(keyOf(one), one);
}

/** Returns the state of an account after changes, which begin with its creation. */
export function replay(recorded: readonly Recorded[]): AccountState {
  const empty = changeableKeys.map((key) => [key, null]);
  const fields: Record<string, unknown> = { ...Object.fromEntries(empty), tags: [], metadata: {} };
  const spans = new Map<string, AliasSpan>();
  const settings = new Map<string, SettingInput>();
  const settingsIn = (one: Recorded['after']) => (one?.settings ?? []) as SettingInput[];
  for (const { before, after } of recorded) {
    for (const key of changeableKeys) if (after !== null && key in after) fields[key] = after[key];
    replaced(spans, spanKey, spansIn(before), spansIn(after));
    replaced(settings, settingKey, settingsIn(before), settingsIn(after));
  }
  return { fields, aliases: [...spans.values()], settings: [...settings.values()] };
}

/** Returns an account as it was at a version, from its history. Undefined if it never had this version. */
export async function accountStateAt(
  run: Run,
  accountId: string,
  version: number,
): Promise<AccountState | undefined> {
  const recorded = await run(changesUntil, { accountId, version });
  return recorded.at(-1)?.version === version ? replay(recorded) : undefined;
}
