import type { z } from 'zod';
import { readConfig } from '../config.ts';
import { StartupError } from '../lib/errors.ts';
import { toTypeId } from '../lib/id.ts';
import { scopes as allScopes } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';
import { keysOfTenant } from '../tenant/read.ts';
import * as rules from '../tenant/rules.ts';
import { createKey, requireTenant, revokeKey } from '../tenant/write.ts';
import { parseArguments, usageError } from './arguments.ts';
import { withDatabase } from './database.ts';
import { keysUsage } from './usage.ts';

/** A value of the command line, by its rule. Throws StartupError. */
function checked<T>(rule: z.ZodType<T>, what: string, value: unknown): T {
  const parsed = rule.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new StartupError(
    `The ${what} ${issuesOf(parsed.error)
      .map(({ message }) => message)
      .join('; ')}.`,
  );
}

async function create(tenantName: string, givenName: string, givenScopes?: string): Promise<void> {
  const name = checked(rules.keyName, 'name', givenName);
  const scopes =
    givenScopes === undefined ? allScopes : checked(rules.scopes, 'scopes', givenScopes.split(','));
  const { id, token } = await withDatabase(readConfig(), async (database) => {
    const tenant = await requireTenant(database, tenantName);
    return createKey(database, tenant.id, name, scopes);
  });
  console.log(`Created the key ${id}. Its token is shown this once:\n${token}`);
}

async function list(tenantName: string): Promise<void> {
  const keys = await withDatabase(readConfig(), async (database) => {
    const tenant = await requireTenant(database, tenantName);
    return database.run(keysOfTenant, { tenantId: tenant.id });
  });
  for (const key of keys) {
    const state = key.revokedAt === null ? 'in use' : `revoked ${key.revokedAt.toISOString()}`;
    console.log(
      `${toTypeId('ApiKey', key.id)}\t${key.name}\t${key.scopes.join(',')}\tcreated ${key.createdAt.toISOString()}\t${state}`,
    );
  }
}

/** `accountgraph keys create|list|revoke`. */
export async function keysCommand(args: string[]): Promise<void> {
  const options = {
    tenant: { type: 'string' },
    name: { type: 'string' },
    scopes: { type: 'string' },
  } as const;
  const { positionals, values } = parseArguments(args, options, keysUsage);
  const [action, keyId, ...rest] = positionals;
  const { tenant, name, scopes } = values;
  if (action === 'create' && tenant !== undefined && name !== undefined && keyId === undefined) {
    await create(tenant, name, scopes);
  } else if (action === 'list' && tenant !== undefined && keyId === undefined) {
    await list(tenant);
  } else if (action === 'revoke' && keyId !== undefined && rest.length === 0) {
    await withDatabase(readConfig(), (database) => revokeKey(database, keyId));
    console.log(`Revoked the key ${keyId}.`);
  } else throw usageError(keysUsage);
}
