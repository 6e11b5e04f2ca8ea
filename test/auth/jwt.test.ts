import { createHmac } from 'node:crypto';
import { exportJWK, exportSPKI, importJWK } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { JwtOptions } from '../../src/auth/jwt.ts';
import { customerInput } from '../support/fixtures.ts';
import { acme, type Key, newKey, openIssuer, sign, withIssuer } from '../support/jwt-issuer.ts';
import { statusOf } from '../support/replica.ts';
import { type App, type Client, clientThrough, type Json, useService } from '../support/service.ts';
import { updateTenant } from '../support/tenants.ts';

const service = useService();

let issuer: Awaited<ReturnType<typeof openIssuer>>;
let key: Key;
let rsa: Key;
let tenant: Client;

beforeAll(async () => {
  issuer = await openIssuer();
  [key, rsa] = [await newKey('one'), await newKey('two', 'RS256')];
  issuer.state.keys = [key, rsa];
  tenant = await service.newTenant({ name: 'acme' });
});
afterAll(() => issuer.close());

/** Runs `work` with a new replica that accepts JWTs and has fetched no keys. */
const withJwts = <T>(work: (app: App) => Promise<T>, changes: Partial<JwtOptions> = {}) =>
  withIssuer(service, work, { keys: { url: issuer.url }, ...changes });

const nowS = () => Math.floor(Date.now() / 1000);

async function ask(app: App, token: string, query: string, variables = {}): Promise<Json> {
  const response = await app.fetch(
    new Request('http://localhost/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    }),
  );
  return response.json();
}

describe('a JWT', () => {
  it('authenticates its subject in its tenant with its scopes', async () => {
    const exp = nowS() + 600;
    const token = await sign(key, acme({ exp }));
    const document = '{ viewer { keyName scopes expiresAt tenant { name } } }';
    const { data } = await withJwts((app) => ask(app, token, document));
    expect(data.viewer).toEqual({
      keyName: 'alice',
      scopes: ['openid', 'customers:write'],
      expiresAt: new Date(exp * 1000).toISOString(),
      tenant: { name: 'acme' },
    });
  });

  it('grants only its scopes', async () => {
    const token = await sign(key, acme());
    const { data, errors } = await withJwts((app) =>
      ask(app, token, '{ customers { totalCount } accounts { totalCount } }'),
    );
    expect(data).toBeNull();
    expect(errors).toMatchObject([
      { path: ['accounts'], extensions: { code: 'FORBIDDEN', scope: 'accounts:read' } },
    ]);
  });

  it('grants nothing without a scope claim', async () => {
    const token = await sign(key, acme({ scope: undefined }));
    const { data } = await withJwts((app) => ask(app, token, '{ viewer { scopes } }'));
    expect(data.viewer.scopes).toEqual([]);
  });

  it('appears in the history by its subject', async () => {
    const subject = `auth0|${'x'.repeat(249)}`;
    const token = await sign(key, acme({ sub: subject }));
    const document = `mutation($input: CreateCustomerInput!) { createCustomer(input: $input) {
      ... on CreateCustomerSuccess { customer { history { nodes { actor } } } } } }`;
    const { data } = await withJwts((app) => ask(app, token, document, { input: customerInput() }));
    expect(data.createCustomer.customer.history.nodes).toEqual([{ actor: `jwt:${subject}` }]);
  });

  it('is read from the configured claims', async () => {
    const token = await sign(key, { 'https://acme.example/org': 'acme', scp: ['accounts:read'] });
    const claims = { tenantClaim: 'https://acme.example/org', scopeClaim: 'scp' };
    const { data } = await withJwts(
      (app) => ask(app, token, '{ viewer { scopes tenant { name } } }'),
      claims,
    );
    expect(data.viewer).toEqual({ scopes: ['accounts:read'], tenant: { name: 'acme' } });
  });

  it('runs no statement while it is cached', async () => {
    const token = await sign(key, acme());
    await withJwts(async (app) => {
      expect(await statusOf(token, app)).toBe(200);
      const texts = await service.statements(async () => expect(await statusOf(token, app)).toBe(200));
      expect(texts).toEqual([]);
    });
  });

  it('is rejected if JWTs are not configured, and accepted beside API keys if they are', async () => {
    expect(await statusOf(await sign(key, acme()), service)).toBe(401);
    expect(await withJwts((app) => statusOf(tenant.token, app))).toBe(200);
  });
});

const bad: [string, () => string | Promise<string>][] = [
  ['expired', () => sign(key, acme({ exp: nowS() - 31 }))],
  ['not yet valid', () => sign(key, acme({ nbf: nowS() + 60 }))],
  ['without an expiry', () => sign(key, acme({ exp: undefined }))],
  ['with an expiry beyond the range of dates', () => sign(key, acme({ exp: 1e18 }))],
  ['of another issuer', () => sign(key, acme({ iss: 'https://other.example' }))],
  ['without an issuer', () => sign(key, acme({ iss: undefined }))],
  ['for another audience', () => sign(key, acme({ aud: ['other', 'accountgraph2'] }))],
  ['without an audience', () => sign(key, acme({ aud: undefined }))],
  ['without a subject', () => sign(key, acme({ sub: undefined }))],
  ['with a subject too long', () => sign(key, acme({ sub: 'x'.repeat(256) }))],
  ['without a tenant', () => sign(key, { scope: 'accounts:read' })],
  ['of an unknown tenant', () => sign(key, acme({ tenant: 'nobody' }))],
  ['with a tenant that is not a string', () => sign(key, acme({ tenant: ['acme'] }))],
  ['with scopes that are not strings', () => sign(key, acme({ scope: { all: true } }))],
  ['signed by an unknown key with a known key id', async () => sign({ ...(await newKey('one')) }, acme())],
  ['with an unknown key id', async () => sign(await newKey('three'), acme())],
  ['with an algorithm that differs from its key', signedAsPs256],
  ['with an unknown critical header', () => sign(key, acme(), { extent: true })],
  ['without a signature', () => unsigned({ alg: 'none' })],
  ['without a signature, with a known key id', () => unsigned({ alg: 'none', kid: 'one' })],
  ['signed with the public key as a secret', hmacWithPublicKey],
  ['with changed claims', async () => tampered(await sign(key, acme()))],
  ['that is nonsense', () => 'a.b.c'],
];

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = () => ({
  ...acme(),
  iss: 'https://issuer.example',
  aud: 'accountgraph',
  sub: 'alice',
  exp: nowS() + 60,
});

function unsigned(header: object): string {
  return `${encode(header)}.${encode(claims())}.${encode('')}`;
}

/** Signs with the RSA public key as an HMAC secret, the classic algorithm confusion. */
async function hmacWithPublicKey(): Promise<string> {
  const content = `${encode({ alg: 'HS256', kid: 'two' })}.${encode(claims())}`;
  const secret = await exportSPKI(rsa.publicKey);
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}

/** Signs with the right key, but with an algorithm that the issuer does not use it for. */
async function signedAsPs256(): Promise<string> {
  const privateKey = (await importJWK(await exportJWK(rsa.privateKey), 'PS256')) as Key['privateKey'];
  return sign({ kid: 'two', alg: 'PS256', privateKey }, acme());
}

function tampered(token: string): string {
  const [header, , signature] = token.split('.');
  return `${header}.${encode({ ...claims(), tenant: 'acme', sub: 'mallory' })}.${signature}`;
}

describe('an invalid JWT', () => {
  it.each(bad)('is rejected: %s', async (_, token) => {
    await withJwts(async (app) => {
      expect(await statusOf(await token(), app)).toBe(401);
      expect(await statusOf(await sign(key, acme()), app)).toBe(200);
    });
  });

  it('is accepted if only the clock differs by half a minute', async () => {
    const late = await sign(key, acme({ exp: nowS() - 20 }));
    const early = await sign(key, acme({ nbf: nowS() + 20 }));
    const statuses = await withJwts((app) => Promise.all([statusOf(late, app), statusOf(early, app)]));
    expect(statuses).toEqual([200, 200]);
  });
});

describe('a JWT that names a tenant by its old name', () => {
  const renaming = `mutation { updateTenant(input: { name: "new-name" }) { ... on UpdateTenantSuccess { tenant { name } } } }`;

  it('is rejected at once by the replica that renamed the tenant, and within 5 seconds by others', async () => {
    const client = await service.newTenant({ name: 'old-name' });
    const scope = 'keys:manage';
    const [old, renamed] = [
      await sign(key, { tenant: 'old-name', scope }),
      await sign(key, { tenant: 'new-name', scope }),
    ];
    await withJwts((here) =>
      withJwts(async (there) => {
        expect(await Promise.all([here, there].map((app) => statusOf(old, app)))).toEqual([200, 200]);
        expect((await ask(here, old, renaming)).data.updateTenant.tenant).toEqual({ name: 'new-name' });
        expect([await statusOf(old, here), await statusOf(renamed, here)]).toEqual([401, 200]);
        vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5_000 });
        try {
          expect([await statusOf(old, there), await statusOf(renamed, there)]).toEqual([401, 200]);
        } finally {
          vi.useRealTimers();
        }
        expect(await statusOf(client.token, here)).toBe(200);
      }),
    );
  });

  it('is accepted again with its old name', async () => {
    const client = await service.newTenant({ name: 'first-name' });
    const token = await sign(key, { tenant: 'first-name' });
    await withJwts(async (app) => {
      const there = clientThrough(app, client);
      await updateTenant(there, { name: 'second-name' });
      expect(await statusOf(token, app)).toBe(401);
      await updateTenant(there, { name: 'first-name' });
      expect(await statusOf(token, app)).toBe(200);
    });
  });
});

describe('the cache of an issuer’s signing keys', () => {
  const fetches = async (work: () => Promise<unknown>) => {
    const before = issuer.state.fetches;
    await work();
    return issuer.state.fetches - before;
  };

  it('fetches the keys once for many tokens, also with unknown key ids', async () => {
    const token = await sign(key, acme());
    const strangers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => sign({ ...key, kid: `stranger-${index}` }, acme())),
    );
    await withJwts(async (app) => {
      const count = await fetches(async () => {
        expect(await Promise.all(Array.from({ length: 10 }, () => statusOf(token, app)))).toEqual(
          Array(10).fill(200),
        );
        const statuses = await Promise.all(strangers.map((stranger) => statusOf(stranger, app)));
        expect(statuses).toEqual(Array(20).fill(401));
      });
      expect(count).toBe(1);
    });
  });

  it('fetches the keys again for a new key id half a minute after the last time', async () => {
    const fresh = await newKey('fresh');
    await withJwts(async (app) => {
      expect(await statusOf(await sign(key, acme()), app)).toBe(200);
      issuer.state.keys = [key, rsa, fresh];
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
      try {
        const token = await sign(fresh, acme());
        expect(await fetches(async () => expect(await statusOf(token, app)).toBe(200))).toBe(1);
      } finally {
        vi.useRealTimers();
        issuer.state.keys = [key, rsa];
      }
    });
  });

  it.each(['failure', 'silence', 'nonsense'] as const)(
    'fetches the keys once and returns 503 if the issuer returns %s',
    async (answer) => {
      const tokens = await Promise.all(
        Array.from({ length: 5 }, (_, sub) => sign(key, acme({ sub: `${sub}` }))),
      );
      issuer.state.answer = answer;
      try {
        await withJwts(async (app) => {
          const count = await fetches(async () => {
            for (const token of tokens) expect(await statusOf(token, app)).toBe(503);
          });
          expect(count).toBe(1);
          expect(await statusOf(tenant.token, app)).toBe(200);
        });
      } finally {
        issuer.state.answer = 'keys';
      }
    },
  );
});
