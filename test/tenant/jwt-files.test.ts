import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, exportPKCS8, exportSPKI } from 'jose';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJwtVerifier } from '../../src/auth/jwt.ts';
import { acme, jwtOptions, type Key, newKey, sign, withIssuer } from '../support/issuer.ts';
import { statusOf } from '../support/replica.ts';
import { useService } from '../support/service.ts';

const service = useService();
const log = pino({ level: 'silent' });

let key: Key;
let rsa: Key;
let directory: string;

beforeAll(async () => {
  [key, rsa] = [await newKey('one'), await newKey('two', 'RS256')];
  await service.newTenant({ name: 'acme' });
  directory = await mkdtemp(join(tmpdir(), 'accountgraph-jwt-'));
});
afterAll(() => rm(directory, { recursive: true }));

describe('keys in a file', () => {
  const file = async (name: string, text: string) => {
    const path = join(directory, name);
    await writeFile(path, text);
    return { keys: { file: path } };
  };

  it('are one public key in PEM, whatever name a token gives it', async () => {
    const keys = await file('key.pem', await exportSPKI(rsa.publicKey));
    const statuses = await withIssuer(
      service,
      async (app) => [
        await statusOf(await sign({ ...rsa, kid: 'any' }, acme()), app),
        await statusOf(await sign(key, acme()), app),
      ],
      keys,
    );
    expect(statuses).toEqual([200, 401]);
  });

  it('are a JWK or a JWKS, whose names count', async () => {
    const tokens = [await sign(key, acme()), await sign({ ...key, kid: 'other' }, acme())];
    for (const content of [key.jwk, { keys: [rsa.jwk, key.jwk] }]) {
      const keys = await file('key.json', JSON.stringify(content));
      const statuses = await withIssuer(
        service,
        (app) => Promise.all(tokens.map((token) => statusOf(token, app))),
        keys,
      );
      expect(statuses).toEqual([200, 401]);
    }
  });

  it.each([
    ['nonsense', async () => 'nonsense'],
    ['a private key', async () => exportPKCS8(key.privateKey)],
    ['a private JWK', async () => JSON.stringify(await exportJWK(key.privateKey))],
    ['a shared secret', async () => JSON.stringify({ kty: 'oct', k: 'c2VjcmV0' })],
    ['an empty set', async () => '{"keys":[]}'],
  ])('are refused at the start when they are %s', async (name, content) => {
    const { keys } = await file(name, await content());
    await expect(createJwtVerifier(jwtOptions({ keys }), log)).rejects.toThrow(
      /^JWT_KEY_FILE names .*, which must hold one public key in PEM, a public JWK, or a JWKS of public keys\.$/,
    );
  });

  it('must be there', async () => {
    const keys = { file: join(directory, 'absent') };
    await expect(createJwtVerifier(jwtOptions({ keys }), log)).rejects.toThrow(
      /which cannot be read: ENOENT/,
    );
  });
});
