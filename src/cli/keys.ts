import { readConfig } from '../config.ts';
import { UsageError } from '../lib/errors.ts';
import { toTypeId } from '../lib/id.ts';
import { scopes as allScopes } from '../lib/scope.ts';
import { issuesOf } from '../lib/wording.ts';
import type { z } from '../lib/zod.ts';
import { keysOfTenant, type ListedKey } from '../tenant/read.ts';
import * as rules from '../tenant/rules.ts';
import { createKey, requireTenant, revokeKey } from '../tenant/write.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult, printRows } from './output.ts';

/** Parses a value of the command line. Throws UsageError if it breaks the rule. */
function checked<T>(rule: z.ZodType<T>, what: string, value: unknown): T {
  const parsed = rule.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new UsageError(
    `The ${what} ${issuesOf(parsed.error)
      .map(({ message }) => message)
      .join('; ')}.`,
  );
}

type NewKey = Printed & { tenant: string; name: string; scopes?: string; expires?: string };

/** `accountgraph keys create`. */
export async function createKeyCommand(options: NewKey): Promise<void> {
  const name = checked(rules.keyName, 'name', options.name);
  const scopes =
    options.scopes === undefined ? allScopes : checked(rules.scopes, 'scopes', options.scopes.split(','));
  const expiresAt = options.expires === undefined ? null : checked(rules.expiry, 'expiry', options.expires);
  const key = await withDatabase(readConfig(), async (database) => {
    const tenant = await requireTenant(database, options.tenant);
    return createKey(database, tenant.id, name, scopes, expiresAt);
  });
  printResult(key, `Created the key ${key.id}. Its token is shown only once:\n${key.token}`, options);
}

function stateOf({ revokedAt, expiresAt }: ListedKey): string {
  if (revokedAt !== null) return `revoked ${revokedAt.toISOString()}`;
  return expiresAt !== null && expiresAt <= new Date() ? 'expired' : 'active';
}

/** `accountgraph keys list`. */
export async function listKeysCommand(options: Printed & { tenant: string }): Promise<void> {
  const keys = await withDatabase(readConfig(), async (database) => {
    const tenant = await requireTenant(database, options.tenant);
    return database.run(keysOfTenant, { tenantId: tenant.id });
  });
  printRows(
    keys.map((key) => ({ ...key, id: toTypeId('ApiKey', key.id) })),
    {
      Id: ({ id }) => id,
      Name: ({ name }) => name,
      Scopes: ({ scopes }) => scopes.join(','),
      Created: ({ createdAt }) => `created ${createdAt.toISOString()}`,
      Expires: ({ expiresAt }) =>
        expiresAt === null ? 'never expires' : `expires ${expiresAt.toISOString()}`,
      'Last used': ({ lastUsedAt }) =>
        lastUsedAt === null ? 'never used' : `last used ${lastUsedAt.toISOString()}`,
      State: stateOf,
    },
    options,
  );
}

/** `accountgraph keys revoke`. */
export async function revokeKeyCommand(id: string, options: Printed): Promise<void> {
  await withDatabase(readConfig(), (database) => revokeKey(database, id));
  printResult({ id, revoked: true }, `Revoked the key ${id}.`, options);
}
