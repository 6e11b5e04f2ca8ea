import { beforeEach, describe, expect, it } from 'vitest';
import { tenantAt } from '../../src/tenant/read.ts';
import { updateTenant } from '../../src/tenant/write.ts';
import { statementsOf } from '../support/database.ts';
import { type Client, useService } from '../support/service.ts';
import { contextAt } from '../support/tenants.ts';

const service = useService();
let client: Client;

beforeEach(async () => {
  client = await service.newTenant({ baseCurrency: 'USD', netTermDays: 30 });
});

const at = (time: string) => new Date(`2040-01-01T${time}Z`);
const update = (time: string, input: object) => updateTenant(contextAt(service, client, at(time)), input);

/** Returns the values at these times of the day, read in one request. */
async function valuesAt(...times: string[]): Promise<string[]> {
  const ctx = contextAt(service, client, new Date());
  const found = await Promise.all(times.map((time) => tenantAt(ctx, at(time))));
  return found.map(({ baseCurrency, netTermDays }) => `${baseCurrency} ${netTermDays}`);
}

describe('tenantAt', () => {
  it('returns the current values of a tenant that never changed', async () => {
    const ctx = contextAt(service, client, new Date());
    const instants = ['0001-01-01T00:00:00Z', '9999-12-31T23:59:59.999Z'].map((text) => new Date(text));
    for (const instant of instants)
      expect(await tenantAt(ctx, instant)).toEqual({ baseCurrency: 'USD', netTermDays: 30 });
  });

  it('returns the values of each version from the instant of its change', async () => {
    await update('10:00:00.000', { netTermDays: 45 });
    await update('11:00:00.500', { baseCurrency: 'EUR' });
    const times = ['09:59:59.999', '10:00:00.000', '11:00:00.499', '11:00:00.500', '23:00:00.000'];
    expect(await valuesAt('00:00:00.000', ...times)).toEqual([
      ...['USD 30', 'USD 30', 'USD 45', 'USD 45', 'EUR 45', 'EUR 45'],
    ]);
  });

  it('begins a version no earlier than the ones before it', async () => {
    await update('10:00:00.000', { netTermDays: 45 });
    // Their requests began earlier, but waited for the first one.
    await update('09:00:00.000', { netTermDays: 46 });
    await update('09:30:00.000', { netTermDays: 47 });
    await update('12:00:00.000', { netTermDays: 48 });
    const times = ['08:00:00.000', '09:00:00.000', '09:45:00.000', '09:59:59.999'];
    expect(await valuesAt(...times)).toEqual(Array(4).fill('USD 30'));
    expect(await valuesAt('10:00:00.000', '11:59:59.999', '12:00:00.000')).toEqual([
      ...['USD 47', 'USD 47', 'USD 48'],
    ]);
  });

  it('ignores changes of the name and of other tenants', async () => {
    const other = await service.newTenant();
    await updateTenant(contextAt(service, other, at('08:00:00.000')), { netTermDays: 1 });
    await update('10:00:00.000', { name: `renamed-${client.tenantId}` });
    expect(await valuesAt('07:00:00.000', '09:00:00.000', '11:00:00.000')).toEqual(Array(3).fill('USD 30'));
  });

  it('returns the values of the database, not those of a cached viewer', async () => {
    const ctx = contextAt(service, client, new Date());
    expect(ctx.viewer.tenant.baseCurrency).toBe('EUR');
    expect(await tenantAt(ctx, new Date())).toEqual({ baseCurrency: 'USD', netTermDays: 30 });
  });

  it('reads 100 instants in one statement, and each once', async () => {
    await update('10:00:00.000', { netTermDays: 45 });
    const ctx = contextAt(service, client, new Date());
    const instants = Array.from(
      { length: 100 },
      (_, hour) => new Date(at('00:00:00').getTime() + hour * 3_600_000),
    );
    const texts = await statementsOf(service, async () => {
      const found = await Promise.all([...instants, ...instants].map((instant) => tenantAt(ctx, instant)));
      const days = found.map(({ netTermDays }) => netTermDays);
      const expected = [...Array(10).fill(30), ...Array(90).fill(45)];
      expect(days).toEqual([...expected, ...expected]);
    });
    expect(texts).toHaveLength(1);
  });
});
