import type { Viewer } from '../ctx.ts';
import type { Database } from '../db/client.ts';
import { toTypeId } from '../lib/id.ts';
import { keyByTokenHash } from './read.ts';
import { isApiKey, tokenHash } from './token.ts';

/** The token of an `Authorization: Bearer …` header, undefined when the header is absent or of another form. */
function bearerToken(authorization: string | null): string | undefined {
  return /^Bearer +([\x21-\x7e]+)$/i.exec(authorization ?? '')?.[1];
}

/** Who a request comes from, undefined when its token is missing, unknown or revoked. */
export async function authenticate(
  database: Database,
  authorization: string | null,
): Promise<Viewer | undefined> {
  const token = bearerToken(authorization);
  if (token === undefined || !isApiKey(token)) return undefined;
  const [found] = await database.run(keyByTokenHash, { hash: tokenHash(token) });
  if (found === undefined) return undefined;
  const { tenant, keyName, scopes, keyId } = found;
  return { tenant, keyName, scopes, actor: toTypeId('ApiKey', keyId) };
}
