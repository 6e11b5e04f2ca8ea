import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { pino } from 'pino';
import { createJwtVerifier, type JwtOptions } from '../../src/auth/jwt.ts';
import { withReplica } from './replica.ts';
import type { App, Service } from './service.ts';

/** `undefined` removes a default claim. */
export type Claims = { [claim: string]: unknown };

export type Key = Awaited<ReturnType<typeof newKey>>;

export async function newKey(kid: string, alg = 'ES256') {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, publicKey, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg } };
}

/** Signs a JWT that is valid for an hour. `claims` override the defaults. */
export function sign(
  { kid, alg, privateKey }: Pick<Key, 'kid' | 'alg' | 'privateKey'>,
  claims: Claims,
  critical: Record<string, true> = {},
): Promise<string> {
  const names = Object.keys(critical);
  const now = Math.floor(Date.now() / 1000);
  const standard = { iss: 'https://issuer.example', aud: 'accountgraph', sub: 'alice', exp: now + 3600 };
  return new SignJWT({ ...standard, ...claims })
    .setProtectedHeader({ alg, kid, ...critical, ...(names.length > 0 ? { crit: names } : {}) })
    .sign(privateKey, { crit: critical });
}

/** Serves the JWKS of an issuer. It returns the current keys, or what `answer` says. */
export async function openIssuer() {
  const state = {
    keys: [] as Key[],
    fetches: 0,
    answer: 'keys' as 'keys' | 'failure' | 'silence' | 'nonsense',
  };
  const server = createServer((_, response) => {
    state.fetches += 1;
    if (state.answer === 'silence') return;
    response.statusCode = state.answer === 'failure' ? 500 : 200;
    response.setHeader('content-type', 'application/json');
    response.end(
      state.answer === 'nonsense' ? '<' : JSON.stringify({ keys: state.keys.map(({ jwk }) => jwk) }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ...{ url: new URL(`http://127.0.0.1:${port}/jwks`), state },
    close(): void {
      server.closeAllConnections();
      server.close();
    },
  };
}

export const acme = (claims: Claims = {}): Claims => ({
  tenant: 'acme',
  scope: 'openid customers:write',
  ...claims,
});

export const jwtOptions = ({ keys, ...changes }: Changes): JwtOptions => ({
  ...{ keys, issuer: 'https://issuer.example', audience: 'accountgraph' },
  ...{ tenantClaim: 'tenant', scopeClaim: 'scope', ...changes },
});

type Changes = Partial<JwtOptions> & Pick<JwtOptions, 'keys'>;

/** Runs `work` with a new replica that accepts JWTs and has fetched no keys. */
export async function withIssuer<T>(
  service: Service,
  work: (app: App) => Promise<T>,
  changes: Changes,
): Promise<T> {
  const verifyJwt = await createJwtVerifier(jwtOptions(changes), pino({ level: 'silent' }));
  return withReplica(service, work, { verifyJwt });
}
