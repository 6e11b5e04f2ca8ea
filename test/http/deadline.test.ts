import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { tenantWithCustomer } from '../support/account.ts';
import { expectAlive, expectRequestError } from '../support/refusal.ts';
import { useService } from '../support/service.ts';

const service = useService({ operationTimeoutMs: 1_200 });

/** Runs `work` while nobody else gets at a table; the others wait for it. */
async function whileLocked(table: string, work: () => Promise<void>): Promise<void> {
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(sql.raw(`lock table ${table} in access exclusive mode`));
    await work();
  });
}

describe('an operation that takes too long', () => {
  it('is answered with TIMEOUT, and the service goes on', async () => {
    const client = await tenantWithCustomer(service);
    await whileLocked('accounts', async () => {
      const answer = await client.send('{ account(id: "A1") { id } }');
      expectRequestError(answer, 504, 'TIMEOUT');
      await expectAlive(client);
    });
    expect((await client.send('{ account(id: "A1") { id } }')).data).toEqual({ account: null });
  });
});
