import { readConfig } from '../config.ts';
import type { Database } from '../db/client.ts';
import { planOf } from '../import/plan.ts';
import { createWriter } from '../import/write.ts';
import { toRecord } from '../import-formats/record.ts';
import { AppError, StartupError } from '../lib/errors.ts';
import { newUuid } from '../lib/id.ts';
import { createLog } from '../observe/log.ts';
import { tenantsByName } from '../tenant/read.ts';
import { createTenant } from '../tenant/write.ts';
import { withDatabase } from './database.ts';
import { type Printed, printResult } from './output.ts';

const customers = [
  {
    id: 'northwind',
    name: 'Northwind Logistics',
    primaryEmail: 'finance@northwind.example',
    address: { line1: '12 Harbour Road', postalCode: '20457', city: 'Hamburg', country: 'DE' },
    metadata: { segment: 'enterprise' },
  },
  {
    id: 'contoso',
    name: 'Contoso Games',
    primaryEmail: 'billing@contoso.example',
    address: { line1: '500 Market Street', city: 'San Francisco', state: 'CA', country: 'US' },
    metadata: { segment: 'startup' },
  },
  {
    id: 'sakura',
    name: '株式会社さくら',
    primaryEmail: 'keiri@sakura.example',
    address: { postalCode: '100-0001', city: '東京', country: 'JP' },
  },
];

const accounts = [
  {
    id: 'northwind-prod',
    customerId: 'northwind',
    name: 'Northwind production',
    invoiceCurrency: 'EUR',
    netTermDays: 45,
    primaryEmail: 'ap@northwind.example',
    billingInformation: { emailRecipients: ['ap@northwind.example'] },
    aliases: ['fleet@northwind.example', '+49 40 5550100'],
    settings: [
      { namespace: 'billing', id: 'po', name: 'PO number', dataType: 'STRING', value: 'PO-2026-118' },
    ],
    tags: ['production'],
  },
  {
    id: 'northwind-test',
    customerId: 'northwind',
    name: 'Northwind test',
    invoiceCurrency: 'EUR',
    status: 'DRAFT',
    tags: ['test'],
  },
  {
    id: 'contoso-web',
    customerId: 'contoso',
    name: 'Contoso web shop',
    aliases: ['web@contoso.example'],
    datedAliases: [
      { value: 'beta@contoso.example', effectiveUntil: new Date('2026-06-30T00:00:00Z') },
      { value: 'device-7f3a', effectiveFrom: new Date('2026-07-01T00:00:00Z') },
    ],
    tags: ['production', 'web'],
    metadata: { salesforceId: '0015g00000Xyz' },
  },
  {
    id: 'contoso-mobile',
    customerId: 'contoso',
    name: 'Contoso mobile',
    netTermDays: 14,
    address: { line1: '1 Mobile Way', city: 'Austin', state: 'TX', country: 'US' },
    settings: [
      { namespace: 'limits', id: 'events', name: 'Events per day', dataType: 'NUMERIC', value: '250000' },
    ],
    tags: ['production', 'mobile'],
  },
  {
    id: 'sakura-main',
    customerId: 'sakura',
    name: 'さくら 本番',
    invoiceCurrency: 'JPY',
    netTermDays: 60,
    aliases: ['sakura@example.jp'],
  },
];

async function ensureTenant(database: Database, name: string) {
  const [found] = await database.run(tenantsByName, { names: [name] });
  return found ?? createTenant(database, { name });
}

/** Creates the sample records that the tenant lacks. Returns how many were created. */
async function seed(database: Database, name: string, logLevel: string): Promise<number> {
  const tenant = await ensureTenant(database, name);
  const log = createLog(logLevel);
  const write = createWriter({ database, tenant, log, onExisting: 'skip' });
  const records = [
    ...customers.map((fields) => toRecord('customer', fields)),
    ...accounts.map((fields) => toRecord('account', fields)),
  ];
  const outcomes = await write(records.map(planOf), {
    requestId: `seed-${newUuid()}`,
    isRepeated: false,
  });
  const refused = outcomes.find((outcome) => outcome instanceof AppError);
  if (refused !== undefined)
    throw new StartupError(`The sample data does not fit the tenant: ${refused.message}`);
  return outcomes.filter((outcome) => outcome === 'created').length;
}

/** `accountgraph seed demo`. */
export async function seedDemoCommand(options: Printed & { tenant: string }): Promise<void> {
  const { tenant } = options;
  const config = readConfig();
  const created = await withDatabase(config, (database) => seed(database, tenant, config.logLevel));
  const done =
    created === 0
      ? `The tenant ${tenant} already has the sample data.`
      : `Created ${created} customers and accounts in the tenant ${tenant}.`;
  const next = `Create a key for it: accountgraph keys create --tenant ${tenant} --name demo`;
  printResult({ tenant, created }, `${done}\n${next}`, options);
}
