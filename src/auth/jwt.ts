import { type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { UnavailableError } from '../lib/errors.ts';
import { identifier } from '../lib/rule.ts';
import { z } from '../lib/zod.ts';
import { tokenHash } from '../tenant/api-key.ts';
import * as rules from '../tenant/rules.ts';
import { createMemory } from './cached-lookup.ts';
import { type KeySource, readKeys } from './jwt-keys.ts';

export interface JwtOptions {
  keys: KeySource;
  issuer: string;
  audience: string;
  /** The claim that holds the name of the tenant. */
  tenantClaim: string;
  /** The claim that holds the scopes: a list, or a string separated by spaces. */
  scopeClaim: string;
}

/** The verified claims of a token. */
export interface Claims {
  subject: string;
  tenantName: string;
  scopes: string[];
  expiresAt: Date;
}

/** Returns the claims of a JWT, or undefined if it is invalid. Throws UnavailableError if the keys are unavailable. */
export type VerifyJwt = (token: string) => Promise<Claims | undefined>;

/** Asymmetric algorithms only: `none` proves nothing, and HMAC would accept the public key as its secret. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

/** Tolerated difference between the clocks of issuer and service. */
const clockSkewS = 30;

const claimed = z.object({
  sub: identifier({ min: 1, max: 255 }),
  /** At most what a Date can represent. */
  exp: z.number().max(8_640_000_000_000),
  tenant: rules.name,
  scopes: z
    .union([z.array(z.string()), z.string().transform((text) => text.split(' ').filter(Boolean))])
    .default([]),
});

function claimsOf(payload: JWTPayload, { tenantClaim, scopeClaim }: JwtOptions): Claims {
  const { sub, exp, [tenantClaim]: tenantName, [scopeClaim]: scopes } = payload;
  const claims = claimed.parse({ sub, exp, tenant: tenantName, scopes });
  return {
    subject: claims.sub,
    tenantName: claims.tenant,
    scopes: claims.scopes,
    expiresAt: new Date(claims.exp * 1000),
  };
}

async function verify(token: string, keys: JWTVerifyGetKey, options: JwtOptions): Promise<Claims> {
  const { issuer, audience, tenantClaim } = options;
  const { payload } = await jwtVerify(token, keys, {
    algorithms,
    issuer,
    audience,
    clockTolerance: clockSkewS,
    requiredClaims: ['exp', 'sub', tenantClaim],
  });
  return claimsOf(payload, options);
}

/** Creates the function that verifies JWTs. Verified tokens are cached briefly. */
export async function createJwtVerifier(options: JwtOptions, log: Logger): Promise<VerifyJwt> {
  const keys = await readKeys(options.keys);
  const memory = createMemory<Claims>();
  return async (token) => {
    const hash = tokenHash(token);
    const since = Date.now();
    const known = memory.recall(hash);
    if (known !== undefined && since < known.expiresAt.getTime() + clockSkewS * 1000) return known;
    try {
      const claims = await verify(token, keys, options);
      memory.remember(hash, claims, since);
      return claims;
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      // The reason names the failed check, and nothing from the token.
      log.debug({ reason: (error as { code?: string }).code ?? 'ERR_JWT_CLAIMS' }, 'Invalid JWT');
      return undefined;
    }
  };
}
