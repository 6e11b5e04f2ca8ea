import { sql } from 'drizzle-orm';
import { aliases } from '../alias/table.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { changes } from '../history/table.ts';

/** The ids of customers and accounts, of those given, that a request has created. */
export const createdByRequest = statement('created_by_request', (orm) =>
  orm
    .select({ id: sql<string>`coalesce(${changes.accountId}, ${changes.customerId})` })
    .from(changes)
    .where(
      sql`${changes.tenantId} = ${tenantId} and ${changes.version} = 1
        and ${changes.requestId} = ${sql.placeholder('requestId')}
        and (${changes.accountId} = any(${sql.placeholder('accountIds')})
          or (${changes.accountId} is null and ${changes.customerId} = any(${sql.placeholder('customerIds')})))`,
    ),
);

/** All spans of the aliases of an account, also those that have ended. */
export const spansOfAccount = statement('spans_of_account', (orm) =>
  orm
    .select()
    .from(aliases)
    .where(sql`${aliases.tenantId} = ${tenantId} and ${aliases.accountId} = ${sql.placeholder('accountId')}`),
);
