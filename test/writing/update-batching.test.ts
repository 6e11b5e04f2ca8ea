import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { changesOf, statementsOf, stored, waitingStatements } from '../support/database.ts';
import { createCustomer, tenantWithCustomer } from '../support/fixtures.ts';
import {
  type MutationName,
  resultOf,
  sendMutation,
  tryCreateAccounts,
  tryMutation,
} from '../support/mutations.ts';
import { type Client, clientThrough, type Json, openImpatientApp, useService } from '../support/service.ts';

const service = useService();
const indexes = Array.from({ length: 30 }, (_, index) => index);

const accountsOfIndexes = indexes.map((index) => ({ id: `E${index}`, name: 'As it was', customerId: 'C1' }));

/** Creates a tenant with the accounts or customers E0 to E29. */
async function tenantWith(type: 'account' | 'customer'): Promise<Client> {
  const client = await tenantWithCustomer(service);
  if (type === 'account') await tryCreateAccounts(client, accountsOfIndexes);
  else
    await Promise.all(indexes.map((index) => createCustomer(client, { id: `E${index}`, name: 'As it was' })));
  return client;
}

async function entitiesOf(client: Client, type: 'account' | 'customer'): Promise<Map<string, Json>> {
  const rows = (await stored(service, client))[`${type}s`];
  return new Map(rows.map((row) => [row.id, row]));
}

/** Returns the history entries of updates. */
async function updatesOf(client: Client, type: 'account' | 'customer'): Promise<Json[]> {
  const changes = await changesOf(service, client);
  return changes.filter(({ kind }) => kind === `${type.toUpperCase()}_UPDATED`);
}

/** Returns the updating statements of `work`. */
async function updates(work: () => Promise<void>): Promise<string[]> {
  const statements = await statementsOf(service, work);
  return statements.filter((text) => text.includes('update "'));
}

const update = (client: Client, input: object) => tryMutation(client, 'updateAccount', input);

describe.each([
  ['updateAccount', 'account'],
  ['updateCustomer', 'customer'],
] as const)('concurrent %s of two tenants', (name: MutationName, type) => {
  it('runs few statements and writes each row, result and history entry', async () => {
    const clients = [await tenantWith(type), await tenantWith(type)];
    for (const client of clients) await tryMutation(client, name, { id: 'E0' });
    const statements = await updates(async () => {
      await service.gather(clients.length * (indexes.length - 1));
      const answers = clients.flatMap((client) =>
        indexes.slice(1).map(async (index) => {
          const fields =
            index % 2 ? { name: `${client.tenantId} ${index}` } : { primaryEmail: `e${index}@a.co` };
          const headers = { 'x-request-id': `${client.tenantId}-${index}` };
          const answer = await sendMutation(client, name, { id: `E${index}`, ...fields }, headers);
          expect(resultOf(answer, name)[type]).toMatchObject({ id: `E${index}`, version: 2, ...fields });
        }),
      );
      await Promise.all(answers);
    });
    expect(statements.length).toBeLessThan(indexes.length);
    for (const client of clients) {
      const entities = await entitiesOf(client, type);
      const updates = await updatesOf(client, type);
      // The first update changed nothing.
      expect(updates).toHaveLength(indexes.length - 1);
      for (const index of indexes.slice(1)) {
        const change = updates.find(({ request_id }) => request_id === `${client.tenantId}-${index}`);
        const row = entities.get(`E${index}`);
        const after = index % 2 ? { name: row.name } : { primaryEmail: row.primary_email };
        const before =
          index % 2 ? { name: 'As it was' } : { primaryEmail: type === 'account' ? null : 'a@acme.com' };
        expect(change).toMatchObject({ version: 2, before, after, [`${type}_id`]: `E${index}` });
        expect([row.version, Date.parse(row.updated_at)]).toEqual([2, Date.parse(change.at)]);
      }
    }
  });
});

it('updates one account in order and other accounts in shared statements', async () => {
  const client = await tenantWith('account');
  let results: Json[] = [];
  const send = (index: number) =>
    update(client, { id: index % 2 ? `E${index}` : 'E0', name: `Name ${index}` });
  const statements = await updates(async () => {
    await service.gather(indexes.length);
    results = await Promise.all(indexes.map(send));
  });
  expect(statements.length).toBeLessThan(indexes.length);
  const versions = results.map(({ account }) => account.version);
  expect(versions.filter((_, index) => index % 2 === 1)).toEqual(Array(15).fill(2));
  const own = versions.filter((_, index) => index % 2 === 0);
  expect(own.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 15 }, (_, index) => index + 2));
  const changes = (await updatesOf(client, 'account'))
    .filter(({ account_id }) => account_id === 'E0')
    .toSorted((a, b) => a.version - b.version);
  expect(changes.map(({ version }) => version)).toEqual(own.toSorted((a, b) => a - b));
  const names = ['As it was', ...changes.map(({ after }) => after.name)];
  expect(changes.map(({ before }) => before.name)).toEqual(names.slice(0, -1));
  expect((await entitiesOf(client, 'account')).get('E0')).toMatchObject({ version: 16, name: names.at(-1) });
});

it('accepts one of the updates with the same expectedVersion, and all updates of other accounts', async () => {
  const client = await tenantWith('account');
  const results = await Promise.all(
    indexes.map((index) =>
      update(client, { id: index % 3 ? `E${index}` : 'E0', name: `Name ${index}`, expectedVersion: 1 }),
    ),
  );
  const same = results.filter((_, index) => index % 3 === 0);
  expect(results.filter((_, index) => index % 3 !== 0).every(({ account }) => account.version === 2)).toBe(
    true,
  );
  expect(same.filter(({ account }) => account?.version === 2)).toHaveLength(1);
  expect(same.filter(({ currentVersion }) => currentVersion === 2)).toHaveLength(9);
  expect(await updatesOf(client, 'account')).toHaveLength(21);
});

it('writes the other updates if some are rejected for different reasons', async () => {
  const client = await tenantWith('account');
  await tryMutation(client, 'archiveAccount', { id: 'E11' });
  const bad: Record<number, object> = {
    5: { id: 'nobody' },
    11: {},
    17: { expectedVersion: 7 },
    23: { status: 'DRAFT' },
  };
  const results = await Promise.all(
    indexes.map((index) => update(client, { id: `E${index}`, name: 'New name', ...bad[index] })),
  );
  expect(results[5]).toMatchObject({ __typename: 'NotFoundError', id: 'nobody' });
  expect(results[11]).toMatchObject({ __typename: 'NotAllowedInStatusError', status: 'ARCHIVED' });
  expect(results[17]).toMatchObject({ __typename: 'VersionConflictError', currentVersion: 1 });
  expect(results[23]).toMatchObject({ __typename: 'NotAllowedInStatusError', status: 'ACTIVE' });
  const entities = await entitiesOf(client, 'account');
  for (const index of indexes) {
    const { name } = entities.get(`E${index}`);
    expect([index, name]).toEqual([index, index in bad ? 'As it was' : 'New name']);
    if (!(index in bad)) expect(results[index].account.version).toBe(2);
  }
  expect(await updatesOf(client, 'account')).toHaveLength(26);
});

it('writes once for concurrent requests with one idempotency key, beside other requests', async () => {
  const client = await tenantWith('account');
  const input = { id: 'E0', name: 'By key', idempotencyKey: 'k' };
  const results = await Promise.all(
    indexes.map((index) =>
      update(client, index % 2 ? { id: `E${index}`, name: 'New', idempotencyKey: `${index}` } : input),
    ),
  );
  const same = results.filter((_, index) => index % 2 === 0);
  expect(same.filter(({ replayed }) => replayed === false)).toHaveLength(1);
  for (const { replayed, code, account } of same) {
    if (replayed === undefined) expect(code).toBe('IDEMPOTENCY_IN_PROGRESS');
    else expect(account).toMatchObject({ id: 'E0', name: 'By key', version: 2 });
  }
  for (const [index, { replayed, account }] of results.entries()) {
    if (index % 2) expect([replayed, account.id]).toEqual([false, `E${index}`]);
  }
  const again = await update(client, { id: 'E7', name: 'New', idempotencyKey: '7' });
  expect(again).toEqual({ ...results[7], replayed: true });
  expect(await updatesOf(client, 'account')).toHaveLength(16);
});

it('accepts one of several concurrent inputs with one idempotency key', async () => {
  const client = await tenantWith('account');
  const results = await Promise.all(
    indexes.map((index) => update(client, { id: `E${index}`, name: 'New', idempotencyKey: 'k' })),
  );
  expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(1);
  const codes = results.flatMap(({ code }) => code ?? []);
  expect(codes).toHaveLength(29);
  for (const code of codes) expect(code).toMatch(/^IDEMPOTENCY_(KEY_REUSED|IN_PROGRESS)$/);
  expect(await updatesOf(client, 'account')).toHaveLength(1);
});

/** Adds a trigger that runs `action` before an account of this tenant is updated. */
async function onUpdate({ tenantId }: Client, when: string, action: string): Promise<void> {
  const { orm } = service.database;
  await orm.execute(
    sql.raw(
      `create function on_update_${tenantId}() returns trigger language plpgsql as $$ begin ${action}; return new; end $$`,
    ),
  );
  await orm.execute(
    sql.raw(`create trigger on_update_${tenantId} before update on accounts for each row
      when (new.tenant_id = ${tenantId} and ${when}) execute function on_update_${tenantId}()`),
  );
}

it('writes the other updates if some fail unexpectedly', async () => {
  const client = await tenantWith('account');
  await onUpdate(client, `new.id in ('E3', 'E9')`, `raise exception 'no'`);
  const answers = await Promise.all(
    indexes.map((index) => sendMutation(client, 'updateAccount', { id: `E${index}`, name: 'New name' })),
  );
  const entities = await entitiesOf(client, 'account');
  for (const [index, { data, errors }] of answers.entries()) {
    const fails = [3, 9].includes(index);
    expect(errors?.[0].extensions.code).toBe(fails ? 'INTERNAL_SERVER_ERROR' : undefined);
    if (!fails) expect(data.updateAccount.account.version).toBe(2);
    expect(entities.get(`E${index}`).name).toBe(fails ? 'As it was' : 'New name');
  }
});

it('writes the other updates if the lock of one account times out', async () => {
  const client = await tenantWith('account');
  const impatient = openImpatientApp(service);
  const through = clientThrough(impatient, client);
  await service.database.orm.transaction(async (tx) => {
    await tx.execute(sql`select from accounts where tenant_id = ${client.tenantId} and id = 'E3' for update`);
    const answers = await Promise.all(
      indexes.map((index) => sendMutation(through, 'updateAccount', { id: `E${index}`, name: 'New name' })),
    );
    for (const [index, { data, errors }] of answers.entries()) {
      if (index === 3) expect(errors[0].extensions.code).toBe('SERVICE_UNAVAILABLE');
      else expect(data.updateAccount.account.version).toBe(2);
    }
  });
  await impatient.close();
});

it('locks rows in the order of their ids, so that statements do not deadlock', async () => {
  const client = await tenantWith('account');
  const free = (ids: string, how: string) =>
    sql.raw(
      `select id from accounts where tenant_id = ${client.tenantId} and id in (${ids}) for update ${how}`,
    );
  const { orm } = service.database;
  const answers = await orm.transaction(async (tx) => {
    await tx.execute(free(`'E1', 'E8', 'E9'`, ''));
    const sent: Promise<Json>[] = [];
    const send = (id: string) => sent.push(update(client, { id, name: 'New name' }));
    // Two statements wait alone. The others share a statement.
    for (const id of ['E8', 'E9']) {
      const count = send(id);
      await expect.poll(() => waitingStatements(service)).toBe(count);
    }
    for (const id of ['E2', 'E1', 'E0']) send(id);
    await expect.poll(() => orm.execute(free(`'E0'`, 'skip locked')), { timeout: 10_000 }).toEqual([]);
    expect(await tx.execute(free(`'E2'`, 'nowait'))).toHaveLength(1);
    return sent;
  });
  for (const { account } of await Promise.all(answers)) expect(account.version).toBe(2);
});
