import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  hkdfSync,
  KeyObject,
  randomBytes,
} from 'node:crypto';

const cipher = 'aes-256-gcm';
const version = 1;
/** The sealed bytes are a version, the key's id, a nonce, the tag and the ciphertext. */
const keyIdBytes = 4;
const nonceBytes = 12;
const tagBytes = 16;
const nonceAt = 1 + keyIdBytes;
const tagAt = nonceAt + nonceBytes;
const textAt = tagAt + tagBytes;

interface SealingKey {
  id: Buffer;
  key: KeyObject;
}

/** Encrypts secrets at rest with AES-256-GCM. */
export interface SecretBox {
  /** Encrypts with the first key. `open` needs the same context, such as the ids of the tenant and the endpoint. */
  seal(plain: string, context: string): Buffer;
  /** @throws Error, without any secret, if no key fits, the bytes were changed or the context differs */
  open(sealed: Buffer, context: string): string;
}

/** Derives a key of the right length, because configured keys can have any. */
function deriveKey(key: Buffer | KeyObject): SealingKey {
  const secret = key instanceof KeyObject ? key : createSecretKey(key);
  const derived = Buffer.from(hkdfSync('sha256', secret, '', 'accountgraph webhook secrets', 32));
  const id = createHash('sha256').update(derived).digest().subarray(0, keyIdBytes);
  return { id, key: createSecretKey(derived) };
}

/** Returns the authenticated data: all that precedes the nonce, and the context. */
function additionalData(header: Buffer, context: string): Buffer {
  return Buffer.concat([header, Buffer.from(context)]);
}

function seal({ id, key }: SealingKey, plain: string, context: string): Buffer {
  const header = Buffer.from([version, ...id]);
  const nonce = randomBytes(nonceBytes);
  const encrypt = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes });
  encrypt.setAAD(additionalData(header, context));
  const text = Buffer.concat([encrypt.update(plain, 'utf8'), encrypt.final()]);
  return Buffer.concat([header, nonce, encrypt.getAuthTag(), text]);
}

/** Returns the plain text, or undefined if the key or the context does not fit or the bytes were changed. */
function openWith(key: KeyObject, sealed: Buffer, context: string): string | undefined {
  const decrypt = createDecipheriv(cipher, key, sealed.subarray(nonceAt, tagAt), { authTagLength: tagBytes });
  decrypt.setAAD(additionalData(sealed.subarray(0, nonceAt), context));
  decrypt.setAuthTag(sealed.subarray(tagAt, textAt));
  try {
    return Buffer.concat([decrypt.update(sealed.subarray(textAt)), decrypt.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}

/** Creates a box whose first key seals and whose keys all open. Its keys should have at least 32 random bytes. */
export function createSecretBox(keys: readonly (Buffer | KeyObject)[]): SecretBox {
  const sealingKeys = keys.map(deriveKey);
  const [first] = sealingKeys;
  if (first === undefined) throw new Error('A secret box needs at least one key.');
  return {
    seal: (plain, context) => seal(first, plain, context),
    open(sealed, context) {
      if (sealed.length < textAt || sealed[0] !== version) {
        throw new Error('The sealed secret has an unknown format.');
      }
      const keyId = sealed.subarray(1, nonceAt);
      const fitting = sealingKeys.filter(({ id }) => id.equals(keyId));
      if (fitting.length === 0) throw new Error('No configured key opens the sealed secret.');
      for (const { key } of fitting) {
        const plain = openWith(key, sealed, context);
        if (plain !== undefined) return plain;
      }
      throw new Error('The sealed secret was changed or belongs to another row.');
    },
  };
}
