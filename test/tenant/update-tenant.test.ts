import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { waitingStatements } from '../support/database.ts';
import { atOnce } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';
import { readTenant, tryUpdateTenant, updateTenant } from '../support/tenants.ts';

const service = useService();
let client: Client;
const newName = () => `n-${randomUUID().slice(0, 8)}`;

beforeEach(async () => {
  client = await service.newTenant({ baseCurrency: 'USD', netTermDays: 30 });
});

describe('updateTenant', () => {
  it('changes the fields, and records who changed them and all fields before and after', async () => {
    const before = await readTenant(client);
    expect(before).toMatchObject({ version: 1, updatedAt: before.createdAt, history: [] });
    const input = { name: newName(), baseCurrency: 'EUR', netTermDays: 45 };
    const result = await tryUpdateTenant(client, input, { 'x-request-id': 'req-1' });
    expect(result).toMatchObject({ __typename: 'UpdateTenantSuccess', replayed: false });
    const { history, ...tenant } = await readTenant(client);
    expect(tenant).toEqual({ ...input, version: 2, createdAt: before.createdAt, updatedAt: history[0].at });
    expect(result.tenant).toEqual(tenant);
    expect(Date.parse(tenant.updatedAt)).toBeGreaterThanOrEqual(Date.parse(tenant.createdAt));
    expect(history).toEqual([
      {
        version: 2,
        at: tenant.updatedAt,
        actor: expect.stringMatching(/^key_0[0-9a-z]{25}$/),
        requestId: 'req-1',
        before: { name: before.name, baseCurrency: 'USD', netTermDays: 30 },
        after: input,
      },
    ]);
  });

  it('keeps absent fields, so that the history has every state since the creation, newest first', async () => {
    const { name } = await readTenant(client);
    await updateTenant(client, { netTermDays: 7 });
    await updateTenant(client, { baseCurrency: 'JPY' });
    const states = [
      { name, baseCurrency: 'JPY', netTermDays: 7 },
      { name, baseCurrency: 'USD', netTermDays: 7 },
      { name, baseCurrency: 'USD', netTermDays: 30 },
    ];
    const { history } = await readTenant(client);
    expect(history.map(({ version, before, after }: Json) => [version, before, after])).toEqual([
      [3, states[1], states[0]],
      [2, states[2], states[1]],
    ]);
  });

  it.each([
    ['null for the name', { name: null }, 'name', 'REQUIRED'],
    ['null for the currency', { baseCurrency: null }, 'baseCurrency', 'REQUIRED'],
    ['null for the net terms', { netTermDays: null }, 'netTermDays', 'REQUIRED'],
    ['a name in upper case', { name: 'Acme' }, 'name', 'INVALID_FORMAT'],
    ['a withdrawn currency', { baseCurrency: 'DEM' }, 'baseCurrency', 'INVALID_VALUE'],
    ['366 days', { netTermDays: 366 }, 'netTermDays', 'TOO_LARGE'],
    ['the version 0', { expectedVersion: 0 }, 'expectedVersion', 'TOO_SMALL'],
    ['an empty idempotency key', { idempotencyKey: '' }, 'idempotencyKey', 'INVALID_FORMAT'],
  ])('refuses %s', async (_, input, field, code) => {
    const issues = [{ path: [field], code, message: expect.stringMatching(/^must /) }];
    expect(await tryUpdateTenant(client, input)).toMatchObject({ code: 'INVALID_INPUT', issues });
    expect(await readTenant(client)).toMatchObject({ version: 1, history: [] });
  });

  it.each([
    ['no fields', {}],
    ['equal fields', { baseCurrency: 'USD', netTermDays: 30 }],
  ])('keeps version, updatedAt and history for %s', async (_, input) => {
    const before = await readTenant(client);
    expect(await tryUpdateTenant(client, input)).toMatchObject({ replayed: false, tenant: { version: 1 } });
    expect(await readTenant(client)).toEqual(before);
    const refused = await tryUpdateTenant(client, { ...input, expectedVersion: 2 });
    expect(refused).toMatchObject({ code: 'VERSION_CONFLICT', currentVersion: 1 });
  });

  it('refuses a change of another version than the expected one', async () => {
    await updateTenant(client, { netTermDays: 7, expectedVersion: 1 });
    const refused = await tryUpdateTenant(client, { netTermDays: 8, expectedVersion: 1 });
    expect(refused).toMatchObject({ code: 'VERSION_CONFLICT', currentVersion: 2 });
    expect(await readTenant(client)).toMatchObject({ version: 2, netTermDays: 7 });
  });

  it('applies concurrent changes one after another', async () => {
    await atOnce(20, (runner) => updateTenant(client, { netTermDays: 100 + runner }));
    const { history, version, netTermDays } = await readTenant(client);
    expect(version).toBe(21);
    expect(history.map((change: Json) => change.version)).toEqual(
      Array.from({ length: 20 }, (_, index) => 21 - index),
    );
    expect(history[0].after.netTermDays).toBe(netTermDays);
    history.slice(1).forEach((change: Json, index: number) => {
      expect(history[index].before).toEqual(change.after);
    });
  });

  it('changes no other tenant', async () => {
    const other = await service.newTenant();
    const before = await readTenant(other);
    await updateTenant(client, { netTermDays: 7 });
    expect(await readTenant(other)).toEqual(before);
  });
});

describe('updateTenant with a name', () => {
  it('refuses that of another tenant, and returns nothing else about it', async () => {
    const other = await service.newTenant();
    const { name } = await readTenant(other);
    expect(await tryUpdateTenant(client, { name, netTermDays: 7 })).toEqual({
      __typename: 'NameTakenError',
      code: 'NAME_TAKEN',
      message: `The name "${name}" is or was that of another tenant. Use another name.`,
      name,
    });
    expect(await readTenant(client)).toMatchObject({ version: 1, netTermDays: 30, history: [] });
    expect(await readTenant(other)).toMatchObject({ name, version: 1 });
  });

  it('refuses the former name of another tenant, but not its own', async () => {
    const { name } = await readTenant(client);
    await updateTenant(client, { name: newName() });
    const other = await service.newTenant();
    expect(await tryUpdateTenant(other, { name })).toMatchObject({ code: 'NAME_TAKEN', name });
    expect(await readTenant(other)).toMatchObject({ version: 1, history: [] });
    expect(await updateTenant(client, { name })).toMatchObject({ name, version: 3 });
  });

  it('gives a free name to one of several tenants that request it at once', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => service.newTenant()));
    const name = newName();
    const results = await Promise.all(clients.map((each) => tryUpdateTenant(each, { name })));
    expect(results.map(({ code = 'accepted' }) => code).toSorted()).toEqual([
      ...Array(4).fill('NAME_TAKEN'),
      'accepted',
    ]);
  });

  it('gives a name to no other tenant while its tenant gives it up', async () => {
    const other = await service.newTenant();
    const { name } = await readTenant(client);
    const { tenantId } = client;
    const requested = await service.database.orm.transaction(async (tx) => {
      await tx.execute(sql`update tenants set name = ${newName()}, version = 2 where id = ${tenantId}`);
      await tx.execute(sql`insert into tenant_changes (tenant_id, version, at, actor, request_id, before, after)
        values (${tenantId}, 2, now(), 'key_x', 'r', ${JSON.stringify({ name })}::jsonb, '{}')`);
      const result = tryUpdateTenant(other, { name });
      await vi.waitFor(async () => expect(await waitingStatements(service)).toBe(1), 20_000);
      return { result };
    });
    expect(await requested.result).toMatchObject({ code: 'NAME_TAKEN', name });
  });
});

describe('updateTenant with an idempotency key', () => {
  it('returns the first result again and writes nothing', async () => {
    const input = { netTermDays: 7, idempotencyKey: 'k' };
    const first = await tryUpdateTenant(client, input);
    await updateTenant(client, { netTermDays: 8 });
    const before = await readTenant(client);
    expect(await tryUpdateTenant(client, input)).toEqual({ ...first, replayed: true });
    expect(await readTenant(client)).toEqual(before);
    const other = await tryUpdateTenant(client, { netTermDays: 9, idempotencyKey: 'k' });
    expect(other).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  it('does not use the key for a refused input', async () => {
    const { name } = await readTenant(await service.newTenant());
    await tryUpdateTenant(client, { name, idempotencyKey: 'k' });
    const result = await tryUpdateTenant(client, { netTermDays: 7, idempotencyKey: 'k' });
    expect(result).toMatchObject({ replayed: false, tenant: { netTermDays: 7 } });
  });

  it('writes once for equal requests at once', async () => {
    const results = await atOnce(10, () => tryUpdateTenant(client, { netTermDays: 7, idempotencyKey: 'k' }));
    expect(results.filter(({ replayed }) => replayed === false)).toHaveLength(1);
    const others = results.filter(({ replayed }) => replayed !== false);
    expect(others.every(({ replayed, code }) => replayed || code === 'IDEMPOTENCY_IN_PROGRESS')).toBe(true);
    expect(await readTenant(client)).toMatchObject({ version: 2 });
  });
});

describe('Tenant.history', () => {
  it('requires keys:manage, and the other fields do not', async () => {
    const key = await service.newKey(client, ['accounts:read']);
    const plain = await key.send('{ viewer { tenant { name version createdAt updatedAt } } }');
    expect(plain.errors).toBeUndefined();
    const { data, errors } = await key.send('{ viewer { tenant { history { totalCount } } } }');
    expect(data).toBeNull();
    expect(errors).toMatchObject([
      { path: ['viewer', 'tenant', 'history'], extensions: { code: 'FORBIDDEN', scope: 'keys:manage' } },
    ]);
  });

  it.each([
    ['update', sql`update tenant_changes set actor = 'nobody'`],
    ['delete', sql`delete from tenant_changes`],
    ['truncate', sql`truncate tenant_changes`],
  ])('cannot be rewritten by %s', async (_, statement) => {
    await updateTenant(client, { netTermDays: 7 });
    const before = await readTenant(client);
    await expect(service.database.orm.execute(statement)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('append-only') },
    });
    expect(await readTenant(client)).toEqual(before);
  });
});
