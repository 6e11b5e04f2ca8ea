import { eq, sql } from 'drizzle-orm';
import { describe, expect, inject, it } from 'vitest';
import { tenantId } from '../../src/db/rows.ts';
import { statement } from '../../src/db/statement.ts';
import { withDeadline } from '../../src/http/deadline.ts';
import { createCancel } from '../../src/lib/cancel.ts';
import { DeadlineError } from '../../src/lib/errors.ts';
import { settings } from '../../src/setting/table.ts';
import { createAccount, createCustomer } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { readAccount } from '../support/reads.ts';
import { expectAlive, expectRequestError } from '../support/refusal.ts';
import { type Client, clientThrough, type Json, openApp, useService } from '../support/service.ts';

const service = useService({ operationTimeoutMs: 2_000 });

/** Behind a pooler, statements are not cancelled and end by their timeout. */
const pooled = inject('pooler') !== undefined;

/** Creates a tenant with account A1 of customer C1 through a replica with a longer timeout. */
async function tenantWithAccount(): Promise<Client> {
  const client = await service.newTenant();
  const patient = openApp(service.connection, { operationTimeoutMs: 60_000 });
  await createCustomer(clientThrough(patient, client));
  await createAccount(clientThrough(patient, client));
  await patient.close();
  return client;
}

/** Runs `work` while the table is locked. */
async function whileLocked(table: string, work: () => Promise<void>): Promise<void> {
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(sql.raw(`lock table ${table} in access exclusive mode`));
    await work();
  });
}

async function statementsOf(table: string): Promise<number> {
  const [row] = await service.database.orm.execute<{ count: number }>(
    sql`select count(*)::int as count from pg_stat_activity where state = 'active' and datname = current_database()
        and pid <> pg_backend_pid() and query like ${`%"${table}"%`}`,
  );
  return row?.count ?? 0;
}

describe('an operation that takes too long', () => {
  it('returns TIMEOUT, and the service keeps serving', async () => {
    const client = await tenantWithAccount();
    await whileLocked('accounts', async () => {
      const answer = await client.send('{ account(id: "A1") { id } }');
      expectRequestError(answer, 504, 'TIMEOUT');
      await expectAlive(client);
    });
    expect((await client.send('{ account(id: "A1") { id } }')).data).toEqual({ account: { id: 'A1' } });
  });

  it.skipIf(pooled)('leaves no statement running in the database', async () => {
    const client = await tenantWithAccount();
    await whileLocked('settings', async () => {
      const query = '{ customer(id: "C1") { settings { id } history { nodes { id } } } }';
      expectRequestError(await client.send(query), 504, 'TIMEOUT');
      await expect.poll(() => statementsOf('settings'), { timeout: 10_000 }).toBe(0);
    });
  });

  it('writes nothing after the response and nothing partially', async () => {
    const client = await tenantWithAccount();
    const first = 'a: updateAccount(input: { id: "A1", netTermDays: 7 }) { __typename }';
    const second =
      'b: createAccount(input: { id: "A2", name: "Two", customerId: "C1", aliases: ["v"] }) { __typename }';
    await whileLocked('aliases', async () => {
      const answer = await client.send(`mutation { ${first} ${second} }`);
      expectRequestError(answer, 504, 'TIMEOUT');
      await expect.poll(() => statementsOf('aliases'), { timeout: 10_000 }).toBe(0);
    });
    const account: Json = await readAccount(client, 'A1');
    expect(account.netTermDays).toBe(7);
    expect(await readAccount(client, 'A2')).toBeNull();
    expect((await client.send('{ accountByAlias(alias: "v") { id } }')).data).toEqual({
      accountByAlias: null,
    });
  });

  it('returns TIMEOUT in an incremental response', async () => {
    const client = await tenantWithAccount();
    await whileLocked('settings', async () => {
      const request = new Request('http://localhost/graphql', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'multipart/mixed',
          authorization: `Bearer ${client.token}`,
        },
        body: JSON.stringify({
          query: '{ viewer { keyName } ... @defer { customer(id: "C1") { settings { id } } } }',
        }),
      });
      const text = await (await service.fetch(request)).text();
      expect(text).toContain('"keyName":"test"');
      expect(text).toContain('"code":"TIMEOUT"');
    });
  });
});

it('includes the time for which an operation has waited', () => {
  const begun: string[] = [];
  const run = (since: number) =>
    withDeadline({ timeoutMs: 60_000, since: performance.now() + since }, createCancel(), () =>
      begun.push('work'),
    );
  expect(() => run(-60_001)).toThrow(DeadlineError);
  expect(begun).toEqual([]);
  expect(run(-50_000)).toBe(1);
});

describe('a request whose deadline has passed', () => {
  // Less than any request takes until its operation starts.
  const hasty = useService({ operationTimeoutMs: 0.02 });
  const socket = useServer((request, response) => hasty.listener(request, response));

  it('returns TIMEOUT before its operation starts', async () => {
    const { token } = await hasty.newTenant();
    const response = await fetch(socket.url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ __typename }' }),
    });
    expect(response.status).toBe(504);
    expect(await response.text()).toContain('"code":"TIMEOUT"');
  });
});

// A new statement, because another test may have run those of the service before.
it.skipIf(pooled)('cancels a statement at the server in its first and in later runs', async () => {
  const { database } = service;
  const names = statement('names_of_settings', (orm) =>
    orm.select({ name: settings.name }).from(settings).where(eq(settings.tenantId, tenantId)),
  );
  const client = await service.newTenant();
  for (const _run of ['first', 'second']) {
    await whileLocked('settings', async () => {
      const cancel = new AbortController();
      const result = database.run(names, { tenantId: client.tenantId }, cancel.signal);
      await expect.poll(() => statementsOf('settings'), { timeout: 10_000 }).toBe(1);
      cancel.abort(new Error('Given up.'));
      await expect(result).rejects.toThrow();
      await expect.poll(() => statementsOf('settings'), { timeout: 10_000 }).toBe(0);
    });
  }
  expect(await database.run(names, { tenantId: client.tenantId })).toEqual([]);
});
