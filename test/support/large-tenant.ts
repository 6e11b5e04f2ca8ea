import { sql } from 'drizzle-orm';
import { newUuid } from '../../src/lib/id.ts';
import { tenantWithCustomer } from './fixtures.ts';
import type { Client, Service } from './service.ts';

/** An account with the fields that lists filter and order by. */
export interface Member {
  id: string;
  name: string;
  status: string;
  invoiceCurrency: string | null;
  primaryEmail: string | null;
  country: string | null;
  tags: string[];
  metadata: Record<string, string>;
  createdAt: string;
  updatedAt: string;
  /** The aliases in force. */
  aliases: string[];
  /** The aliases that have ended. */
  pastAliases: string[];
}

const minuteMs = 60_000;
const start = Date.UTC(2026, 0, 1);

export function instantOf(minutes: number): string {
  return new Date(start + minutes * minuteMs).toISOString();
}

/** Returns account `index`. Greater indexes were changed later, and rare values are on old accounts. */
export function memberAt(index: number): Member {
  const isOld = index < 200;
  return {
    id: `A-${String((index * 7919) % 100_003).padStart(6, '0')}`,
    name: `${index % 2 === 0 ? 'Primary' : 'Spare'} account ${index % 500}`,
    status: index % 50 === 7 ? 'ARCHIVED' : index % 50 === 9 ? 'DRAFT' : 'ACTIVE',
    invoiceCurrency: isOld && index % 20 === 0 ? 'ISK' : index % 3 === 0 ? 'USD' : null,
    primaryEmail: index % 2 === 0 ? `Box${index}@Example.com` : null,
    country: isOld && index % 30 === 1 ? 'LI' : index % 5 === 0 ? 'DE' : null,
    tags: isOld && index % 10 === 3 ? ['rare', 'x'] : index % 4 === 0 ? ['often'] : [],
    metadata: isOld && index % 40 === 5 ? { crm: `x${index}`, kind: 'rare' } : { kind: 'often' },
    createdAt: instantOf((index * 31) % 9973),
    updatedAt: instantOf(Math.floor(index / 3)),
    aliases: index < 10_500 ? [`Device-${index}`] : [],
    pastAliases: [`past-${index}`],
  };
}

/** Creates a tenant and inserts its accounts as rows, because the API would take minutes. */
export async function tenantWithManyAccounts(service: Service, members: Member[]): Promise<Client> {
  const client = await tenantWithCustomer(service);
  const { tenantId } = client;
  const rows = JSON.stringify(members.map((member) => ({ ...member, nodeId: newUuid() })));
  const made = sql`json_to_recordset(${rows}) as made(id text, "nodeId" uuid, name text, status text,
    "invoiceCurrency" text, "primaryEmail" text, country text, tags text[], metadata jsonb,
    "createdAt" timestamptz, "updatedAt" timestamptz, aliases text[], "pastAliases" text[])`;
  await service.database.orm.execute(sql`
    insert into accounts (tenant_id, id, node_id, customer_id, name, status, invoice_currency, primary_email,
      address_country, tags, metadata, version, created_at, updated_at)
    select ${tenantId}, id, "nodeId", 'C1', name, status, "invoiceCurrency", "primaryEmail", country, tags, metadata,
      1, "createdAt", "updatedAt" from ${made}`);
  await service.database.orm.execute(sql`
    insert into aliases (tenant_id, value, account_id, effective_from, effective_until, created_at)
    select ${tenantId}::integer, id, id, '-infinity'::timestamptz, 'infinity'::timestamptz, now() from ${made}
    union all select ${tenantId}::integer, unnest(aliases), id, '-infinity', 'infinity', now() from ${made}
    union all select ${tenantId}::integer, unnest("pastAliases"), id, '-infinity', '2026-01-01', now() from ${made}`);
  await service.database.orm.execute(sql`analyze accounts, aliases`);
  return client;
}
