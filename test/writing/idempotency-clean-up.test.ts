import { randomUUID } from 'node:crypto';
import { expect, inject, it, vi } from 'vitest';
import { openApp, useService } from '../support/service.ts';

const service = useService();

async function keysInUse(): Promise<string[]> {
  const rows = await service.database.orm.execute<{ key: string }>(
    'select key from idempotency_records order by key',
  );
  return rows.map((row) => row.key);
}

it('deletes idempotency records after 24 hours', async () => {
  const { tenantId } = await service.newTenant();
  const record = (key: string, age: string) =>
    service.database.orm.execute(`insert into idempotency_records (tenant_id, key, fingerprint, answer, created_at)
      values (${tenantId}, '${key}', '${randomUUID()}', '{}', now() - interval '${age}')`);
  await record('young', '23 hours 59 minutes');
  for (const key of ['old-1', 'old-2']) await record(key, '24 hours 1 minute');

  const [{ name } = { name: '' }] = await service.database.orm.execute<{ name: string }>(
    'select current_database() as name',
  );
  const connection = { ...inject('server'), database: name };
  const replica = openApp(connection, { poolSize: 2 });
  await vi.waitFor(async () => expect(await keysInUse()).toEqual(['young']), 10_000);
  await replica.close();
});
