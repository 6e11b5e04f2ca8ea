import { readConfig } from '../config.ts';
import { allTenants, tenantSize } from '../tenant/read.ts';
import type { TenantRow } from '../tenant/table.ts';
import { createTenant, requireTenant } from '../tenant/write.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult, printRows } from './output.ts';

/** Returns the part of a tenant that commands print as JSON. */
function shown({ name, baseCurrency, netTermDays, createdAt }: TenantRow) {
  return { name, baseCurrency, netTermDays, createdAt };
}

/** `accountgraph tenants create`. */
export async function createTenantCommand(
  name: string,
  options: Printed & { currency?: string; netTermDays?: string },
): Promise<void> {
  const { currency, netTermDays: days } = options;
  const input = {
    name,
    baseCurrency: currency,
    netTermDays: days === undefined ? undefined : Number(days),
  };
  const tenant = await withDatabase(readConfig(), (database) => createTenant(database, input));
  const { baseCurrency, netTermDays } = tenant;
  const text = `Created the tenant ${tenant.name} (${baseCurrency}, ${netTermDays} days).`;
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
    Created: tenant.createdAt.toISOString(),
    Customers: tenant.customers,
    Accounts: tenant.accounts,
    'Active keys': tenant.activeKeys,
  }).map(([label, value]) => `${label.padEnd(12)} ${value}`);
  printResult(tenant, lines.join('\n'), options);
}
