import { expect, it } from 'vitest';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { useService } from '../support/service.ts';
import { updateTenant } from '../support/tenants.ts';

const service = useService();

it('returns what an account of the past inherited from its tenant then', async () => {
  const client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1', invoiceCurrency: null, netTermDays: null });
  const before = new Date().toISOString();
  const { updatedAt } = await updateTenant(client, { baseCurrency: 'EUR', netTermDays: 45 });
  const document = `query($before: DateTime!, $after: DateTime!) {
    before: account(id: "A1", asOf: $before) { invoiceCurrency netTermDays version }
    after: account(id: "A1", asOf: $after) { invoiceCurrency netTermDays version }
    now: account(id: "A1") { invoiceCurrency netTermDays version }
  }`;
  const { data } = await client.send(document, { before, after: updatedAt });
  const changed = { invoiceCurrency: 'EUR', netTermDays: 45, version: 1 };
  expect(data).toEqual({
    before: { invoiceCurrency: 'USD', netTermDays: 30, version: 1 },
    after: changed,
    now: changed,
  });
});
