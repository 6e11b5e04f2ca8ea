import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { toTypeId } from '../lib/id.ts';
import { isApiKey, isJwt, tokenHash } from '../tenant/api-key.ts';
import type { UseLog } from '../tenant/last-used.ts';
import { keysByTokenHash, tenantsByName } from '../tenant/read.ts';
import { createLookUp } from './cached-lookup.ts';
import type { VerifyJwt } from './jwt.ts';
import type { NewestTenants } from './newest-tenants.ts';
import { isSession, type Sessions } from './session-token.ts';

/** Returns the caller of a request, or undefined if its token is missing, unknown, expired or revoked. */
export type Authenticate = (authorization: string | null) => Promise<Viewer | undefined>;

export interface AuthenticatorOptions {
  database: Database;
  /** Records that a key was used. Called only if the key was not cached. */
  noteUse?: UseLog['note'];
  /** Returns the newest known version of a tenant. Undefined if this process changes no tenants. */
  newestTenant?: NewestTenants['newest'];
  /** Undefined if JWTs are not accepted. */
  verifyJwt?: VerifyJwt | undefined;
  /** Undefined if session tokens are not accepted. */
  verifySession?: Sessions['verify'];
}

/** Returns the token of an `Authorization: Bearer …` header, or undefined if the header is absent or malformed. */
export function bearerToken(authorization: string | null): string | undefined {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1];
}

function hasExpired({ expiresAt }: Viewer): boolean {
  return expiresAt !== null && expiresAt.getTime() <= Date.now();
}

/** Looks up keys by token hash. The time to compare hashes reveals nothing about a token. */
function createKeyLookUp({ database, noteUse }: AuthenticatorOptions) {
  return createLookUp<Viewer>(async (hashes) => {
    const rows = await database.run(keysByTokenHash, { hashes });
    const viewers = new Map<string, Viewer>();
    for (const { hash, keyId, lastUsedAt, ...key } of rows) {
      const viewer = { ...key, actor: toTypeId('ApiKey', keyId) };
      viewers.set(hash, viewer);
      if (!hasExpired(viewer)) noteUse?.({ tenantId: key.tenant.id, keyId, lastUsedAt });
    }
    return hashes.map((hash) => viewers.get(hash));
  });
}

/** Returns the caller of a JWT: its subject, in the tenant that it names. */
function createJwtLookUp(
  { database, verifyJwt }: AuthenticatorOptions,
  newestTenant: NewestTenants['newest'],
) {
  const tenantNamed = createLookUp<Viewer['tenant']>(async (names) => {
    const rows = await database.run(tenantsByName, { names });
    const tenants = new Map(rows.map((row) => [row.name, row]));
    return names.map((name) => tenants.get(name));
  });
  return async (token: string): Promise<Viewer | undefined> => {
    const claims = await verifyJwt?.(token);
    if (claims === undefined) return undefined;
    const found = await tenantNamed(claims.tenantName);
    const tenant = found && newestTenant(found);
    // A cached tenant may have been renamed.
    if (tenant?.name !== claims.tenantName) return undefined;
    const { subject, scopes, expiresAt } = claims;
    return { tenant, keyName: subject, scopes, expiresAt, actor: `jwt:${subject}` };
  };
}

/** Creates the function that authenticates requests. A cached token needs no statement. */
export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const { newestTenant = (tenant) => tenant } = options;
  const viewerOfKey = createKeyLookUp(options);
  const viewerOfJwt = createJwtLookUp(options, newestTenant);
  return async (authorization) => {
    const token = bearerToken(authorization);
    if (token === undefined) return undefined;
    if (isJwt(token) && !isSession(token)) return viewerOfJwt(token);
    if (!isJwt(token) && !isApiKey(token)) return undefined;
    const viewer = await (isJwt(token) ? options.verifySession?.(token) : viewerOfKey(tokenHash(token)));
    if (viewer === undefined || hasExpired(viewer)) return undefined;
    const tenant = newestTenant(viewer.tenant);
    return tenant === viewer.tenant ? viewer : { ...viewer, tenant };
  };
}
