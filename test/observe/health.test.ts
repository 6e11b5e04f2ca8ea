import { sql } from 'drizzle-orm';
import { expect, it } from 'vitest';
import { withReplica } from '../support/replica.ts';
import { useService } from '../support/service.ts';

const service = useService();

async function health(path: string, method = 'GET') {
  const response = await service.fetch(new Request(`http://localhost/health/${path}`, { method }));
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type'), text };
}

const json = 'application/json';

it('reports liveness and readiness without a token', async () => {
  const live = { status: 200, type: json, text: '{"status":"alive"}\n' };
  const ready = { status: 200, type: json, text: '{"status":"ready"}\n' };
  expect(await health('live')).toEqual(live);
  expect(await health('ready')).toEqual(ready);
  expect(await health('ready?verbose')).toEqual(ready);
  expect(await health('ready', 'HEAD')).toEqual({ ...ready, text: '' });
});

it('runs one statement for concurrent requests', async () => {
  const statements = await service.statements(async () => {
    await Promise.all(Array.from({ length: 50 }, () => health('ready')));
  });
  expect(statements.length).toBeLessThanOrEqual(1);
});

it('is not ready if a migration is missing', async () => {
  const { orm } = service.database;
  const [last] = await orm.execute<{ id: number; created_at: string }>(
    sql`select id, created_at from drizzle.__drizzle_migrations order by created_at desc limit 1`,
  );
  await orm.execute(sql`update drizzle.__drizzle_migrations set created_at = 0 where id = ${last?.id}`);
  const unready = await withReplica(service, async (replica) => {
    const response = await replica.fetch(new Request('http://localhost/health/ready'));
    return { status: response.status, text: await response.text() };
  });
  expect(unready).toEqual({ status: 503, text: '{"status":"not migrated"}\n' });
  await orm.execute(
    sql`update drizzle.__drizzle_migrations set created_at = ${last?.created_at} where id = ${last?.id}`,
  );
});
