import { sql } from 'drizzle-orm';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { updateAccounts } from '../../src/account/write.ts';
import { createContext } from '../../src/context.ts';
import type { Ctx } from '../../src/ctx.ts';
import { createCustomers } from '../../src/customer/create.ts';
import { createCancel } from '../../src/lib/cancel.ts';
import { AppError } from '../../src/lib/errors.ts';
import type { WriteResult } from '../../src/writing/write-each.ts';
import { rowCounts, statementsOf, stored } from '../support/database.ts';
import { listOf } from '../support/field-limits.ts';
import { customerInput, setting } from '../support/fixtures.ts';
import { tryEach } from '../support/mutations.ts';
import { type Client, useService } from '../support/service.ts';
import { tenantRow } from '../support/tenants.ts';

const service = useService();

/** Returns a context whose writes share no statement with other requests. */
function contextOf({ tenantId }: Client): Ctx {
  const tenant = tenantRow(tenantId);
  const viewer = { tenant, keyName: 'test', scopes: [], expiresAt: null, actor: 'test' };
  const caller = { viewer, requestId: 'test', now: new Date(), cancel: createCancel() };
  return createContext({ database: service.database, log: pino({ level: 'silent' }) }, caller);
}

const codesOf = (results: WriteResult<unknown>[]) =>
  results.map((result) => (result instanceof AppError ? result.code : result.replayed));

describe('a command without batches', () => {
  it('creates 100 customers with their first accounts in one statement, and changes the accounts in another', async () => {
    const client = await service.newTenant();
    const customers = listOf(100, (index) => ({
      id: `C-${index}`,
      name: 'Acme',
      primaryEmail: 'a@acme.com',
      address: { country: 'US' },
      account: { id: `A-${index}`, name: 'First', aliases: [`a-${index}`] },
      idempotencyKey: `k-${index}`,
    }));
    const changes = listOf(100, (index) => ({ id: `A-${index}`, name: `Name ${index}`, netTermDays: index }));
    const statements = await statementsOf(service, async () => {
      const ctx = contextOf(client);
      expect(codesOf(await createCustomers(ctx, customers))).toEqual(customers.map(() => false));
      expect(codesOf(await updateAccounts(ctx, changes))).toEqual(changes.map(() => false));
    });
    expect(statements).toHaveLength(2);
    expect(codesOf(await createCustomers(contextOf(client), customers))).toEqual(customers.map(() => true));
    expect(await rowCounts(service, client)).toMatchObject({ customers: 100, accounts: 100, changes: 300 });
  });

  it('returns refusals as data', async () => {
    const client = await service.newTenant();
    const results = await updateAccounts(contextOf(client), [{ id: 'nobody' }]);
    expect(codesOf(results)).toEqual(['NOT_FOUND']);
  });
});

describe('an input whose idempotency key is in use by a running request', () => {
  it('writes nothing, even if the next input has the same id', async () => {
    const client = await service.newTenant();
    const input = (id: string, fields: object = {}) =>
      customerInput({ id: 'C1', settings: [setting(id)], ...fields });
    await service.database.orm.transaction(async (tx) => {
      await tx.execute(
        sql`select pg_advisory_xact_lock(hashtextextended(E'idempotency\\n' || 'k', ${client.tenantId}))`,
      );
      const results = await tryEach(client, 'createCustomers', [
        input('refused', { idempotencyKey: 'k' }),
        input('accepted'),
      ]);
      expect(results).toMatchObject([{ code: 'IDEMPOTENCY_IN_PROGRESS' }, { replayed: false }]);
    });
    const { settings, changes, idempotency_records } = await stored(service, client);
    expect(settings.map(({ id }) => id)).toEqual(['accepted']);
    expect([changes.length, idempotency_records.length]).toEqual([1, 0]);
  });
});
