import { createHash, createHmac, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { newUuid, toTypeId } from '../../src/lib/id.ts';
import { scopes } from '../../src/lib/scope.ts';
import { createKey, revokeKeysNamed } from '../../src/tenant/write.ts';
import { statusOf, withReplica } from '../support/replica.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { clientThrough, type Service, sessionKey, useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

const dayS = 24 * 60 * 60;
const tenYearsS = 3650 * dayS;
const nowS = () => Math.floor(Date.now() / 1000);
const asToken = (token: string) => ({ authorization: `Bearer ${token}` });
const newSecret = () => createSecretKey(randomBytes(32));

async function newClient(): Promise<RestClient> {
  return rest.of(await service.newTenant());
}

async function sessionOf(client: RestClient): Promise<string> {
  const { status, body } = await client.send('POST', '/authenticate');
  expect(status).toBe(200);
  return body.token;
}

async function expectUnauthenticated(client: RestClient, token: string): Promise<void> {
  expectRefusal(await client.get('/accounts', asToken(token)), 401, 'UNAUTHENTICATED');
  expect(await statusOf(token, service)).toBe(401);
}

function sign(claims: JWTPayload, alg = 'HS256', key: KeyObject = sessionKey): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg }).sign(key);
}

/** Returns the claims of a newly issued token. */
async function newClaims(client: RestClient): Promise<JWTPayload & { iat: number; exp: number }> {
  const { iat = 0, exp = 0, ...claims } = decodeJwt(await sessionOf(client));
  return { ...claims, iat, exp };
}

describe('POST /authenticate', () => {
  it('exchanges an API key for a JWT of 24 hours with the scopes of the key, over REST and GraphQL', async () => {
    const client = await newClient();
    const token = await sessionOf(client);
    expect(decodeProtectedHeader(token)).toEqual({ alg: 'HS256' });
    const { iat = 0, exp = 0 } = decodeJwt(token);
    expect(exp - iat).toBe(dayS);
    expect((await client.get('/accounts', asToken(token))).status).toBe(200);
    const { data } = await client.graphql.send('{ viewer { keyName scopes expiresAt } }', {}, asToken(token));
    const { data: own } = await client.graphql.send('{ viewer { keyName scopes } }');
    const expiresAt = new Date(exp * 1000).toISOString();
    expect(data.viewer).toEqual({ ...own.viewer, expiresAt });
  });

  it('returns a session JWT unchanged, without a body and for every content type', async () => {
    const client = await newClient();
    const token = await sessionOf(client);
    for (const type of [{}, { 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
      const headers = { ...asToken(token), ...type };
      expect((await client.send('POST', '/authenticate', { headers })).body).toEqual({ token });
    }
  });

  it('issues a JWT that expires no later than its API key and lacks the scopes that the key lacks', async () => {
    const owner = await service.newTenant();
    const expiresAt = new Date(Date.now() + 60_000);
    const key = await createKey(service.database, owner.tenantId, 'short', ['accounts:read'], expiresAt);
    const client = rest.of({ ...owner, token: key.token });
    const token = await sessionOf(client);
    expect(decodeJwt(token).exp).toBe(Math.floor(expiresAt.getTime() / 1000));
    expectRefusal(await client.get('/customers', asToken(token)), 403, 'FORBIDDEN');
  });
});

describe('a service without a session key', () => {
  const keyless = useService({ sessionKeys: [] });
  const keylessRest = useRest(keyless);

  it('returns 503 without Retry-After for POST /authenticate, and accepts API keys elsewhere', async () => {
    const client = keylessRest.of(await keyless.newTenant());
    const refused = await client.send('POST', '/authenticate');
    expectRefusal(refused, 503, 'SERVICE_UNAVAILABLE');
    expect(refused.headers.get('retry-after')).toBeNull();
    expect((await client.get('/accounts')).status).toBe(200);
    expect(await statusOf(client.graphql.token, keyless)).toBe(200);
  });

  it('rejects the session tokens of other replicas', async () => {
    const token = await sessionOf(await newClient());
    await withReplica(service, async (replica) => expect(await statusOf(token, replica)).toBe(401), {
      sessionKeys: [],
    });
  });
});

describe('a session token', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it('is accepted by every replica', async () => {
    const token = await sessionOf(await newClient());
    await withReplica(service, async (replica) => expect(await statusOf(token, replica)).toBe(200));
  });

  it('ends when its API key is revoked', async () => {
    const client = await newClient();
    const token = await sessionOf(client);
    await revokeKeysNamed(service.database, client.graphql.tenantId, 'test');
    await withReplica(service, async (replica) => expect(await statusOf(token, replica)).toBe(401));
  });

  it('ends with its API key even if the token says otherwise', async () => {
    const { tenantId } = await service.newTenant();
    const now = new Date('2031-05-06T07:08:09.000Z');
    vi.useFakeTimers({ toFake: ['Date'], now });
    const end = new Date(now.getTime() + 3_000);
    const { id } = await createKey(service.database, tenantId, 'brief', scopes, end);
    const client = await newClient();
    const token = await sign({ ...(await newClaims(client)), sub: id });
    expect(await statusOf(token, service)).toBe(200);
    vi.setSystemTime(end);
    expect(await statusOf(token, service)).toBe(401);
  });

  it('ends to the second when it expires', async () => {
    const client = await newClient();
    const { exp, ...claims } = await newClaims(client);
    const token = await sign({ ...claims, exp });
    vi.useFakeTimers({ toFake: ['Date'], now: exp * 1000 - 1 });
    expect(await statusOf(token, service)).toBe(200);
    vi.setSystemTime(exp * 1000);
    expect(await statusOf(token, service)).toBe(401);
  });

  it('opens only the tenant of its API key', async () => {
    const [client, other] = [await newClient(), await newClient()];
    const document = '{ viewer { tenant { name } } }';
    const { data } = await other.graphql.send(document, {}, asToken(await sessionOf(client)));
    expect(data).toEqual((await client.graphql.send(document)).data);
  });
});

/** Returns the stored hash of a tenant's API key. */
async function storedHash({ database }: Service, tenantId: number): Promise<Buffer> {
  const [row] = await database.orm.execute<{ hash: string }>(
    sql`select encode(token_hash, 'hex') as hash from api_keys where tenant_id = ${tenantId}`,
  );
  return Buffer.from(row?.hash ?? '', 'hex');
}

describe('a forged session token', () => {
  it('is rejected if it is signed with a key derived from `api_keys.token_hash`', async () => {
    const client = await newClient();
    const claims = await newClaims(client);
    const hash = await storedHash(service, client.graphql.tenantId);
    expect(hash).toEqual(createHash('sha256').update(client.graphql.token).digest());
    const derived = createHmac('sha256', hash).update('accountgraph session token').digest();
    const secrets = [derived, hash, Buffer.from(hash.toString('hex')), Buffer.from(hash.toString('base64'))];
    for (const secret of secrets) {
      await expectUnauthenticated(client, await sign(claims, 'HS256', createSecretKey(secret)));
    }
  });

  it('is rejected if it was issued by an earlier version', async () => {
    const client = await newClient();
    const { sub: actor = '' } = await newClaims(client);
    const hash = await storedHash(service, client.graphql.tenantId);
    for (const lifeS of [dayS, tenYearsS]) {
      const token = new SignJWT()
        .setProtectedHeader({ alg: 'HS256', kid: actor })
        .setIssuer('accountgraph')
        .setSubject(actor)
        .setIssuedAt()
        .setExpirationTime(nowS() + lifeS)
        .sign(createHmac('sha256', hash).update('accountgraph session token').digest());
      await expectUnauthenticated(client, await token);
    }
  });

  it('is rejected if its header, claims or signature are changed', async () => {
    const client = await newClient();
    const token = await sessionOf(client);
    const [header = '', claims = '', signature = ''] = token.split('.');
    const later = { ...decodeJwt(token), exp: nowS() + tenYearsS };
    const laterText = Buffer.from(JSON.stringify(later)).toString('base64url');
    const changed = [
      `${header}.${laterText}.${signature}`,
      `${header}.${claims}.`,
      `${header}.${claims}.${signature.slice(0, -2)}AA`,
      `${header}.${claims}.${'A'.repeat(43)}`,
    ];
    for (const one of changed) await expectUnauthenticated(client, one);
  });

  it('is rejected with every algorithm but HS256, even if it is signed with the right key', async () => {
    const client = await newClient();
    const claims = await newClaims(client);
    expect(await statusOf(await sign(claims), service)).toBe(200);
    const unsecured = new UnsecuredJWT(claims).encode();
    const [, signature] = /\.([^.]+)$/.exec(await sign(claims)) ?? [];
    const others = [await sign(claims, 'HS384'), await sign(claims, 'HS512')];
    for (const one of [...others, unsecured, `${unsecured}${signature}`]) {
      await expectUnauthenticated(client, one);
    }
  });
});

describe('a session token signed with the right key', () => {
  type Claims = JWTPayload & { iat: number; exp: number };

  it.each<[string, (claims: Claims) => JWTPayload]>([
    ['a ten-year expiry', (claims) => ({ ...claims, exp: claims.iat + tenYearsS })],
    ['a lifetime of 24 hours and a second', (claims) => ({ ...claims, exp: claims.iat + dayS + 1 })],
    [
      'a lifetime of 25 hours that began an hour ago',
      ({ iat, exp, ...claims }) => ({ ...claims, iat: iat - 3600, exp }),
    ],
    [
      'an expiry beyond the range of dates',
      (claims) => ({ ...claims, iat: Number.MAX_VALUE, exp: Number.MAX_VALUE }),
    ],
    ['a start in the future', (claims) => ({ ...claims, iat: claims.iat + 60, exp: claims.exp + 60 - 3600 })],
    [
      'a lifetime in ten years',
      ({ iat, exp, ...rest }) => ({ ...rest, iat: iat + tenYearsS, exp: exp + tenYearsS }),
    ],
    ['a past expiry', (claims) => ({ ...claims, iat: claims.iat - dayS, exp: claims.iat - 1 })],
    ['no expiry', ({ exp: _, ...claims }) => claims],
    ['no start', ({ iat: _, ...claims }) => claims],
    ['another issuer', (claims) => ({ ...claims, iss: 'elsewhere' })],
    ['no issuer', ({ iss: _, ...claims }) => claims],
    ['another audience', (claims) => ({ ...claims, aud: 'accountgraph' })],
    ['no audience', ({ aud: _, ...claims }) => claims],
    ['no subject', ({ sub: _, ...claims }) => claims],
    ['an API key that does not exist', (claims) => ({ ...claims, sub: toTypeId('ApiKey', newUuid()) })],
    ['a subject that is not an API key', (claims) => ({ ...claims, sub: toTypeId('Account', newUuid()) })],
  ])('is rejected with %s', async (_, change) => {
    const client = await newClient();
    const claims = await newClaims(client);
    await expectUnauthenticated(client, await sign(change(claims) as JWTPayload));
    expect(await statusOf(await sign(claims), service)).toBe(200);
  });

  it('is accepted from a replica whose clock is some seconds ahead', async () => {
    const { iat, exp, ...claims } = await newClaims(await newClient());
    expect(await statusOf(await sign({ ...claims, iat: iat + 10, exp: exp + 10 }), service)).toBe(200);
  });
});

describe('key rotation', () => {
  it('accepts tokens of the old key until the key is removed, and signs with the first key', async () => {
    const client = await newClient();
    const oldToken = await sessionOf(client);
    const newKey = newSecret();
    const newToken = await withReplica(
      service,
      async (replica) => {
        expect(await statusOf(oldToken, replica)).toBe(200);
        const response = await replica.fetch(
          new Request('http://localhost/authenticate', {
            method: 'POST',
            headers: asToken(client.graphql.token),
          }),
        );
        return ((await response.json()) as { token: string }).token;
      },
      { sessionKeys: [newKey, sessionKey] },
    );
    await withReplica(
      service,
      async (replica) => {
        expect(await statusOf(newToken, replica)).toBe(200);
        expect(await statusOf(oldToken, replica)).toBe(401);
        const { status } = await clientThrough(replica, client.graphql).send('{ viewer { keyName } }');
        expect(status).toBe(200);
      },
      { sessionKeys: [newKey] },
    );
    expect(await statusOf(newToken, service)).toBe(401);
  });
});
