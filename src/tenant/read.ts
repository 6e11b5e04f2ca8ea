import { sql } from 'drizzle-orm';
import { accounts } from '../account/table.ts';
import type { Ctx, Loader } from '../ctx.ts';
import { customers } from '../customer/table.ts';
import { given, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changePage } from '../history/read.ts';
import type { ListPage, PageArgs } from '../lib/page.ts';
import { keysetList } from '../listing/keyset.ts';
import {
  type ApiKeyRow,
  apiKeys,
  type TenantChangeRow,
  type TenantFields,
  tenantChanges,
  tenants,
} from './table.ts';

const usableKey = {
  keyId: apiKeys.id,
  keyName: apiKeys.name,
  scopes: apiKeys.scopes,
  expiresAt: apiKeys.expiresAt,
  tenant: tenants,
};

/** The unrevoked keys with these token hashes (hex), and their tenants. */
export const keysByTokenHash = statement(
  'keys_by_token_hash',
  (orm) =>
    orm
      .select({
        ...usableKey,
        hash: sql<string>`encode(${apiKeys.tokenHash}, 'hex')`,
        lastUsedAt: apiKeys.lastUsedAt,
      })
      .from(apiKeys)
      .innerJoin(tenants, sql`${tenants.id} = ${apiKeys.tenantId}`)
      .where(
        sql`${apiKeys.tokenHash} = any(array(
        select decode(hash, 'hex') from unnest(${sql.placeholder('hashes')}::text[]) as given(hash)))
        and ${apiKeys.revokedAt} is null`,
      ),
  { acrossTenants: 'The token determines the tenant.' },
);

/** The unrevoked keys with these ids, and their tenants. */
export const keysById = statement(
  'keys_by_id',
  (orm) =>
    orm
      .select(usableKey)
      .from(apiKeys)
      .innerJoin(tenants, sql`${tenants.id} = ${apiKeys.tenantId}`)
      .where(sql`${apiKeys.id} = any(${sql.placeholder('ids')}::uuid[]) and ${apiKeys.revokedAt} is null`),
  { acrossTenants: 'The token determines the tenant.' },
);

export const tenantsByName = statement(
  'tenants_by_name',
  (orm) =>
    orm
      .select()
      .from(tenants)
      .where(sql`${tenants.name} = any(${sql.placeholder('names')})`),
  { acrossTenants: 'The name determines the tenant.' },
);

export type ListedKey = Omit<ApiKeyRow, 'tenantId' | 'tokenHash'>;

export const keysOfTenant = statement('keys_of_tenant', (orm) =>
  orm
    .select({
      id: apiKeys.id,
      name: apiKeys.name,
      scopes: apiKeys.scopes,
      createdAt: apiKeys.createdAt,
      expiresAt: apiKeys.expiresAt,
      revokedAt: apiKeys.revokedAt,
      lastUsedAt: apiKeys.lastUsedAt,
    })
    .from(apiKeys)
    .where(sql`${apiKeys.tenantId} = ${sql.placeholder('tenantId')}`)
    .orderBy(apiKeys.createdAt, apiKeys.id),
);

export const allTenants = statement('all_tenants', (orm) => orm.select().from(tenants).orderBy(tenants.id), {
  acrossTenants: 'The command line lists all tenants.',
});

/** The numbers of rows of a tenant, also of archived customers and accounts. */
export const tenantSize = statement('tenant_size', (orm) => {
  const tenantId = sql.placeholder('tenantId');
  return orm
    .select({
      activeKeys: sql<number>`count(*)::integer`,
      customers: sql<number>`(select count(*)::integer from ${customers} as c where c.tenant_id = ${tenantId})`,
      accounts: sql<number>`(select count(*)::integer from ${accounts} as a where a.tenant_id = ${tenantId})`,
    })
    .from(apiKeys)
    .where(
      sql`${apiKeys.tenantId} = ${tenantId} and ${apiKeys.revokedAt} is null
        and (${apiKeys.expiresAt} is null or ${apiKeys.expiresAt} > now())`,
    );
});

const changesOfTenant = keysetList('tenant_changes', {
  table: tenantChanges,
  order: { by: tenantChanges.version, type: 'integer', direction: 'DESC' },
  where: sql`${tenantChanges.tenantId} = ${tenantId}`,
});

/** Returns a page of the changes of the tenant, newest first. Throws InvalidInputError. */
export function tenantChangePage(ctx: Ctx, args: PageArgs): Promise<ListPage<TenantChangeRow>> {
  return changePage(ctx, args, changesOfTenant);
}

/** What accounts inherit from their tenant. */
export type TenantTerms = Pick<TenantFields, 'baseCurrency' | 'netTermDays'>;

/**
 * A change applies from its instant, but not before an earlier version. So the state at an instant is the one before
 * the first change, by version, that is later; without such a change, it is the current one.
 */
const tenantsAt = statement('tenants_at', (orm) => {
  const before = (field: keyof TenantTerms) => sql`later.before ->> ${sql.raw(`'${field}'`)}`;
  return orm
    .select({
      baseCurrency: sql<string>`coalesce(${before('baseCurrency')}, ${tenants.baseCurrency})`,
      netTermDays: sql<number>`coalesce((${before('netTermDays')})::smallint, ${tenants.netTermDays})`,
    })
    .from(tenants)
    .innerJoin(
      sql`unnest(${given('instants', 'text[]')}) with ordinality as given(instant, place)`,
      sql`true`,
    )
    .leftJoin(
      sql`lateral (select change.before from ${tenantChanges} as change
        where change.tenant_id = ${tenantId} and change.at > given.instant::timestamptz
        order by change.version limit 1) as later`,
      sql`true`,
    )
    .where(sql`${tenants.id} = ${tenantId}`)
    .orderBy(sql`given.place`);
});

/** Reads what accounts inherited at instants. */
const inheritedAt: Loader<Date, TenantTerms> = {
  name: 'tenant at an instant',
  turn: 4,
  keyOf: (instant) => instant.toISOString(),
  load: ({ run }, instants) => run(tenantsAt, { instants: instants.map((instant) => instant.toISOString()) }),
};

/** Returns the values that accounts inherited from the tenant at an instant; before its creation, the first ones. */
export async function tenantAt(ctx: Ctx, instant: Date): Promise<TenantTerms> {
  return ctx.load(inheritedAt, instant);
}
