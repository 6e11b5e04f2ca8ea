import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Database } from '../db/client.ts';
import { violatedConstraint } from '../db/constraint.ts';
import { StartupError } from '../lib/errors.ts';
import { newUuid, parseTypeId, toTypeId } from '../lib/id.ts';
import { scopes as allScopes, type Scope } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';
import { newToken, tokenHash } from './api-key.ts';
import { tenantsByName } from './read.ts';
import * as rules from './rules.ts';
import { apiKeys, type TenantRow, tenants } from './table.ts';

export interface NewTenant {
  name: string;
  baseCurrency?: string | undefined;
  netTermDays?: number | undefined;
}

function checked(input: NewTenant) {
  const parsed = rules.newTenant.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = issuesOf(parsed.error).map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new StartupError(`${problems.join('; ')}.`);
}

/** Creates a tenant. Throws StartupError if the input breaks a rule or the name is taken. */
export async function createTenant({ orm }: Database, input: NewTenant): Promise<TenantRow> {
  const values = { ...checked(input), createdAt: new Date() };
  try {
    const [row] = await orm.insert(tenants).values(values).returning();
    if (row === undefined) throw new Error('The insert returned no row.');
    return row;
  } catch (error) {
    if (violatedConstraint(error) !== 'tenants_name_key') throw error;
    throw new StartupError(`Tenant ${JSON.stringify(values.name)} already exists. Use another name.`);
  }
}

/** Returns the tenant with this name. Throws StartupError if there is none. */
export async function requireTenant(database: Database, name: string): Promise<TenantRow> {
  const [tenant] = await database.run(tenantsByName, { names: [name] });
  if (tenant === undefined) throw new StartupError(`Tenant ${JSON.stringify(name)} does not exist.`);
  return tenant;
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
