import { type SQL, sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';
import { byId } from '../lib/entity-key.ts';
import { groupBy } from '../lib/group.ts';
import { type FullId, readFullId } from './full-id.ts';
import { settingKey } from './rules.ts';

/** Finds a change of an owner that removed one of the settings. */
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

async function ownerExists({ loaders }: Ctx, { ownerType, ownerId }: Owner): Promise<boolean> {
  const loader = ownerType === 'ACCOUNT' ? loaders.account : loaders.customer;
  return (await loader.load(byId(ownerId))) !== null;
}

/** Whether an owner has or had one of the settings. */
async function hadOne({ run, loaders }: Ctx, owner: Owner, named: FullId[]): Promise<boolean> {
  const { ownerType: type, ownerId } = owner;
  const keys = new Set(named.map(settingKey));
  const present = await loaders.settings.load({ type, id: ownerId });
  if (present.some((row) => keys.has(settingKey(row)))) return true;
  const removals = await run(type === 'ACCOUNT' ? removalOfAccount : removalOfCustomer, {
    ownerId,
    namespaces: named.map(({ namespace }) => namespace),
    ids: named.map(({ id }) => id),
  });
  return removals.length > 0;
}

/**
 * Returns whether a full id means or ever meant a setting. One that names an existing owner is never read as that of
 * another owner, whatever settings the two have.
 */
export async function settingExisted(ctx: Ctx, literal: string, spaced: string): Promise<boolean> {
  const otherOwners = new Set(readFullId(spaced).map(ownerKey));
  const byOwner = groupBy(readFullId(literal), ownerKey);
  const existed = await Promise.all(
    [...byOwner.values()].map(async (named) => {
      const [owner] = named;
      if (owner === undefined) return false;
      // Settings belong to owners, which are never deleted.
      return otherOwners.has(ownerKey(owner)) ? hadOne(ctx, owner, named) : ownerExists(ctx, owner);
    }),
  );
  return existed.includes(true);
}
