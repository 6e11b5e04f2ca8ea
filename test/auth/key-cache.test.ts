import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthenticator } from '../../src/auth/authenticate.ts';
import { createLookUp } from '../../src/auth/cached-lookup.ts';
import { createKey, revokeKey } from '../../src/tenant/write.ts';
import { statusOf as statusAt, withReplica } from '../support/replica.ts';
import { useService } from '../support/service.ts';

const service = useService();

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Advances the fake clock. */
const pass = (ms: number) => vi.setSystemTime(Date.now() + ms);

const statusOf = (token: string, at: Parameters<typeof statusAt>[1] = service) => statusAt(token, at);

const lookUps = async (work: () => Promise<unknown>): Promise<number> =>
  (await service.statements(work)).filter((text) => text.includes('from "api_keys"')).length;

const randomToken = () => `agk_${randomBytes(24).toString('base64url')}`;

describe('a cached API key', () => {
  it('runs no statement for further requests', async () => {
    const { token } = await service.newTenant();
    expect(await statusOf(token)).toBe(200);
    const texts = await service.statements(async () => {
      for (let count = 0; count < 5; count += 1) expect(await statusOf(token)).toBe(200);
    });
    expect(texts).toEqual([]);
  });

  it('is looked up again after 4 seconds and if the clock is set back', async () => {
    const { token } = await service.newTenant();
    await statusOf(token);
    pass(3_999);
    expect(await lookUps(() => statusOf(token))).toBe(0);
    pass(1);
    expect(await lookUps(() => statusOf(token))).toBe(1);
    pass(-60_000);
    expect(await lookUps(() => statusOf(token))).toBe(1);
  });

  it('is rejected by every replica within 5 seconds of its revocation', async () => {
    const client = await service.newTenant();
    const { id, token } = await createKey(service.database, client.tenantId, 'other');
    await withReplica(service, async (other) => {
      const statuses = () => Promise.all([statusOf(token), statusOf(token, other)]);
      expect(await statuses()).toEqual([200, 200]);
      await revokeKey(service.database, id);
      pass(5_000);
      expect(await statuses()).toEqual([401, 401]);
    });
    expect(await statusOf(client.token)).toBe(200);
  });
});

describe('the lookup of concurrent API keys', () => {
  it('runs at most two statements for concurrent requests of one key', async () => {
    const { token } = await service.newTenant();
    const requests = () => Promise.all(Array.from({ length: 20 }, () => statusOf(token)));
    const count = await lookUps(async () => expect(new Set(await requests())).toEqual(new Set([200])));
    expect(count).toBeLessThanOrEqual(2);
  });

  it('runs few statements for many keys', async () => {
    const good = await Promise.all(Array.from({ length: 3 }, () => service.newTenant()));
    const tokens = [...Array.from({ length: 200 }, randomToken), ...good.map(({ token }) => token)];
    const authenticate = createAuthenticator({ database: service.database });
    const count = await lookUps(async () => {
      const viewers = await Promise.all(tokens.map((token) => authenticate(`Bearer ${token}`)));
      expect(viewers.map((viewer) => viewer?.tenant.id)).toEqual([
        ...Array(200).fill(undefined),
        ...good.map(({ tenantId }) => tenantId),
      ]);
    });
    expect(count).toBeLessThanOrEqual(10);
  });
});

describe('the cache of API keys', () => {
  it('does not store unknown keys, so that a new key is accepted immediately', async () => {
    const client = await service.newTenant();
    const { token } = await createKey(service.database, client.tenantId, 'late');
    const { orm } = service.database;
    const swap = () =>
      orm.execute(
        sql`update api_keys set token_hash = set_byte(token_hash, 0, 255 - get_byte(token_hash, 0)) where name = 'late'`,
      );
    await swap();
    expect(await statusOf(token)).toBe(401);
    await swap();
    expect(await statusOf(token)).toBe(200);
  });

  it('does not store failures of the database', async () => {
    const { token } = await service.newTenant();
    const { orm } = service.database;
    await orm.execute(sql`alter table api_keys rename to api_keys_away`);
    try {
      expect(await statusOf(token)).toBeGreaterThanOrEqual(500);
    } finally {
      await orm.execute(sql`alter table api_keys_away rename to api_keys`);
    }
    expect(await statusOf(token)).toBe(200);
  });

  it('does not evict known keys for unknown ones', async () => {
    const asked: string[] = [];
    const lookUp = createLookUp(async (keys) => {
      asked.push(...keys);
      return keys.map((key) => (key === 'good' ? { name: key } : undefined));
    });
    expect(await lookUp('good')).toEqual({ name: 'good' });
    await Promise.all(Array.from({ length: 20_000 }, (_, index) => lookUp(`bad ${index}`)));
    expect(await lookUp('good')).toEqual({ name: 'good' });
    expect(asked.filter((key) => key === 'good')).toHaveLength(1);
    expect(asked).toHaveLength(20_001);
  });
});
