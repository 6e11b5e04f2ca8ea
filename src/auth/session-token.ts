import type { KeyObject } from 'node:crypto';
import { decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { parseTypeId, toTypeId } from '../lib/id.ts';
import { z } from '../lib/zod.ts';
import { keysById } from '../tenant/read.ts';
import { createLookUp } from './cached-lookup.ts';

const algorithm = 'HS256';
const issuer = 'accountgraph';
const audience = 'accountgraph:session';
const lifetimeS = 24 * 60 * 60;
/** Tolerated difference between the clocks of replicas. */
const clockSkewS = 30;

export interface Sessions {
  /** Returns a JWT for an API key, valid for 24 hours and no longer than the key. Undefined without a session key. */
  issue: ((viewer: Viewer, now: Date) => Promise<string>) | undefined;
  /** Returns the viewer of a JWT's API key, or undefined if the JWT is invalid or the key was revoked. */
  verify(token: string): Promise<Viewer | undefined>;
}

/** Whether a JWT claims to be a session token. JWTs of an issuer never use a shared secret. */
export function isSession(token: string): boolean {
  try {
    return decodeProtectedHeader(token).alg === algorithm;
  } catch {
    return false;
  }
}

function issueWith(key: KeyObject, { actor, expiresAt }: Viewer, now: Date): Promise<string> {
  const nowS = Math.floor(now.getTime() / 1000);
  const endS = Math.floor((expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: algorithm })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(actor)
    .setIssuedAt(nowS)
    .setExpirationTime(Math.min(nowS + lifetimeS, endS))
    .sign(key);
}

/** Returns the claims, or undefined if no key verifies the signature or a registered claim is wrong. */
async function verifiedPayload(token: string, keys: readonly KeyObject[]): Promise<JWTPayload | undefined> {
  for (const key of keys) {
    try {
      const options = { algorithms: [algorithm], issuer, audience, clockTolerance: clockSkewS };
      return (await jwtVerify(token, key, options)).payload;
    } catch {
      // Another key may have signed it.
    }
  }
  return undefined;
}

const claims = z.object({ sub: z.string(), iat: z.number(), exp: z.number() });

interface Session {
  /** The UUID of the API key. */
  keyId: string;
  expiresAt: Date;
}

/** Checks the lifetime of a verified token, so that a leaked session key cannot make long-lived tokens. */
function sessionOf(payload: JWTPayload | undefined): Session | undefined {
  const parsed = claims.safeParse(payload);
  if (!parsed.success) return undefined;
  const { sub, iat, exp } = parsed.data;
  const latestS = Date.now() / 1000 + clockSkewS;
  if (exp - iat > lifetimeS || iat > latestS || exp > latestS + lifetimeS) return undefined;
  const id = parseTypeId(sub);
  return id?.type === 'ApiKey' ? { keyId: id.uuid, expiresAt: new Date(exp * 1000) } : undefined;
}

/**
 * Issues and verifies session tokens. The first key signs; all keys verify. The database holds none of the keys, so a
 * copy of it cannot make tokens.
 */
export function createSessions(database: Database, keys: readonly KeyObject[]): Sessions {
  const viewerById = createLookUp<Viewer>(async (ids) => {
    const rows = await database.run(keysById, { ids });
    const viewers = new Map(
      rows.map(({ keyId, ...key }) => [keyId, { ...key, actor: toTypeId('ApiKey', keyId) }]),
    );
    return ids.map((id) => viewers.get(id));
  });
  const [signingKey] = keys;
  return {
    issue: signingKey && ((viewer, now) => issueWith(signingKey, viewer, now)),
    async verify(token) {
      const session = sessionOf(await verifiedPayload(token, keys));
      const viewer = session && (await viewerById(session.keyId));
      if (session === undefined || viewer === undefined) return undefined;
      const { expiresAt } = viewer;
      return expiresAt !== null && expiresAt < session.expiresAt
        ? viewer
        : { ...viewer, expiresAt: session.expiresAt };
    },
  };
}
