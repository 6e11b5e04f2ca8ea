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

/** A document of many searches and counts. */
const many = (count: number) =>
  `{ ${Array.from(
    { length: count },
    (_, n) => `a${n}: accounts(first: 1, filter: { search: "text ${n}" }) { totalCount }`,
  ).join(' ')} }`;

/** Holds the table of accounts while `work` runs, so that every statement on it waits. */
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

describe('the statements under way', () => {
  it('of one request are a quarter of the pool', async () => {
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

  it('of one tenant are half of the pool, and another tenant is served', async () => {
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
