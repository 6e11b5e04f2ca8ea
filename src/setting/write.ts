import { type SQL, sql } from 'drizzle-orm';
import type { Run } from '../ctx.ts';
import { insertedFrom, recordset, tenantId } from '../db/rows.ts';
import { type Orm, statement } from '../db/statement.ts';
import type { SettingOwner } from './read.ts';
import type { OwnerType, SettingInput } from './rules.ts';
import { type SettingRow, settings } from './table.ts';

export type NewSetting = Omit<SettingRow, 'tenantId'>;

/** Returns the rows of an owner's settings. */
export function newSettings(
  ownerType: OwnerType,
  ownerId: string,
  inputs: readonly SettingInput[],
): NewSetting[] {
  return inputs.map((input) => ({ ...input, ownerType, ownerId }));
}

/** Returns the CTE that inserts the recordset `newSetting` for owners that the same statement creates. */
export function insertSettings(orm: Orm, created: { name: string; ownerType: OwnerType; ids: SQL }) {
  const rows = orm
    .select(insertedFrom(settings, 'newSetting'))
    .from(recordset(settings, 'newSetting'))
    .where(
      sql`"newSetting"."ownerType" = ${sql.raw(`'${created.ownerType}'`)} and "newSetting"."ownerId" in (${created.ids})`,
    );
  // As SQL, because Drizzle would require the generated columns in the select.
  return orm.$with(created.name).as(orm.insert(settings).select(sql`${rows}`).returning({ id: settings.id }));
}

/** Returns settings as the history stores them. */
export function settingHistory(rows: readonly SettingInput[]) {
  return {
    settings: rows.map(({ namespace, id, name, dataType, value }) => ({
      namespace,
      id,
      name,
      dataType,
      value,
    })),
  };
}

const ofOwner = sql`${settings.tenantId} = ${tenantId} and ${settings.ownerType} = ${sql.placeholder('type')}
  and ${settings.ownerId} = ${sql.placeholder('id')}`;

const settingsOfOwner = statement('settings_of_owner', (orm) =>
  orm.select().from(settings).where(ofOwner).orderBy(settings.namespace, settings.id),
);

const putStatement = statement('put_settings', (orm) => {
  const rows = orm.select(insertedFrom(settings, 'newSetting')).from(recordset(settings, 'newSetting'));
  return orm
    .insert(settings)
    .select(sql`${rows}`)
    .onConflictDoUpdate({
      target: [settings.tenantId, settings.ownerType, settings.ownerId, settings.namespace, settings.id],
      set: { name: sql`excluded.name`, dataType: sql`excluded.data_type`, value: sql`excluded.value` },
    })
    .returning({ id: settings.id });
});

const removeStatement = statement('remove_settings', (orm) =>
  orm
    .delete(settings)
    .where(
      sql`${ofOwner} and (${settings.namespace}, ${settings.id}) in (select namespace, id
        from unnest(${sql.placeholder('namespaces')}::text[], ${sql.placeholder('ids')}::text[]) as gone(namespace, id))`,
    )
    .returning({ id: settings.id }),
);

/** Returns the settings of an owner, ordered by namespace, then id. */
export function readSettings(run: Run, { type, id }: SettingOwner): Promise<SettingRow[]> {
  return run(settingsOfOwner, { type, id });
}

/** Inserts settings of a locked owner, and replaces those with the same namespace and id. */
export async function upsertSettings(run: Run, rows: readonly NewSetting[]): Promise<void> {
  await run(putStatement, { newSetting: JSON.stringify(rows) });
}

/** Deletes settings of a locked owner. */
export async function deleteSettings(
  run: Run,
  { type, id }: SettingOwner,
  keys: readonly { namespace: string; id: string }[],
): Promise<void> {
  const names = { namespaces: keys.map((key) => key.namespace), ids: keys.map((key) => key.id) };
  await run(removeStatement, { type, id, ...names });
}

/** Returns whether two settings with the same key have the same content. */
export function isSameSetting(a: SettingInput, b: SettingInput): boolean {
  return a.name === b.name && a.dataType === b.dataType && a.value === b.value;
}
