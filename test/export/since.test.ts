import { sql } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import type { Database } from '../../src/db/client.ts';
import { idsOf, linesOf, readRecords, useExports } from '../support/exports.ts';
import { createAccount, setting, tenantWithEverything } from '../support/fixtures.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const exports = useExports(service);

const since = (client: Client, position: string, options: object = {}) =>
  exports.records(client, { ...options, since: position });

/** Opens a transaction that renames an account, until it is released. */
async function openRename({ tenantId }: Client, id: string, version: number) {
  let [release, hold] = [(): void => undefined, (): void => undefined];
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const held = new Promise<void>((resolve) => {
    hold = resolve;
  });
  const committed = service.database.orm.transaction(async (tx) => {
    await tx.execute(
      sql`update accounts set name = 'Late', version = ${version} where tenant_id = ${tenantId} and id = ${id}`,
    );
    await tx.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      values (${tenantId}, uuidv7(), 'C1', ${id}, 'ACCOUNT_UPDATED', now(), 'key_x', 'r', ${version})`);
    hold();
    await released;
  });
  await held;
  return async () => {
    release();
    await committed;
  };
}

describe('exportRecords since a position', () => {
  it('has the entities with a later change, once and as they are, in the order of their creation', async () => {
    const client = await tenantWithEverything(service);
    const { position } = await exports.records(client);
    expect((await since(client, position)).text).toBe('');
    await mutate(client, 'transferAlias', { alias: 'z', toAccountId: 'A1' });
    await mutate(client, 'putSettings', { customerId: 'C5', settings: [setting('s')] });
    await createAccount(client, { id: 'A5', customerId: 'C2' });
    for (const name of ['One', 'Two']) await mutate(client, 'updateCustomer', { id: 'C2', name });
    await mutate(client, 'updateAccount', { id: 'A2', name: 'Last' });
    const changed = await since(client, position);
    expect(idsOf(changed)).toEqual(['C2', 'C5', 'A1', 'A2', 'A5']);
    expect(changed).toMatchObject({ customers: 2, accounts: 3 });
    const whole = (await exports.records(client)).text.split('\n');
    expect(changed.text.split('\n').every((line) => whole.includes(line))).toBe(true);
    expect((await since(client, changed.position)).text).toBe('');
    expect(idsOf(await since(client, position, { type: 'account' }))).toEqual(['A1', 'A2', 'A5']);
  });

  it('includes what was archived, unless the export is portable', async () => {
    const client = await tenantWithEverything(service);
    const { position } = await exports.records(client, { portable: true });
    await mutate(client, 'archiveAccount', { id: 'A1' });
    await mutate(client, 'archiveCustomer', { id: 'C5' });
    await mutate(client, 'updateAccount', { id: 'A2', name: 'Renamed' });
    expect(linesOf(await since(client, position)).map(({ id, status }) => [id, status])).toEqual([
      ['C5', 'ARCHIVED'],
      ['A1', 'ARCHIVED'],
      ['A2', 'ACTIVE'],
    ]);
    expect(idsOf(await since(client, position, { portable: true }))).toEqual(['A2']);
  });

  it('has everything since the position of an empty feed', async () => {
    const client = await service.newTenant();
    const { position } = await exports.records(client);
    const document =
      'mutation($input: CreateCustomerInput!) { createCustomer(input: $input) { __typename } }';
    const input = {
      id: 'C1',
      name: 'Acme',
      primaryEmail: 'a@b.co',
      address: { country: 'US' },
      account: { id: 'A1', name: 'First' },
    };
    await client.send(document, { input });
    expect(idsOf(await since(client, position))).toEqual(['C1', 'A1']);
  });

  it('misses no transaction that commits after the export', async () => {
    const client = await tenantWithEverything(service);
    const commit = await openRename(client, 'A2', 2);
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Earlier' });
    const exported = await exports.records(client);
    await commit();
    expect(linesOf(exported).map(({ name }: Json) => name)).not.toContain('Late');
    expect(linesOf(await since(client, exported.position))).toMatchObject([{ id: 'A2', name: 'Late' }]);
  });

  it('repeats an entity that changed between the append and the snapshot', async () => {
    const client = await tenantWithEverything(service);
    const { position } = await exports.records(client);
    const database: Database = {
      ...exports.database,
      async snapshot(work) {
        await mutate(client, 'transferAlias', { alias: 'z', toAccountId: 'A1' });
        return exports.database.snapshot(work);
      },
    };
    const exported = await readRecords({ database, tenantId: client.tenantId }, { since: position });
    expect(idsOf(exported)).toEqual(['A1', 'A2']);
    const next = await since(client, exported.position);
    expect(next.text).toBe(exported.text);
    expect((await since(client, next.position)).text).toBe('');
  });

  it('goes through pages without a changed entity', async () => {
    const client = await tenantWithEverything(service);
    await service.database.orm.execute(sql`
      insert into accounts (tenant_id, id, node_id, customer_id, name, status, tags, metadata, version, created_at, updated_at)
      select ${client.tenantId}, 'B' || n, uuidv7(), 'C1', 'B', 'ACTIVE', '{}', '{}', 1, now(), now() from generate_series(1, 600) n`);
    await service.database.orm.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${client.tenantId}, uuidv7(), 'C1', 'B' || n, 'ACCOUNT_CREATED', now(), 'key_x', 'r', 1 from generate_series(1, 600) n`);
    const { position, accounts } = await exports.records(client);
    expect(accounts).toBe(604);
    await createAccount(client, { id: 'last' });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'First' });
    expect(idsOf(await since(client, position))).toEqual(['A1', 'last']);
  });

  it('refuses a position of another tenant, and what is none', async () => {
    const client = await tenantWithEverything(service);
    const other = await exports.records(await tenantWithEverything(service));
    for (const wrong of [other.position, '', 'x']) {
      const refusal = { code: 'INVALID_INPUT', issues: [{ path: ['since'], code: 'INVALID_VALUE' }] };
      await expect(since(client, wrong)).rejects.toMatchObject(refusal);
      await expect(exports.history(client, wrong)).rejects.toMatchObject(refusal);
    }
  });
});
