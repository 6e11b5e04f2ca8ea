import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose';
import { StartupError, UnavailableError } from '../lib/errors.ts';
import { z } from '../lib/zod.ts';

/** Where an issuer's public keys are: its JWKS, or a file. */
export type KeySource = { url: URL } | { file: string };

const fetchTimeoutMs = 3_000;
/** A `kid` that is not known makes the keys be fetched again, but not twice within this time. */
const cooldownMs = 30_000;
const retryMs = 5_000;
/** Keys are fetched again when they are so old, beside the requests; while the issuer is away, old ones are believed. */
const refreshMs = 5 * 60_000;
const believedMs = 60 * 60_000;

/** Fetches JSON. What has just failed fails again at once, however many tokens ask, and the issuer is left in peace. */
function fetchPatiently() {
  let failedAt = Number.NEGATIVE_INFINITY;
  return async (url: string, options: RequestInit): Promise<Response> => {
    if (performance.now() - failedAt < retryMs) throw new Error('The issuer failed a moment ago.');
    try {
      const response = await fetch(url, options);
      if (response.status !== 200) throw new Error(`The issuer answered with the status ${response.status}.`);
      return Response.json(await response.json());
    } catch (error) {
      failedAt = performance.now();
      throw error;
    }
  };
}

function isIssuersFault(error: unknown): boolean {
  const tokensFault = [
    'ERR_JWKS_NO_MATCHING_KEY',
    'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
    'ERR_JOSE_NOT_SUPPORTED',
  ];
  return !(error instanceof errors.JOSEError && tokensFault.includes(error.code));
}

/** The keys of a JWKS URL. They are fetched when the first token comes. */
function remoteKeys(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: fetchTimeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: believedMs,
    [customFetch]: fetchPatiently(),
  });
  let refreshedAt = performance.now();
  return async (header, token) => {
    if (performance.now() - refreshedAt > refreshMs) {
      refreshedAt = performance.now();
      keys.reload().catch(() => undefined);
    }
    try {
      return await keys(header, token);
    } catch (error) {
      if (isIssuersFault(error)) throw new UnavailableError('ISSUER', error);
      throw error;
    }
  };
}

const publicKey = z
  .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']), kid: z.string().optional() })
  // What only a private key has.
  .refine((key) => !('d' in key));
const keySet = z.union([
  z.object({ keys: z.array(publicKey).min(1) }),
  publicKey.transform((key) => ({ keys: [key] })),
]);

function parseKeys(text: string): JWK[] {
  if (!text.includes('-----BEGIN')) return keySet.parse(JSON.parse(text)).keys as JWK[];
  if (text.includes('PRIVATE KEY')) throw new Error('a private key');
  return [createPublicKey(text).export({ format: 'jwk' }) as JWK];
}

async function fileKeys(path: string): Promise<JWTVerifyGetKey> {
  const refuse = (problem: string) => new StartupError(`JWT_KEY_FILE names ${path}, which ${problem}.`);
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw refuse(`cannot be read: ${error.message}`);
  });
  try {
    const keys = parseKeys(text);
    const set = createLocalJWKSet({ keys });
    // Keys without ids of their own are taken whatever id a token names.
    const named = keys.some(({ kid }) => kid !== undefined);
    return (header, token) => set(named ? header : ({ ...header, kid: undefined } as never), token);
  } catch {
    throw refuse('is neither one public key in PEM nor a public JWK nor a JWKS of such');
  }
}

/** Finds the key for a token. Throws StartupError when a file holds none. */
export function readKeys(source: KeySource): Promise<JWTVerifyGetKey> {
  return 'url' in source ? Promise.resolve(remoteKeys(source.url)) : fileKeys(source.file);
}
