import { sql } from 'drizzle-orm';
import type { Ctx } from '../ctx.ts';
import { tenantId } from '../db/rows.ts';
import { statement } from '../db/statement.ts';
import { aliases } from './table.ts';

const spanOfName = statement('span_of_name', (orm) =>
  orm
    .select({ accountId: aliases.accountId })
    .from(aliases)
    .where(sql`${aliases.tenantId} = ${tenantId} and ${aliases.value} = ${sql.placeholder('name')}`)
    .limit(1),
);

/** Returns whether a name is or ever was the id or an alias of an account, archived ones included. */
export async function nameExisted({ run }: Ctx, name: string): Promise<boolean> {
  return (await run(spanOfName, { name })).length > 0;
}
