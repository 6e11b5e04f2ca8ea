import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type Authenticate, createAuthenticator } from '../auth/authenticate.ts';
import { createContext } from '../context.ts';
import { createCustomer } from '../customer/create.ts';
import { exampleCustomer } from '../customer/rest.ts';
import type { Database } from '../db/client.ts';
import { createCancel } from '../lib/cancel.ts';
import { newUuid } from '../lib/id.ts';
import { tenantsByName } from '../tenant/read.ts';
import { createKey, createTenant, revokeKeysNamed } from '../tenant/write.ts';
import { IdTakenError } from '../writing/errors.ts';

const tenantName = 'demo';
const keyName = 'demo';

function tokenFile(dataDir: string): string {
  return join(dataDir, 'demo-token');
}

async function usableToken(authenticate: Authenticate, dataDir: string): Promise<string | undefined> {
  const token = await readFile(tokenFile(dataDir), 'utf8').catch(() => undefined);
  const viewer = token === undefined ? undefined : await authenticate(`Bearer ${token}`);
  return viewer?.tenant.name === tenantName ? token : undefined;
}

/** Creates the demo tenant, its customer and its key if they are missing. Returns the key's token. */
export async function ensureDemo(database: Database, dataDir: string, log: Logger): Promise<string> {
  const authenticate = createAuthenticator({ database });
  const known = await usableToken(authenticate, dataDir);
  const [found] = await database.run(tenantsByName, { names: [tenantName] });
  const tenant = found ?? (await createTenant(database, { name: tenantName }));
  if (known === undefined) await revokeKeysNamed(database, tenant.id, keyName);
  const token = known ?? (await createKey(database, tenant.id, keyName)).token;
  if (known === undefined) await writeFile(tokenFile(dataDir), token, { mode: 0o600 });
  const viewer = await authenticate(`Bearer ${token}`);
  if (viewer === undefined) throw new Error('The demo key is not valid.');
  const caller = { viewer, requestId: newUuid(), now: new Date(), cancel: createCancel() };
  const ctx = createContext({ database, log }, caller);
  await createCustomer(ctx, exampleCustomer).catch((error: unknown) => {
    if (!(error instanceof IdTakenError)) throw error;
  });
  return token;
}

/** Revokes the demo key, for a service that other machines can reach. */
export async function revokeDemo(database: Database, dataDir: string): Promise<void> {
  const [tenant] = await database.run(tenantsByName, { names: [tenantName] });
  if (tenant !== undefined) await revokeKeysNamed(database, tenant.id, keyName);
  await rm(tokenFile(dataDir), { force: true });
}
