import { createPublicKey, verify } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import {
  type Message,
  newEd25519Keys,
  newHmacSecret,
  parseSecret,
  type SigningSecret,
  signatureHeaders,
} from '../../src/delivery/signature.ts';

/** The keys and signatures of Svix's own tests. The second signature is also the example of the specification. */
const published = {
  secret: {
    hmac: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
    ed25519: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
  },
  publicKey: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  seconds: 1614265330,
  body: '{"test": 2432232314}',
  v1: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  v1a: 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
};

const newSecret = (): SigningSecret => ({ hmac: newHmacSecret(), ed25519: newEd25519Keys().privateKey });

const message = (changes: Partial<Message> = {}): Message => ({
  id: 'change_01m84fadmwe03rqpvwbebaam9z',
  timestamp: new Date(),
  body: '{"name":"Zoë 🚀"}',
  secrets: [parseSecret(newSecret())],
  ...changes,
});

/** Whether one of the `v1a` signatures verifies with a public key. */
function verifiesEd25519(
  headers: ReturnType<typeof signatureHeaders>,
  body: string,
  publicKey: string,
): boolean {
  const x = Buffer.from(publicKey.slice('whpk_'.length), 'base64').toString('base64url');
  const key = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } });
  const content = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`);
  const signatures = headers['webhook-signature'].split(' ').filter((one) => one.startsWith('v1a,'));
  return signatures.some((one) =>
    verify(null, content, key, Buffer.from(one.slice('v1a,'.length), 'base64')),
  );
}

describe('newHmacSecret', () => {
  it('returns 32 bytes, different each time', () => {
    const secret = newHmacSecret();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(newHmacSecret()).not.toBe(secret);
  });
});

describe('newEd25519Keys', () => {
  it('returns a private key that ends with its public key', () => {
    const { privateKey, publicKey } = newEd25519Keys();
    const bytes = Buffer.from(privateKey.slice('whsk_'.length), 'base64');
    expect(privateKey).toMatch(/^whsk_/);
    expect(bytes).toHaveLength(64);
    expect(`whpk_${bytes.subarray(32).toString('base64')}`).toBe(publicKey);
    expect(newEd25519Keys().privateKey).not.toBe(privateKey);
  });
});

describe('signatureHeaders', () => {
  it('returns the published signatures', () => {
    const { secret, id, seconds, body, v1, v1a } = published;
    const timestamp = new Date(seconds * 1000 + 999);
    expect(signatureHeaders({ id, timestamp, body, secrets: [parseSecret(secret)] })).toEqual({
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': `${v1} ${v1a}`,
    });
  });

  it('signs so that the standardwebhooks package verifies the message', () => {
    const secret = newSecret();
    const sent = message({ secrets: [parseSecret(secret)] });
    const headers = signatureHeaders(sent);
    expect(new Webhook(secret.hmac).verify(sent.body, headers)).toEqual({ name: 'Zoë 🚀' });
    expect(() => new Webhook(secret.hmac).verify(sent.body.replace('Zoë', 'Zoe'), headers)).toThrow();
    expect(() => new Webhook(newHmacSecret()).verify(sent.body, headers)).toThrow();
  });

  it('signs so that the public key verifies the message', () => {
    const { privateKey, publicKey } = newEd25519Keys();
    const sent = message({ secrets: [parseSecret({ hmac: newHmacSecret(), ed25519: privateKey })] });
    const headers = signatureHeaders(sent);
    expect(verifiesEd25519(headers, sent.body, publicKey)).toBe(true);
    expect(verifiesEd25519(headers, `${sent.body} `, publicKey)).toBe(false);
    expect(verifiesEd25519({ ...headers, 'webhook-id': 'other' }, sent.body, publicKey)).toBe(false);
    expect(verifiesEd25519({ ...headers, 'webhook-timestamp': '1' }, sent.body, publicKey)).toBe(false);
    expect(verifiesEd25519(headers, sent.body, newEd25519Keys().publicKey)).toBe(false);
  });

  it('signs with each secret, in their order', () => {
    const [newer, older] = [newSecret(), newSecret()];
    const sent = message({ secrets: [newer, older].map(parseSecret) });
    const headers = signatureHeaders(sent);
    const single = [newer, older].map((one) => signatureHeaders({ ...sent, secrets: [parseSecret(one)] }));
    expect(headers['webhook-signature']).toBe(single.map((one) => one['webhook-signature']).join(' '));
    for (const { hmac } of [newer, older]) new Webhook(hmac).verify(sent.body, headers);
  });
});

const base64 = (bytes: number) => Buffer.alloc(bytes, 7).toString('base64');

const malformed: [string, Partial<SigningSecret>][] = [
  ['an HMAC secret without its prefix', { hmac: base64(32) }],
  ['an HMAC secret that is too short', { hmac: `whsec_${base64(23)}` }],
  ['an HMAC secret that is too long', { hmac: `whsec_${base64(65)}` }],
  ['an HMAC secret that is not base64', { hmac: `whsec_${base64(32)}!` }],
  ['a public key instead of the private key', { ed25519: published.publicKey }],
  ['a private key without its public key', { ed25519: `whsk_${base64(32)}` }],
  ['a private key with the public key of another', { ed25519: `whsk_${base64(64)}` }],
  ['an empty private key', { ed25519: '' }],
];

describe('parseSecret', () => {
  it.each(malformed)('rejects %s without quoting it', (_, change) => {
    const [text = ''] = Object.values(change);
    const parse = () => parseSecret({ ...published.secret, ...change });
    expect(parse).toThrow(/^The (HMAC secret|ed25519 private key) must be/);
    if (text !== '') expect(parse).not.toThrow(text);
  });
});
