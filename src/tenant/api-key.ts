import { hash, randomBytes } from 'node:crypto';

const prefix = 'agk_';
const secretBytes = 24;

/** A new API key: a prefix that names the kind, then 192 random bits in base64url. */
export function newToken(): string {
  return prefix + randomBytes(secretBytes).toString('base64url');
}

/** Whether a token can be an API key at all; what cannot is not looked up. */
export function isApiKey(token: string): boolean {
  return /^agk_[A-Za-z0-9_-]{32}$/.test(token);
}

/** Whether a token has the form of a JWT: header, claims and signature. */
export function isJwt(token: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);
}

/** SHA-256 in hex: all that is kept of a token. A random secret of this length needs no slow hash. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'hex');
}
