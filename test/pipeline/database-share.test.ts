import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import { createAccount, tenantWithCustomer } from '../support/fixtures.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService({ poolSize: 8 });
let heavy: Client;
let other: Client;

beforeAll(async () => {
  heavy = await tenantWithCustomer(service);
  other = await tenantWithCustomer(service);
  await createAccount(heavy, { id: 'A1' });
});

/** Returns a document with many searches and counts. */
const many = (count: number) =>
  `{ ${Array.from(
    { length: count },
    (_, n) => `a${n}: accounts(first: 1, filter: { search: "text ${n}" }) { totalCount }`,
  ).join(' ')} }`;

/** Locks the table of accounts during `work`, so that every statement on it waits. */
async function whileHeld(work: (waiting: () => Promise<number>) => Promise<void>): Promise<void> {
  const holder = openDatabase({ connection: service.connection, poolSize: 1 });
  const watcher = openDatabase({ connection: service.connection, poolSize: 1 });
  const waiting = async () => {
    const [row] = await watcher.orm.execute<{ count: number }>(sql`
      select count(*)::integer as count from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    return row?.count ?? 0;
  };
  try {
    await holder.orm.transaction(async (transaction) => {
      await transaction.execute(sql`lock table accounts in access exclusive mode`);
      await work(waiting);
    });
  } finally {
    await Promise.all([holder.close(), watcher.close()]);
  }
}

describe('the number of concurrent statements', () => {
  it('is limited to a quarter of the pool for one request', async () => {
    let answer: Promise<{ errors: unknown }> | undefined;
    await whileHeld(async (waiting) => {
      answer = heavy.send(many(100));
      await expect.poll(waiting).toBe(2);
      const { data } = await other.send('{ customers { nodes { id } } }');
      expect(data.customers.nodes).toHaveLength(1);
      expect(await waiting()).toBe(2);
    });
    expect((await answer)?.errors).toBeUndefined();
  });

  it('is limited to half of the pool for one tenant, so that another tenant is served', async () => {
    let answers: Promise<{ errors: unknown }>[] = [];
    await whileHeld(async (waiting) => {
      answers = Array.from({ length: 8 }, () => heavy.send(many(10)));
      await expect.poll(waiting).toBe(4);
      for (let time = 0; time < 20; time += 1) {
        const { data } = await other.send('{ customers { nodes { id } } }');
        expect(data.customers.nodes).toHaveLength(1);
      }
      expect(await waiting()).toBe(4);
    });
    for (const { errors } of await Promise.all(answers)) expect(errors).toBeUndefined();
  });
});
