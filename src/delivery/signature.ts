import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';

const prefixes = { hmac: 'whsec_', privateKey: 'whsk_', publicKey: 'whpk_' } as const;
const hmacBytes = 32;
/** The length of the private seed and of the public key of ed25519. */
const halfBytes = 32;

/** The secrets of an endpoint, as Standard Webhooks 1.0.0 writes them: `whsec_…` and the private key `whsk_…`. */
export interface SigningSecret {
  hmac: string;
  ed25519: string;
}

/** A parsed `SigningSecret`. */
export interface SigningKeys {
  hmac: KeyObject;
  ed25519: KeyObject;
}

export interface Message {
  /** The same for each attempt. Must not contain a full stop, which separates the parts of the signed content. */
  id: string;
  /** The time of the attempt. */
  timestamp: Date;
  body: string;
  /** The keys of each secret of the endpoint, newest first. */
  secrets: readonly SigningKeys[];
}

export function newHmacSecret(): string {
  return prefixes.hmac + randomBytes(hmacBytes).toString('base64');
}

/** Returns the two halves of an ed25519 key: the private seed and the public key. */
function halvesOf({ d = '', x = '' }: { d?: string; x?: string }): [seed: Buffer, publicKey: Buffer] {
  return [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
}

/** Returns a new key pair. Like libsodium's, the private key is the seed followed by the public key. */
export function newEd25519Keys(): { privateKey: string; publicKey: string } {
  const [seed, publicKey] = halvesOf(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }));
  return {
    privateKey: prefixes.privateKey + Buffer.concat([seed, publicKey]).toString('base64'),
    publicKey: prefixes.publicKey + publicKey.toString('base64'),
  };
}

function decode(text: string, prefix: string): Buffer | undefined {
  if (!text.startsWith(prefix)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), 'base64');
  return prefix + bytes.toString('base64') === text ? bytes : undefined;
}

function parseHmac(text: string): KeyObject {
  const bytes = decode(text, prefixes.hmac);
  if (bytes === undefined || bytes.length < 24 || bytes.length > 64) {
    throw new Error(`The HMAC secret must be ${prefixes.hmac} and 24 to 64 bytes in base64.`);
  }
  return createSecretKey(bytes);
}

function parseEd25519(text: string): KeyObject {
  const bytes = decode(text, prefixes.privateKey);
  if (bytes?.length === 2 * halfBytes) {
    const d = bytes.toString('base64url', 0, halfBytes);
    const x = bytes.toString('base64url', halfBytes);
    const key = createPrivateKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', d, x } });
    if (createPublicKey(key).export({ format: 'jwk' }).x === x) return key;
  }
  throw new Error(`The ed25519 private key must be ${prefixes.privateKey} and its 64 bytes in base64.`);
}

/**
 * Parses the secrets of an endpoint. Parse them once, not for each message.
 * @throws Error, without the secret, if one is malformed
 */
export function parseSecret({ hmac, ed25519 }: SigningSecret): SigningKeys {
  return { hmac: parseHmac(hmac), ed25519: parseEd25519(ed25519) };
}

/** Returns the headers that identify and sign an attempt. Each secret signs with HMAC-SHA256 and with ed25519. */
export function signatureHeaders({ id, timestamp, body, secrets }: Message) {
  const seconds = String(Math.floor(timestamp.getTime() / 1000));
  const content = Buffer.from(`${id}.${seconds}.${body}`);
  const signatures = secrets.flatMap(({ hmac, ed25519 }) => [
    `v1,${createHmac('sha256', hmac).update(content).digest('base64')}`,
    `v1a,${sign(null, content, ed25519).toString('base64')}`,
  ]);
  return { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': signatures.join(' ') };
}

/** Returns what binds the encrypted secret of an endpoint to it. */
export function secretContext({ tenantId, id }: { tenantId: number; id: string }): string {
  return `${tenantId}/${id}`;
}

/** The encrypted secrets of an endpoint. */
export interface SealedSecrets {
  tenantId: number;
  id: string;
  secret: Buffer;
  previousSecret: Buffer | null;
  previousSecretExpiresAt: Date | null;
}

/** Returns the keys that sign an attempt, newest first. `open` decrypts. A previous secret that it cannot decrypt is left out. */
export function signingKeysOf(
  endpoint: SealedSecrets,
  open: (sealed: Buffer, context: string) => string,
  now: Date,
): SigningKeys[] {
  const { secret, previousSecret, previousSecretExpiresAt } = endpoint;
  const overlaps =
    previousSecret !== null && previousSecretExpiresAt !== null && previousSecretExpiresAt > now;
  const parse = (sealed: Buffer) =>
    parseSecret(JSON.parse(open(sealed, secretContext(endpoint))) as SigningSecret);
  const current = parse(secret);
  if (!overlaps) return [current];
  try {
    return [current, parse(previousSecret)];
  } catch {
    return [current];
  }
}
