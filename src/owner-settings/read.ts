import { type SQL, sql } from 'drizzle-orm';
import { accountByKey, customerByKey } from '../account/read.ts';
import type { Ctx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';
import { byId } from '../lib/entity-key.ts';
import { groupBy } from '../lib/group.ts';
import { settingsOfOwner } from '../setting/read.ts';
import { type FullId, readFullId, settingKey } from '../setting/rules.ts';

/** Finds a change of the owner that removed one of the settings. */
function removalOf(name: string, owner: SQL) {
  const setting = sql`jsonb_build_array(jsonb_build_object('namespace', named.namespace, 'id', named.id))`;
  const named = sql`unnest(${sql.placeholder('namespaces')}::text[], ${sql.placeholder('ids')}::text[])`;
  return statement(name, (orm) =>
    orm
      .select({ version: changes.version })
      .from(changes)
      .where(
        sql`${changes.tenantId} = ${tenantId} and ${owner} and ${changes.kind} = 'SETTINGS_REMOVED'
          and exists (select from ${named} as named(namespace, id) where ${changes.before} -> 'settings' @> ${setting})`,
      )
      .limit(1),
  );
}

const removalOfAccount = removalOf(
  'removal_of_account',
  sql`${changes.accountId} = ${sql.placeholder('ownerId')}`,
);

const removalOfCustomer = removalOf(
  'removal_of_customer',
  sql`${changes.customerId} = ${sql.placeholder('ownerId')} and ${changes.accountId} is null`,
);

type Owner = Pick<FullId, 'ownerType' | 'ownerId'>;

const ownerKey = ({ ownerType, ownerId }: Owner) => `${ownerType} ${ownerId}`;

async function ownerExists(ctx: Ctx, { ownerType, ownerId }: Owner): Promise<boolean> {
  const key = byId(ownerId);
  const owner = ownerType === 'ACCOUNT' ? ctx.load(accountByKey, key) : ctx.load(customerByKey, key);
  return (await owner) !== null;
}

/** Returns whether an owner has or had one of the settings. */
async function hadSetting(ctx: Ctx, owner: Owner, named: FullId[]): Promise<boolean> {
  const { ownerType: type, ownerId } = owner;
  const keys = new Set(named.map(settingKey));
  const present = await ctx.load(settingsOfOwner, { type, id: ownerId });
  if (present.some((row) => keys.has(settingKey(row)))) return true;
  const removals = await ctx.run(type === 'ACCOUNT' ? removalOfAccount : removalOfCustomer, {
    ownerId,
    namespaces: named.map(({ namespace }) => namespace),
    ids: named.map(({ id }) => id),
  });
  return removals.length > 0;
}

/**
 * Returns whether a full id names or once named a setting. If it names an existing owner, it is never read as a setting
 * of another owner.
 */
export async function settingExisted(ctx: Ctx, literal: string, spaced: string): Promise<boolean> {
  const otherOwners = new Set(readFullId(spaced).map(ownerKey));
  const byOwner = groupBy(readFullId(literal), ownerKey);
  const existed = await Promise.all(
    [...byOwner.values()].map(async (named) => {
      const [owner] = named;
      if (owner === undefined) return false;
      // Settings belong to owners, which are never deleted.
      return otherOwners.has(ownerKey(owner)) ? hadSetting(ctx, owner, named) : ownerExists(ctx, owner);
    }),
  );
  return existed.includes(true);
}
