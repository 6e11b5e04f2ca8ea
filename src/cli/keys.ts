import { readConfig } from '../config.ts';
import { StartupError } from '../lib/errors.ts';
import { toTypeId } from '../lib/id.ts';
import { scopes as allScopes } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';
import type { z } from '../lib/zod.ts';
import { keysOfTenant, type ListedKey } from '../tenant/read.ts';
import * as rules from '../tenant/rules.ts';
import { createKey, requireTenant, revokeKey } from '../tenant/write.ts';
import { parseArguments, usageError } from './arguments.ts';
import { withDatabase } from './database.ts';
import { keysUsage } from './usage.ts';

/** Parses a value of the command line. Throws StartupError if it breaks the rule. */
function checked<T>(rule: z.ZodType<T>, what: string, value: unknown): T {
  const parsed = rule.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new StartupError(
    `The ${what} ${issuesOf(parsed.error)
      .map(({ message }) => message)
      .join('; ')}.`,
  );
}

interface NewKey {
  tenant: string;
  name: string;
  scopes: string | undefined;
  expires: string | undefined;
}

async function create(given: NewKey): Promise<void> {
  const name = checked(rules.keyName, 'name', given.name);
  const scopes =
    given.scopes === undefined ? allScopes : checked(rules.scopes, 'scopes', given.scopes.split(','));
  const expiresAt = given.expires === undefined ? null : checked(rules.expiry, 'expiry', given.expires);
  const { id, token } = await withDatabase(readConfig(), async (database) => {
    const tenant = await requireTenant(database, given.tenant);
    return createKey(database, tenant.id, name, scopes, expiresAt);
  });
  console.log(`Created the key ${id}. Its token is shown only once:\n${token}`);
}

function stateOf({ revokedAt, expiresAt }: ListedKey): string {
  if (revokedAt !== null) return `revoked ${revokedAt.toISOString()}`;
  return expiresAt !== null && expiresAt <= new Date() ? 'expired' : 'active';
}

function lineOf(key: ListedKey): string {
  const { id, name, scopes, createdAt, expiresAt, lastUsedAt } = key;
  const created = `created ${createdAt.toISOString()}`;
  const expires = expiresAt === null ? 'never expires' : `expires ${expiresAt.toISOString()}`;
  const used = lastUsedAt === null ? 'never used' : `last used ${lastUsedAt.toISOString()}`;
  return [toTypeId('ApiKey', id), name, scopes.join(','), created, expires, used, stateOf(key)].join('\t');
}

async function list(tenantName: string): Promise<void> {
  const keys = await withDatabase(readConfig(), async (database) => {
    const tenant = await requireTenant(database, tenantName);
    return database.run(keysOfTenant, { tenantId: tenant.id });
  });
  for (const key of keys) console.log(lineOf(key));
}

/** `accountgraph keys create|list|revoke`. */
export async function keysCommand(args: string[]): Promise<void> {
  const options = {
    tenant: { type: 'string' },
    name: { type: 'string' },
    scopes: { type: 'string' },
    expires: { type: 'string' },
  } as const;
  const { positionals, values } = parseArguments(args, options, keysUsage);
  const [action, keyId, ...rest] = positionals;
  const { tenant, name, scopes, expires } = values;
  if (action === 'create' && tenant !== undefined && name !== undefined && keyId === undefined) {
    await create({ tenant, name, scopes, expires });
  } else if (action === 'list' && tenant !== undefined && keyId === undefined) {
    await list(tenant);
  } else if (action === 'revoke' && keyId !== undefined && rest.length === 0) {
    await withDatabase(readConfig(), (database) => revokeKey(database, keyId));
    console.log(`Revoked the key ${keyId}.`);
  } else throw usageError(keysUsage);
}
