import { readConfig } from '../config.ts';
import { createContext } from '../context.ts';
import type { Ctx } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { createCancel } from '../lib/cancel.ts';
import { AppError, StartupError, UsageError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { createLog } from '../observe/log.ts';
import { allTenants, tenantSize } from '../tenant/read.ts';
import { updateTenantInput } from '../tenant/rules.ts';
import type { TenantRow } from '../tenant/table.ts';
import { checked, createTenant, requireTenant, updateTenant } from '../tenant/write.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult, printRows } from './output.ts';

/** Returns the part of a tenant that commands print as JSON. */
function shown({ name, baseCurrency, netTermDays, version, createdAt, updatedAt }: TenantRow) {
  return { name, baseCurrency, netTermDays, version, createdAt, updatedAt: updatedAt ?? createdAt };
}

interface Terms {
  currency?: string;
  netTermDays?: string;
}

/** Returns the fields that the options set. */
function fieldsOf({ currency, netTermDays }: Terms) {
  return {
    baseCurrency: currency,
    netTermDays: netTermDays === undefined ? undefined : Number(netTermDays),
  };
}

/** `accountgraph tenants create`. */
export async function createTenantCommand(name: string, options: Printed & Terms): Promise<void> {
  const input = { name, ...fieldsOf(options) };
  const tenant = await withDatabase(readConfig(), (database) => createTenant(database, input));
  const { baseCurrency, netTermDays } = tenant;
  const text = `Created the tenant ${tenant.name} (${baseCurrency}, ${netTermDays} days).`;
  printResult(shown(tenant), text, options);
}

function contextFor(database: Database, tenant: TenantRow, logLevel: string): Ctx {
  const viewer = { tenant, keyName: 'tenants', scopes: [], expiresAt: null, actor: 'cli:tenants' };
  const caller = { viewer, requestId: `cli-${newUuid()}`, now: new Date(), cancel: createCancel() };
  return createContext({ database, log: createLog(logLevel) }, caller);
}

/** `accountgraph tenants update`. */
export async function updateTenantCommand(
  name: string,
  options: Printed & Terms & { name?: string },
): Promise<void> {
  const { name: newName, currency, netTermDays: days } = options;
  if (newName === undefined && currency === undefined && days === undefined)
    throw new UsageError('Nothing to change. Set --name, --currency or --net-term-days.');
  const input = checked(updateTenantInput, { name: newName, ...fieldsOf(options) });
  const config = readConfig();
  const tenant = await withDatabase(config, async (database) => {
    const ctx = contextFor(database, await requireTenant(database, name), config.logLevel);
    return (await updateTenant(ctx, input)).written;
  }).catch((error: unknown) => {
    throw error instanceof AppError ? new StartupError(error.message) : error;
  });
  const { baseCurrency, netTermDays, version } = tenant;
  const text = `The tenant ${tenant.name} has version ${version} (${baseCurrency}, ${netTermDays} days).`;
  printResult(shown(tenant), text, options);
}

/** `accountgraph tenants list`. */
export async function listTenantsCommand(options: Printed): Promise<void> {
  const tenants = await withDatabase(readConfig(), (database) => database.run(allTenants, {}));
  printRows(
    tenants.map(shown),
    {
      Name: ({ name }) => name,
      Currency: ({ baseCurrency }) => baseCurrency,
      'Net terms': ({ netTermDays }) => `${netTermDays} days`,
    },
    options,
  );
}

/** `accountgraph tenants show`. */
export async function showTenantCommand(name: string, options: Printed): Promise<void> {
  const tenant = await withDatabase(readConfig(), async (database) => {
    const found = await requireTenant(database, name);
    const [size] = await database.run(tenantSize, { tenantId: found.id });
    return { ...shown(found), ...size };
  });
  const lines = Object.entries({
    Name: tenant.name,
    Currency: tenant.baseCurrency,
    'Net terms': `${tenant.netTermDays} days`,
    Version: tenant.version,
    Created: tenant.createdAt.toISOString(),
    Updated: tenant.updatedAt.toISOString(),
    Customers: tenant.customers,
    Accounts: tenant.accounts,
    'Active keys': tenant.activeKeys,
  }).map(([label, value]) => `${label.padEnd(12)} ${value}`);
  printResult(tenant, lines.join('\n'), options);
}
