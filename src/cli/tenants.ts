import { readConfig } from '../config.ts';
import { allTenants } from '../tenant/read.ts';
import { createTenant } from '../tenant/write.ts';
import { parseArguments, usageError } from './arguments.ts';
import { withDatabase } from './database.ts';
import { tenantsUsage } from './usage.ts';

/** `accountgraph tenants create|list`. */
export async function tenantsCommand(args: string[]): Promise<void> {
  const options = { currency: { type: 'string' }, 'net-term-days': { type: 'string' } } as const;
  const { positionals, values } = parseArguments(args, options, tenantsUsage);
  const [action, name, ...rest] = positionals;
  if (action === 'create' && name !== undefined && rest.length === 0) {
    const days = values['net-term-days'];
    const input = {
      name,
      baseCurrency: values.currency,
      netTermDays: days === undefined ? undefined : Number(days),
    };
    const tenant = await withDatabase(readConfig(), (database) => createTenant(database, input));
    console.log(`Created the tenant ${tenant.name} (${tenant.baseCurrency}, ${tenant.netTermDays} days).`);
  } else if (action === 'list' && name === undefined) {
    const tenants = await withDatabase(readConfig(), (database) => database.run(allTenants, {}));
    for (const tenant of tenants)
      console.log(`${tenant.name}\t${tenant.baseCurrency}\t${tenant.netTermDays} days`);
  } else throw usageError(tenantsUsage);
}
