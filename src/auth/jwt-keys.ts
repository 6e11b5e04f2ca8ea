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

/** The source of an issuer's public keys: a JWKS URL or a file. */
export type KeySource = { url: URL } | { file: string };

const fetchTimeoutMs = 3_000;
/** Minimum time between two fetches because of an unknown `kid`. */
const cooldownMs = 30_000;
/** Minimum time between a failed fetch and the next one. */
const retryMs = 5_000;
/** Age at which keys are fetched again in the background. */
const refreshMs = 5 * 60_000;
/** How long keys stay valid while the issuer is unavailable. */
const maxAgeMs = 60 * 60_000;

/** Returns a `fetch` for JSON. After a failure, it sends no request for `retryMs`, so tokens cannot flood the issuer. */
function createFetchWithBackoff() {
  let failedAt = Number.NEGATIVE_INFINITY;
  return async (url: string, options: RequestInit): Promise<Response> => {
    if (performance.now() - failedAt < retryMs) throw new Error('The last request to the issuer failed.');
    try {
      const response = await fetch(url, options);
      if (response.status !== 200) throw new Error(`The issuer returned status ${response.status}.`);
      return Response.json(await response.json());
    } catch (error) {
      failedAt = performance.now();
      throw error;
    }
  };
}

function isIssuerError(error: unknown): boolean {
  const tokenErrors = [
    'ERR_JWKS_NO_MATCHING_KEY',
    'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
    'ERR_JOSE_NOT_SUPPORTED',
  ];
  return !(error instanceof errors.JOSEError && tokenErrors.includes(error.code));
}

/** Returns the keys of a JWKS URL, which are fetched for the first token. */
function remoteKeys(url: URL): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, {
    timeoutDuration: fetchTimeoutMs,
    cooldownDuration: cooldownMs,
    cacheMaxAge: maxAgeMs,
    [customFetch]: createFetchWithBackoff(),
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
      if (isIssuerError(error)) throw new UnavailableError('ISSUER', error);
      throw error;
    }
  };
}

const publicKey = z
  .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']), kid: z.string().optional() })
  // Only private keys have a `d`.
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
    // If no key has a `kid`, the `kid` of a token is ignored.
    const named = keys.some(({ kid }) => kid !== undefined);
    return (header, token) => set(named ? header : ({ ...header, kid: undefined } as never), token);
  } catch {
    throw refuse('must hold one public key in PEM, a public JWK, or a JWKS of public keys');
  }
}

/** Returns a function that finds the key of a token. Throws StartupError if the file holds no keys. */
export function readKeys(source: KeySource): Promise<JWTVerifyGetKey> {
  return 'url' in source ? Promise.resolve(remoteKeys(source.url)) : fileKeys(source.file);
}

function reasonOf(error: unknown): string {
  const { name, cause } = error as Error;
  if (name === 'TimeoutError') return `did not respond within ${fetchTimeoutMs / 1000} s`;
  if (error instanceof SyntaxError || error instanceof z.ZodError) return 'did not return a JWKS';
  return cause instanceof Error ? `is unreachable: ${cause.message}` : 'is unreachable';
}

/** Fetches the keys of a JWKS URL once. Returns why no token can be verified with them; undefined if some can. */
export async function findIssuerProblem(url: URL): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(fetchTimeoutMs);
    const response = await fetch(url, { signal, redirect: 'manual' });
    if (response.status !== 200) {
      await response.body?.cancel();
      return `returned status ${response.status}`;
    }
    const { keys } = z.object({ keys: z.array(z.unknown()) }).parse(await response.json());
    return keys.some((key) => publicKey.safeParse(key).success) ? undefined : 'has no public key';
  } catch (error) {
    return reasonOf(error);
  }
}
