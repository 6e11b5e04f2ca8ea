import { chmod, chown, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isRoot, nobody } from '../support/embedded.ts';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { ask, type Running, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
const patience = { timeout: 120_000 };

async function authenticate({ url }: Running, apiKey = '') {
  const response = await fetch(new URL('/authenticate', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}` },
  });
  const body = (await response.json()) as { token?: string; message?: string };
  return { status: response.status, headers: response.headers, body };
}

async function statusOf({ url }: Running, token: string | undefined): Promise<number> {
  return (await ask(url, token, '{ viewer { keyName } }')).status;
}

/** Starts the service, runs `work`, and stops the service. */
async function during<T>(env: Record<string, string>, work: (running: Running) => Promise<T>): Promise<T> {
  const running = await programs.serve(env);
  const result = await work(running);
  expect(await running.stop('SIGTERM')).toMatchObject({ code: 0 });
  return result;
}

async function newSession(running: Running, apiKey = running.token): Promise<string | undefined> {
  const { status, body } = await authenticate(running, apiKey);
  expect(status).toBe(200);
  return body.token;
}

/** Returns the files below a directory that contain a text. */
async function filesWith(text: string, directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found = await Promise.all(files.map(async (file) => (await readFile(file)).includes(text)));
  return files.filter((_, index) => found[index]);
}

describe('the session key of the embedded database', patience, () => {
  it('is a private file outside the PostgreSQL data that survives restarts and can be replaced', async () => {
    const env = { DATA_DIR: programs.path('data') };
    const file = join(env.DATA_DIR, 'session-key');
    const token = await during(env, newSession);

    const { mode, uid } = await stat(file);
    expect({ mode: mode & 0o777, uid }).toEqual({ mode: 0o600, uid: process.getuid?.() });
    const key = await readFile(file, 'utf8');
    expect(Buffer.from(key.trim(), 'base64url')).toHaveLength(32);
    expect((await readdir(env.DATA_DIR)).filter((name) => name.startsWith('session-key'))).toEqual([
      'session-key',
    ]);
    expect(await filesWith(key.trim(), join(env.DATA_DIR, 'postgres'))).toEqual([]);

    await during(env, async (running) => expect(await statusOf(running, token)).toBe(200));
    expect(await readFile(file, 'utf8')).toBe(key);

    await rm(file);
    await during(env, async (running) => {
      expect(await statusOf(running, token)).toBe(401);
      expect(await statusOf(running, await newSession(running))).toBe(200);
    });
    expect(await readFile(file, 'utf8')).not.toBe(key);
  });

  it('prevents the start if another user can read or write it', async () => {
    const env = { DATA_DIR: programs.path('open') };
    const file = join(env.DATA_DIR, 'session-key');
    await during(env, newSession);
    const refusal = `The session key file ${file} must belong to the user of the service (uid ${process.getuid?.()}) and have mode 0600. Correct it, or delete it: the next start creates another.`;
    await chmod(file, 0o640);
    expect(sentenceOf(await programs.run([], env))).toBe(refusal);
    await chmod(file, 0o600);
    if (isRoot) {
      await chown(file, nobody, nobody);
      expect(sentenceOf(await programs.run([], env))).toBe(refusal);
      await chown(file, 0, 0);
    }
    await writeFile(file, 'Hunter2\n');
    expect(sentenceOf(await programs.run([], env))).toBe(
      `The session key file ${file} must hold keys of at least 32 visible ASCII characters other than commas, one per line.`,
    );
  });

  it('is not created if SESSION_KEYS is set', async () => {
    const env = { DATA_DIR: programs.path('configured'), SESSION_KEYS: 'k'.repeat(32) };
    await during(env, newSession);
    expect(await readdir(env.DATA_DIR)).not.toContain('session-key');
  });
});

describe('a service with DATABASE_URL', patience, () => {
  async function newDatabase() {
    const env = { DATABASE_URL: await server.create(templateName) };
    await programs.run(['tenants', 'create', 'acme'], env);
    const { stdout } = await programs.run(['keys', 'create', '--tenant', 'acme', '--name', 'test'], env);
    return { env, apiKey: /agk_\S+/.exec(stdout)?.[0] };
  }

  it('returns 503 for POST /authenticate without a session key, and accepts API keys elsewhere', async () => {
    const { env, apiKey } = await newDatabase();
    await during(env, async (running) => {
      const { status, headers, body } = await authenticate(running, apiKey);
      expect({ status, body }).toEqual({
        status: 503,
        body: {
          message:
            'This service has no session key, so it issues no tokens. Send the API key with each request instead.',
        },
      });
      expect(headers.get('x-error-code')).toBe('SERVICE_UNAVAILABLE');
      expect(headers.get('retry-after')).toBeNull();
      expect(await statusOf(running, apiKey)).toBe(200);
    });
  });

  it('rotates its keys in SESSION_KEYS_FILE', async () => {
    const { env: database, apiKey } = await newDatabase();
    const file = programs.path('session-keys');
    const env = { ...database, SESSION_KEYS_FILE: file };
    const [oldKey, newKey] = ['o'.repeat(32), 'n'.repeat(32)];
    await writeFile(file, `${oldKey}\n`);
    const token = await during(env, (running) => newSession(running, apiKey));
    await writeFile(file, `${newKey}\r\n\r\n${oldKey}`);
    const next = await during(env, async (running) => {
      expect(await statusOf(running, token)).toBe(200);
      return newSession(running, apiKey);
    });
    await during({ ...database, SESSION_KEYS: newKey }, async (running) => {
      expect(await statusOf(running, next)).toBe(200);
      expect(await statusOf(running, token)).toBe(401);
    });
    expect(await server.everything(env.DATABASE_URL)).not.toContain(newKey);
  });

  it('fails to start if SESSION_KEYS_FILE is missing or contains no keys, without printing its content', async () => {
    const missing = programs.path('missing');
    const env = { DATABASE_URL: server.urlOf(templateName), SESSION_KEYS_FILE: missing };
    expect(sentenceOf(await programs.run([], env))).toMatch(
      /^SESSION_KEYS_FILE names .*\/missing, which cannot be read: ENOENT/,
    );
    const short = programs.path('short');
    await writeFile(short, `${'k'.repeat(32)}\nHunter2\n`);
    expect(sentenceOf(await programs.run([], { ...env, SESSION_KEYS_FILE: short }))).toBe(
      `SESSION_KEYS_FILE names ${short}, which must hold keys of at least 32 visible ASCII characters, separated by commas or line breaks.`,
    );
  });
});
