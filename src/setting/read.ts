import { sql } from 'drizzle-orm';
import type { LoadCtx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { groupBy } from '../lib/group.ts';
import { createLoader, type Loader } from '../lib/loader.ts';
import type { OwnerType } from './rules.ts';
import { type SettingRow, settings } from './table.ts';

export type { SettingRow };

export interface SettingOwner {
  type: OwnerType;
  id: string;
}

export interface SettingLoaders {
  settings: Loader<SettingOwner, SettingRow[]>;
}

function ownerKey({ type, id }: SettingOwner): string {
  return `${type}:${id}`;
}

const settingsByOwners = statement('settings_by_owners', (orm) =>
  orm
    .select()
    .from(settings)
    .where(
      sql`${settings.tenantId} = ${tenantId} and (
        ${settings.ownerType} = 'ACCOUNT' and ${settings.ownerId} = any(${sql.placeholder('accountIds')})
        or ${settings.ownerType} = 'CUSTOMER' and ${settings.ownerId} = any(${sql.placeholder('customerIds')}))`,
    )
    .orderBy(settings.namespace, settings.id),
);

export function settingLoaders({ run, schedule }: LoadCtx): SettingLoaders {
  const load = async (owners: readonly SettingOwner[]) => {
    const idsOf = (type: OwnerType) => owners.filter((owner) => owner.type === type).map((owner) => owner.id);
    const rows = await run(settingsByOwners, {
      accountIds: idsOf('ACCOUNT'),
      customerIds: idsOf('CUSTOMER'),
    });
    const byOwner = groupBy(rows, (row) => ownerKey({ type: row.ownerType, id: row.ownerId }));
    return owners.map((owner) => byOwner.get(ownerKey(owner)) ?? []);
  };
  return { settings: createLoader({ load, schedule: schedule('settings'), nameOf: ownerKey }) };
}
