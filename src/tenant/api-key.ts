import { hash, randomBytes } from 'node:crypto';

const prefix = 'agk_';
const secretBytes = 24;

/** Creates an API key: a prefix, then 192 random bits in base64url. */
export function newToken(): string {
  return prefix + randomBytes(secretBytes).toString('base64url');
}

/** Whether a token has the form of an API key. Other tokens are not looked up. */
export function isApiKey(token: string): boolean {
  return /^agk_[A-Za-z0-9_-]{32}$/.test(token);
}

/** Whether a token has the form of a JWT: header, claims and signature. */
export function isJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

/** Returns the SHA-256 in hex, the only stored form of a token. Random secrets of this length need no slow hash. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'hex');
}
