import { sql } from 'drizzle-orm';
import { changeableKeys } from '../account/table.ts';
import type { AliasSpan } from '../alias/rules.ts';
import type { Run } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';
import { decodeState, replay, type State } from '../past/replay.ts';
import { historySnapshots } from '../past/table.ts';
import type { SettingInput } from '../setting/rules.ts';

/** An account at one of its versions. */
export interface AccountState {
  /** The changeable columns. */
  fields: Record<string, unknown>;
  /** All spans of its aliases, also those that had ended. */
  aliases: AliasSpan[];
  settings: SettingInput[];
}

const [accountId, version] = [sql.placeholder('accountId'), sql.placeholder('version')];

const snapshotUntil = statement('account_snapshot_until', (orm) =>
  orm
    .select({
      version: historySnapshots.version,
      beginsAt: historySnapshots.beginsAt,
      state: historySnapshots.state,
    })
    .from(historySnapshots)
    .where(
      sql`${historySnapshots.tenantId} = ${tenantId} and ${historySnapshots.entityType} = 'ACCOUNT'
        and ${historySnapshots.entityId} = ${accountId} and ${historySnapshots.version} <= ${version}`,
    )
    .orderBy(sql`${historySnapshots.beginsAt} desc, ${historySnapshots.version} desc`)
    .limit(1),
);

const changesUntil = statement('account_changes_until', (orm) =>
  orm
    .select({ version: changes.version, at: changes.at, before: changes.before, after: changes.after })
    .from(changes)
    .where(
      sql`${changes.tenantId} = ${tenantId} and ${changes.accountId} = ${accountId}
        and ${changes.version} > ${sql.placeholder('after')} and ${changes.version} <= ${version}`,
    )
    .orderBy(changes.version),
);

function accountState({ fields, aliases, settings }: State): AccountState {
  const given = changeableKeys.map((key) => [key, fields.get(key)?.value ?? null]);
  const spans = [...aliases].flatMap(([value, { value: all }]) =>
    all.map(({ effectiveFrom, effectiveUntil }) => ({ value, effectiveFrom, effectiveUntil })),
  );
  return {
    fields: Object.fromEntries(given),
    aliases: spans,
    settings: [...settings.values()].flatMap(({ value }) => value ?? []),
  };
}

/** Returns an account as it was at a version, from its history. Undefined if it never had this version. */
export async function accountStateAt(
  run: Run,
  id: string,
  toVersion: number,
): Promise<AccountState | undefined> {
  const [snapshot] = await run(snapshotUntil, { accountId: id, version: toVersion });
  const base = snapshot === undefined ? null : decodeState(snapshot.state, snapshot);
  const steps = await run(changesUntil, { accountId: id, version: toVersion, after: base?.version ?? 0 });
  const state = replay(base, steps);
  return state?.version === toVersion ? accountState(state) : undefined;
}
