import { type SQL, sql } from 'drizzle-orm';
import { insertedFrom, recordset } from '../db/rows.ts';
import type { Orm } from '../db/statement.ts';
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
export function settingHistory(rows: NewSetting[]) {
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
