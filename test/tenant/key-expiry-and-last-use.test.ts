import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { scopes } from '../../src/lib/scope.ts';
import { keysOfTenant } from '../../src/tenant/read.ts';
import { createKey } from '../../src/tenant/write.ts';
import { statusOf, withReplica } from '../support/replica.ts';
import { type Client, useService } from '../support/service.ts';

const service = useService();
const start = new Date('2031-05-06T07:08:09.123Z');
const startPlus = (ms: number) => new Date(start.getTime() + ms);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: start });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an API key with an expiry', () => {
  it('is accepted until that instant, even if it is cached', async () => {
    const { tenantId } = await service.newTenant();
    const { token } = await createKey(service.database, tenantId, 'brief', scopes, startPlus(3_000));
    expect(await statusOf(token, service)).toBe(200);
    vi.setSystemTime(startPlus(2_999));
    expect(await statusOf(token, service)).toBe(200);
    vi.setSystemTime(startPlus(3_000));
    expect(await statusOf(token, service)).toBe(401);
    expect(await withReplica(service, (other) => statusOf(token, other))).toBe(401);
  });

  it('returns the expiry in viewer', async () => {
    const client = await service.newTenant();
    const { token } = await createKey(service.database, client.tenantId, 'brief', scopes, startPlus(3_000));
    const document = '{ viewer { keyName expiresAt } }';
    const { data } = await client.send(document, {}, { authorization: `Bearer ${token}` });
    expect(data.viewer).toEqual({ keyName: 'brief', expiresAt: '2031-05-06T07:08:12.123Z' });
    expect((await client.send(document)).data.viewer.expiresAt).toBeNull();
  });
});

describe('the last use of an API key', () => {
  const lastUse = async ({ tenantId }: Client) => {
    const [key] = await service.database.run(keysOfTenant, { tenantId });
    return key?.lastUsedAt;
  };
  /** Uses the key on a replica, which writes the last use when it closes. */
  const useOnce = async ({ token }: Client, status = 200) =>
    expect(await withReplica(service, (replica) => statusOf(token, replica))).toBe(status);

  it('is written at most once a minute', async () => {
    const client = await service.newTenant();
    expect(await lastUse(client)).toBeNull();
    await useOnce(client);
    expect(await lastUse(client)).toEqual(start);
    vi.setSystemTime(startPlus(59_999));
    await useOnce(client);
    expect(await lastUse(client)).toEqual(start);
    vi.setSystemTime(startPlus(60_000));
    await useOnce(client);
    expect(await lastUse(client)).toEqual(startPlus(60_000));
  });

  it('is written while the replica is running', async () => {
    const client = await service.newTenant();
    expect(await statusOf(client.token, service)).toBe(200);
    await expect.poll(() => lastUse(client), { timeout: 10_000 }).toBeInstanceOf(Date);
  });

  it('is not written for a rejected key', async () => {
    const client = await service.newTenant();
    await service.database.orm.execute(
      sql`update api_keys set expires_at = ${start.toISOString()} where tenant_id = ${client.tenantId}`,
    );
    await useOnce(client, 401);
    expect(await lastUse(client)).toBeNull();
  });

  it('fails no request if it cannot be written', async () => {
    const client = await service.newTenant();
    await service.database.orm.execute(
      sql.raw(`
      create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;
      create trigger refuse before update on api_keys for each row execute function refuse()`),
    );
    try {
      await useOnce(client);
      await useOnce(client);
    } finally {
      await service.database.orm.execute(sql`drop trigger refuse on api_keys`);
    }
    expect(await lastUse(client)).toBeNull();
  });
});
