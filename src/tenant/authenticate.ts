import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { toTypeId } from '../lib/id.ts';
import { createLookUp } from './look-up.ts';
import { keysByTokenHash } from './read.ts';
import { isApiKey, tokenHash } from './token.ts';

/** Who a request comes from, undefined when its token is missing, unknown or revoked. */
export type Authenticate = (authorization: string | null) => Promise<Viewer | undefined>;

/** The token of an `Authorization: Bearer …` header, undefined when the header is absent or of another form. */
function bearerToken(authorization: string | null): string | undefined {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1];
}

/** Looks keys up by the hashes of their tokens. A hash tells nothing by the time that comparing it takes. */
function createKeyLookUp(database: Database) {
  return createLookUp<Viewer>(async (hashes) => {
    const rows = await database.run(keysByTokenHash, { hashes });
    const viewers = rows.map(({ hash, tenant, keyName, scopes, keyId }) => {
      return [hash, { tenant, keyName, scopes, actor: toTypeId('ApiKey', keyId) }] as const;
    });
    const byHash = new Map<string, Viewer>(viewers);
    return hashes.map((hash) => byHash.get(hash));
  });
}

/** Tells whom tokens stand for. A token that was good a moment ago costs no statement. */
export function createAuthenticator(database: Database): Authenticate {
  const keyByHash = createKeyLookUp(database);
  return async (authorization) => {
    const token = bearerToken(authorization);
    if (token === undefined || !isApiKey(token)) return undefined;
    return keyByHash(tokenHash(token));
  };
}
