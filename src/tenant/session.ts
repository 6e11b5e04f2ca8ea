import { createHmac } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify, SignJWT } from 'jose';
import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { parseTypeId, toTypeId } from '../lib/id.ts';
import { createLookUp } from './look-up.ts';
import { keysById } from './read.ts';
import { tokenHash } from './token.ts';

const algorithm = 'HS256';
const issuer = 'accountgraph';
const lifetimeS = 24 * 60 * 60;

/** Each key signs the tokens made of it: so they end with it, every replica can check them, and no secret is kept. */
function signingKey(hash: string): Uint8Array {
  return createHmac('sha256', Buffer.from(hash, 'hex')).update('accountgraph session token').digest();
}

/** A JWT that stands for an API key, good for 24 hours and no longer than the key. */
export function issueSession(apiKey: string, { actor, expiresAt }: Viewer, now: Date): Promise<string> {
  const nowS = Math.floor(now.getTime() / 1000);
  const endS = Math.floor((expiresAt?.getTime() ?? Number.POSITIVE_INFINITY) / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: algorithm, kid: actor })
    .setIssuer(issuer)
    .setSubject(actor)
    .setIssuedAt(nowS)
    .setExpirationTime(Math.min(nowS + lifetimeS, endS))
    .sign(signingKey(tokenHash(apiKey)));
}

/** The id of the key that a JWT says it was made of, undefined when it says so of none. */
function keyIdIn(token: string): string | undefined {
  try {
    const { alg, kid } = decodeProtectedHeader(token);
    const id = alg === algorithm ? parseTypeId(kid ?? '') : undefined;
    return id?.type === 'ApiKey' ? id.uuid : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a JWT says that `issueSession` made it; those of an issuer are never signed by a shared secret. */
export function isSession(token: string): boolean {
  return keyIdIn(token) !== undefined;
}

interface SessionKey {
  viewer: Viewer;
  secret: Uint8Array;
}

/** When a token ends: at its own end, or at that of its key. */
function endOf(exp: number | undefined, keyEnd: Date | null): Date {
  const end = new Date((exp ?? 0) * 1000);
  return keyEnd !== null && keyEnd < end ? keyEnd : end;
}

/** Takes the JWTs of `issueSession` for their keys: undefined for any other, and when the key was revoked. */
export function createSessions(database: Database): (token: string) => Promise<Viewer | undefined> {
  const keyById = createLookUp<SessionKey>(async (ids) => {
    const found = new Map<string, SessionKey>();
    for (const { hash, keyId, ...key } of await database.run(keysById, { ids })) {
      found.set(keyId, { viewer: { ...key, actor: toTypeId('ApiKey', keyId) }, secret: signingKey(hash) });
    }
    return ids.map((id) => found.get(id));
  });
  return async (token) => {
    const id = keyIdIn(token);
    const key = id === undefined ? undefined : await keyById(id);
    if (key === undefined) return undefined;
    try {
      const { payload } = await jwtVerify(token, key.secret, {
        algorithms: [algorithm],
        issuer,
        requiredClaims: ['exp'],
      });
      return { ...key.viewer, expiresAt: endOf(payload.exp, key.viewer.expiresAt) };
    } catch {
      return undefined;
    }
  };
}
