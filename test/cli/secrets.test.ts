import type { KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeConfig } from '../../src/config/describe.ts';
import { environment } from '../../src/config/environment.ts';
import { ConfigError, fileVariableOf } from '../../src/config/variables.ts';
import { readClientConfig, readConfig } from '../../src/config.ts';
import type { z } from '../../src/lib/zod.ts';

const [first, second] = ['1'.repeat(32), `${'=/+'.repeat(20)}!`];
const textsOf = (keys: readonly KeyObject[] = []) => keys.map((key) => key.export().toString());

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ag-config-'));
});
afterAll(() => rm(directory, { recursive: true }));

/** Writes a file and returns its path. */
async function file(name: string, text: string): Promise<string> {
  await writeFile(join(directory, name), text);
  return join(directory, name);
}

/** A value of each secret, with a text that no output may contain. */
const secrets: Record<string, string> = {
  DATABASE_URL: 'postgres://me:Hunter2@db.example:5432/accounts?sslmode=require&sslpassword=Hunter2',
  SESSION_KEYS: `Hunter2${first},Hunter2:${first}`,
  WEBHOOK_KEYS: `postgres://Hunter2${first}`,
};
const secretNames = Object.entries<z.ZodType>(environment.shape)
  .filter(([name, variable]) => fileVariableOf(name, variable) !== undefined)
  .map(([name]) => name);

describe('a secret in a file', () => {
  it.each(secretNames)('is the value of %s, without its final line break', async (name) => {
    const path = await file(name, `${secrets[name]}\n`);
    expect(readConfig({ [`${name}_FILE`]: path })).toEqual(readConfig({ [name]: secrets[name] }));
  });

  it('can be keys, one per line', async () => {
    const path = await file('keys', `${first}\r\n\r\n${second}\n`);
    const { sessionKeys, webhookKeys } = readConfig({ SESSION_KEYS_FILE: path, WEBHOOK_KEYS_FILE: path });
    expect([textsOf(sessionKeys), textsOf(webhookKeys)]).toEqual([
      [first, second],
      [first, second],
    ]);
  });

  it('can be a token and a secret of accountgraph listen', async () => {
    const env = {
      ACCOUNTGRAPH_TOKEN_FILE: await file('token', 'agk_1\n'),
      ACCOUNTGRAPH_WEBHOOK_SECRET_FILE: await file('secret', 'whsec_1'),
    };
    expect(readClientConfig(env)).toEqual({ token: 'agk_1', secret: 'whsec_1' });
  });

  it('excludes the variable', async () => {
    const path = await file('both', first);
    const env = Object.fromEntries(
      secretNames.flatMap((name) => [
        [name, secrets[name]],
        [`${name}_FILE`, path],
      ]),
    );
    const problems = secretNames.map((name) => `Set only one of ${name} and ${name}_FILE.`);
    expect(() => readConfig(env)).toThrow(new ConfigError(problems));
  });

  it('is not absent if the file is empty', async () => {
    const path = await file('empty', '\n');
    expect(() => readConfig({ DATABASE_URL_FILE: path })).toThrow(
      `DATABASE_URL_FILE names ${path}, which must hold a URL such as postgres://`,
    );
  });

  it('is required if the variable names a file', () => {
    const path = join(directory, 'missing');
    expect(() => readConfig({ WEBHOOK_KEYS_FILE: path, PORT: 'x' })).toThrow(
      new ConfigError([
        `WEBHOOK_KEYS_FILE names ${path}, which cannot be read: ENOENT: no such file or directory, open '${path}'.`,
        'PORT must be a whole number from 0 to 65535.',
      ]),
    );
  });
});

/** Returns all that an error says. */
const messageOf = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    return String((error as Error).stack) + JSON.stringify(error);
  }
  throw new Error('It did not fail.');
};

describe('the value of a secret', () => {
  it('is masked by describeConfig', async () => {
    expect(Object.keys(secrets)).toEqual(secretNames);
    const files = Object.fromEntries(
      await Promise.all(
        secretNames.map(async (name) => [`${name}_FILE`, await file(`own-${name}`, secrets[name] ?? '')]),
      ),
    );
    for (const [env, source] of [
      [secrets, 'environment'],
      [files, 'file'],
    ] as const) {
      const described = describeConfig(env);
      expect(described.filter((one) => one.source === source).map(({ name }) => name)).toEqual(secretNames);
      expect(JSON.stringify(described)).not.toContain('Hunter2');
    }
  });

  it.each(secretNames)('is not in an error message if %s or its file is invalid', async (name) => {
    const path = await file(`invalid-${name}`, 'Hunter2\n');
    const clients = { ACCOUNTGRAPH_TOKEN: 'Hunter2', ACCOUNTGRAPH_TOKEN_FILE: path };
    const messages = [
      ...[readConfig, describeConfig].flatMap((read) => [
        messageOf(() => read({ [name]: 'Hunter2' })),
        messageOf(() => read({ [`${name}_FILE`]: path })),
        messageOf(() => read({ [name]: 'Hunter2', [`${name}_FILE`]: path })),
      ]),
      messageOf(() => readClientConfig(clients)),
    ];
    expect(messages.join('\n')).not.toContain('Hunter2');
  });
});
