import { createHmac } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from 'jose';
import { expect, it } from 'vitest';
import { createKey, revokeKeysNamed } from '../../src/tenant/write.ts';
import { statusOf, withReplica } from '../support/replica.ts';
import { expectRefusal, type RestClient, useRest } from '../support/rest.ts';
import { useService } from '../support/service.ts';

const service = useService();
const rest = useRest(service);

async function sessionOf(client: RestClient): Promise<string> {
  const { status, body } = await client.send('POST', '/authenticate');
  expect(status).toBe(200);
  return body.token;
}

const asToken = (token: string) => ({ authorization: `Bearer ${token}` });
const dayS = 24 * 60 * 60;

it('an API key gets a JWT for 24 hours, which may do what the key may, on both ways in', async () => {
  const client = rest.of(await service.newTenant());
  const token = await sessionOf(client);
  const { iat = 0, exp = 0 } = decodeJwt(token);
  expect(exp - iat).toBe(dayS);
  expect((await client.get('/accounts', asToken(token))).status).toBe(200);
  const { data } = await client.graphql.send('{ viewer { keyName scopes expiresAt } }', {}, asToken(token));
  const { data: own } = await client.graphql.send('{ viewer { keyName scopes } }');
  const expiresAt = new Date(exp * 1000).toISOString();
  expect(data.viewer).toEqual({ ...own.viewer, expiresAt });
});

it('a JWT gets itself back, without a body and whatever its type', async () => {
  const client = rest.of(await service.newTenant());
  const token = await sessionOf(client);
  for (const type of [{}, { 'content-type': 'application/json' }, { 'content-type': 'text/plain' }]) {
    const { body } = await client.send('POST', '/authenticate', { headers: { ...asToken(token), ...type } });
    expect(body).toEqual({ token });
  }
});

it('every replica takes it', async () => {
  const client = rest.of(await service.newTenant());
  const token = await sessionOf(client);
  await withReplica(service, async (replica) => {
    expect(await statusOf(token, replica)).toBe(200);
  });
});

it('it ends with its key', async () => {
  const client = rest.of(await service.newTenant());
  const token = await sessionOf(client);
  await revokeKeysNamed(service.database, client.graphql.tenantId, 'test');
  await withReplica(service, async (replica) => {
    expect(await statusOf(token, replica)).toBe(401);
  });
});

it('it is good no longer than its key, and lacks what its key lacks', async () => {
  const owner = await service.newTenant();
  const expiresAt = new Date(Date.now() + 60_000);
  const key = await createKey(service.database, owner.tenantId, 'short', ['accounts:read'], expiresAt);
  const client = rest.of({ ...owner, token: key.token });
  const token = await sessionOf(client);
  expect(decodeJwt(token).exp).toBe(Math.floor(expiresAt.getTime() / 1000));
  expectRefusal(await client.get('/customers', asToken(token)), 403, 'FORBIDDEN');
});

it('nobody else can make one', async () => {
  const client = rest.of(await service.newTenant());
  const token = await sessionOf(client);
  const [header = '', claims = '', signature = ''] = token.split('.');
  const { kid = '' } = decodeProtectedHeader(token);
  const later = Buffer.from(JSON.stringify({ ...decodeJwt(token), exp: 9_999_999_999 })).toString(
    'base64url',
  );
  const forged = new SignJWT()
    .setProtectedHeader({ alg: 'HS256', kid })
    .setIssuer('accountgraph')
    .setExpirationTime('1h');
  const guesses = ['', kid, 'accountgraph', 'accountgraph session token'].map((text) =>
    forged.sign(createHmac('sha256', text).update('').digest()),
  );
  const bad = [
    `${header}.${later}.${signature}`,
    `${header}.${claims}.`,
    `${header}.${claims}.${signature.slice(0, -2)}AA`,
    `${header}.${claims}.${'A'.repeat(43)}`,
    new UnsecuredJWT({}).setIssuer('accountgraph').setExpirationTime('1h').encode(),
    ...(await Promise.all(guesses)),
  ];
  for (const one of bad) {
    expectRefusal(await client.get('/accounts', asToken(one)), 401, 'UNAUTHENTICATED');
  }
});
