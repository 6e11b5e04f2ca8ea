import { sql } from 'drizzle-orm';
import type { Ctx, Loader } from '../ctx.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { InvalidInputError } from '../lib/errors.ts';
import { groupBy } from '../lib/group.ts';
import type { Page } from '../lib/page.ts';
import { fullIdOf, type OwnerType, readFullId } from './rules.ts';
import { type SettingRow, settings } from './table.ts';

export interface SettingOwner {
  type: OwnerType;
  id: string;
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

/** Reads the settings of accounts and customers, ordered by namespace, then id. */
export const settingsOfOwner: Loader<SettingOwner, SettingRow[]> = {
  name: 'settings',
  turn: 4,
  keyOf: ownerKey,
  async load({ run }, owners) {
    const idsOf = (type: OwnerType) => owners.filter((owner) => owner.type === type).map((owner) => owner.id);
    const rows = await run(settingsByOwners, {
      accountIds: idsOf('ACCOUNT'),
      customerIds: idsOf('CUSTOMER'),
    });
    const byOwner = groupBy(rows, (row) => ownerKey({ type: row.ownerType, id: row.ownerId }));
    return owners.map((owner) => byOwner.get(ownerKey(owner)) ?? []);
  },
};

export interface SettingFilter {
  ownerTypes: readonly OwnerType[];
  ownerId?: string | undefined;
  namespace?: string | undefined;
  id?: string | undefined;
}

const ofType = sql`${settings.tenantId} = ${tenantId} and ${settings.ownerType} = any(${given('ownerTypes', 'text[]')})`;
const afterLast = sql`(${settings.ownerType}, ${settings.ownerId}, ${settings.namespace}, ${settings.id})
  > (${given('afterType', 'text')}, ${given('afterOwner', 'text')}, ${given('afterNamespace', 'text')}, ${given('afterId', 'text')})`;
const named = sql`(${given('namespace', 'text')} is null or ${settings.namespace} = ${given('namespace', 'text')})
  and (${given('id', 'text')} is null or ${settings.id} = ${given('id', 'text')})`;

const settingsOfAll = statement('settings_of_all', (orm) =>
  orm
    .select()
    .from(settings)
    .where(sql`${ofType} and ${afterLast} and ${named}`)
    .orderBy(settings.ownerType, settings.ownerId, settings.namespace, settings.id)
    .limit(sql.placeholder('limit')),
);

const settingsOfOne = statement('settings_of_one', (orm) =>
  orm
    .select()
    .from(settings)
    .where(sql`${ofType} and ${settings.ownerId} = ${given('ownerId', 'text')} and ${afterLast} and ${named}`)
    .orderBy(settings.ownerType, settings.ownerId, settings.namespace, settings.id)
    .limit(sql.placeholder('limit')),
);

/** Returns the position after which to read: that of the cursor, or the start of the list. */
function startOf(after: string | undefined) {
  if (after === undefined) return { afterType: '', afterOwner: '', afterNamespace: '', afterId: '' };
  const [last] = readFullId(after);
  if (last === undefined) {
    const message = 'must be a cursor of this list';
    throw new InvalidInputError([{ path: ['after'], code: 'INVALID_FORMAT', message }]);
  }
  const { ownerType: afterType, ownerId: afterOwner, namespace: afterNamespace, id: afterId } = last;
  return { afterType, afterOwner, afterNamespace, afterId };
}

/** Returns a page of settings, ordered by owner, namespace and id. Throws InvalidInputError for a malformed cursor. */
export async function settingPage(
  ctx: Ctx,
  { first, after }: { first: number; after: string | undefined },
  { ownerTypes, ownerId, namespace, id }: SettingFilter,
): Promise<Pick<Page<SettingRow>, 'rows' | 'hasMore'> & { cursorOf(row: SettingRow): string }> {
  const found = await ctx.run(ownerId === undefined ? settingsOfAll : settingsOfOne, {
    ...startOf(after),
    ownerTypes,
    ownerId: ownerId ?? null,
    namespace: namespace ?? null,
    id: id ?? null,
    limit: first + 1,
  });
  return { rows: found.slice(0, first), hasMore: found.length > first, cursorOf: fullIdOf };
}
