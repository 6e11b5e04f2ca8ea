import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Ctx, Run } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { isViolation } from '../db/constraint.ts';
import { given, revive, tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { StartupError } from '../lib/errors.ts';
import { newUuid, parseTypeId, toTypeId } from '../lib/id.ts';
import { scopes as allScopes, type Scope } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';
import type { z } from '../lib/zod.ts';
import { VersionConflictError } from '../writing/errors.ts';
import { type Written, writeOnce } from '../writing/idempotency.ts';
import { laterOf } from '../writing/patch-statement.ts';
import { newToken, tokenHash } from './api-key.ts';
import { tenantsByName } from './read.ts';
import * as rules from './rules.ts';
import { apiKeys, type TenantFields, type TenantRow, tenantChanges, tenants } from './table.ts';

const nameKey = 'tenants_name_key';

export interface NewTenant {
  name: string;
  baseCurrency?: string | undefined;
  netTermDays?: number | undefined;
}

/** Parses the input of a command about a tenant. Throws StartupError if it breaks a rule. */
export function checked<T>(rule: z.ZodType<T>, input: object): T {
  const parsed = rule.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = issuesOf(parsed.error).map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new StartupError(`${problems.join('; ')}.`);
}

/** Creates a tenant. Throws StartupError if the input breaks a rule or the name is taken. */
export async function createTenant({ orm }: Database, input: NewTenant): Promise<TenantRow> {
  const values = { ...checked(rules.newTenant, input), createdAt: new Date() };
  try {
    const [row] = await orm.insert(tenants).values(values).returning();
    if (row === undefined) throw new Error('The insert returned no row.');
    return row;
  } catch (error) {
    if (!isViolation(error, [nameKey])) throw error;
    throw new StartupError(`Tenant ${JSON.stringify(values.name)} already exists. Use another name.`);
  }
}

/** Returns the tenant with this name. Throws StartupError if there is none. */
export async function requireTenant(database: Database, name: string): Promise<TenantRow> {
  const [tenant] = await database.run(tenantsByName, { names: [name] });
  if (tenant === undefined) throw new StartupError(`Tenant ${JSON.stringify(name)} does not exist.`);
  return tenant;
}

const lockTenant = statement('lock_tenant', (orm) =>
  orm.select().from(tenants).where(sql`${tenants.id} = ${tenantId}`).for('no key update'),
);

const setTenant = statement('set_tenant', (orm) =>
  orm
    .update(tenants)
    .set({
      name: sql`${given('name', 'text')}`,
      baseCurrency: sql`${given('baseCurrency', 'text')}`,
      netTermDays: sql`${given('netTermDays', 'smallint')}`,
      version: sql`${tenants.version} + 1`,
      updatedAt: laterOf(tenants.updatedAt, sql.placeholder('now')),
    })
    .where(sql`${tenants.id} = ${tenantId}`)
    .returning(),
);

const recordTenantChange = statement('record_tenant_change', (orm) =>
  orm.insert(tenantChanges).values({
    tenantId: tenantId as never,
    version: sql`${given('version', 'integer')}`,
    at: sql`${given('now', 'timestamptz')}`,
    actor: sql.placeholder('actor') as never,
    requestId: sql.placeholder('requestId') as never,
    before: sql`${given('before', 'jsonb')}`,
    after: sql`${given('after', 'jsonb')}`,
  }),
);

const formerOwners = statement(
  'former_owners_of_name',
  (orm) =>
    orm
      .select({ version: tenantChanges.version })
      .from(tenantChanges)
      .where(
        sql`${tenantChanges.tenantId} <> ${tenantId} and ${tenantChanges.before} ->> 'name' = ${given('name', 'text')}`,
      )
      .limit(1),
  { acrossTenants: 'The names of all tenants are different.' },
);

/** Throws NameTakenError if another tenant had the name, because JWTs may still name that tenant by it. */
async function assertNeverUsed(run: Run, name: string): Promise<void> {
  const [former] = await run(formerOwners, { name });
  if (former !== undefined) throw new rules.NameTakenError(name);
}

const fieldsOf = ({ name, baseCurrency, netTermDays }: TenantRow): TenantFields => ({
  name,
  baseCurrency,
  netTermDays,
});

async function writeTenant(ctx: Ctx, run: Run, input: rules.UpdateTenantInput): Promise<TenantRow> {
  const [locked] = await run(lockTenant);
  if (locked === undefined) throw new Error('The tenant of the viewer does not exist.');
  const { expectedVersion } = input;
  if (expectedVersion != null && expectedVersion !== locked.version) {
    throw new VersionConflictError(expectedVersion, locked.version);
  }
  const before = fieldsOf(locked);
  const after = {
    name: input.name ?? before.name,
    baseCurrency: input.baseCurrency ?? before.baseCurrency,
    netTermDays: input.netTermDays ?? before.netTermDays,
  };
  if (JSON.stringify(after) === JSON.stringify(before)) return locked;
  const now = ctx.now.toISOString();
  const [tenant] = await run(setTenant, { ...after, now });
  if (tenant === undefined) throw new Error('A locked tenant does not exist.');
  // After the update, which waits for a tenant that is giving the name up.
  if (after.name !== before.name) await assertNeverUsed(run, after.name);
  await run(recordTenantChange, {
    version: tenant.version,
    now,
    actor: ctx.viewer.actor,
    requestId: ctx.requestId,
    before: JSON.stringify(before),
    after: JSON.stringify(after),
  });
  return tenant;
}

/**
 * Changes the tenant of the viewer. Throws the AppError that explains a refusal: NameTakenError, VersionConflictError or
 * IdempotencyError.
 */
export async function updateTenant(ctx: Ctx, input: rules.UpdateTenantInput): Promise<Written<TenantRow>> {
  const reviveTenant = (answer: unknown) => revive(tenants, answer);
  try {
    const result = await writeOnce(ctx, 'updateTenant', input, reviveTenant, (run) =>
      writeTenant(ctx, run, input),
    );
    ctx.forget();
    if (!result.replayed) ctx.noteTenant(result.written);
    return result;
  } catch (error) {
    throw isViolation(error, [nameKey]) ? new rules.NameTakenError(input.name ?? '') : error;
  }
}

/** Creates a key of a tenant. Only a hash of its token is stored, so this is the only chance to read it. */
export async function createKey(
  { orm }: Database,
  tenantId: number,
  name: string,
  scopes: readonly Scope[] = allScopes,
  expiresAt: Date | null = null,
): Promise<{ id: string; token: string }> {
  const id = newUuid();
  const token = newToken();
  const tokenBytes = Buffer.from(tokenHash(token), 'hex');
  const row = {
    tenantId,
    id,
    name,
    tokenHash: tokenBytes,
    scopes: [...scopes],
    createdAt: new Date(),
    expiresAt,
  };
  await orm.insert(apiKeys).values(row);
  return { id: toTypeId('ApiKey', id), token };
}

/** Revokes a key by its id, such as `key_01m8…`. Throws StartupError if no active key has this id. */
export async function revokeKey({ orm }: Database, keyId: string): Promise<void> {
  const parsed = parseTypeId(keyId);
  const revoked =
    parsed?.type === 'ApiKey'
      ? await orm
          .update(apiKeys)
          .set({ revokedAt: sql`now()` })
          .where(and(eq(apiKeys.id, parsed.uuid), isNull(apiKeys.revokedAt)))
          .returning({ id: apiKeys.id })
      : [];
  if (revoked.length === 0) throw new StartupError(`No active key has the id ${JSON.stringify(keyId)}.`);
}

/** Revokes all keys of a tenant with this name. */
export async function revokeKeysNamed({ orm }: Database, tenantId: number, name: string): Promise<void> {
  await orm
    .update(apiKeys)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiKeys.tenantId, tenantId), eq(apiKeys.name, name), isNull(apiKeys.revokedAt)));
}
