import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { exportSPKI } from 'jose';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { explainExtensions } from '../../src/cli/checks/database.ts';
import { mustAct, runChecks } from '../../src/cli/doctor.ts';
import { templateName } from '../support/global-setup.ts';
import { newKey, openIssuer } from '../support/jwt-issuer.ts';
import { freePort } from '../support/ports.ts';
import { usePostgres } from './postgres.ts';
import { usePrograms } from './program.ts';

const server = usePostgres();
const programs = usePrograms();
const patience = { timeout: 60_000 };

let admin: postgres.Sql;
beforeAll(() => {
  admin = postgres({ ...inject('server'), max: 1, onnotice: () => undefined });
});
afterAll(() => admin.end());

/** Returns the checks by name, as `status message advice`. Fails if one has no advice or a secret. */
async function examine(env: NodeJS.ProcessEnv, now?: () => number): Promise<Record<string, string>> {
  const checks = await runChecks(env, now);
  const text = JSON.stringify(checks);
  expect(text).not.toContain(inject('server').password);
  expect(text).not.toContain('Hunter2');
  expect(mustAct(checks)).toBe(text.includes('"status":"problem"'));
  for (const { status, message, advice } of checks) {
    expect(message).toMatch(/^[A-Z`].*\.$/);
    expect(advice).toEqual(status === 'ok' ? null : expect.stringMatching(/^[A-Z].*\.$/));
  }
  return Object.fromEntries(
    checks.map(({ name, status, message, advice }) => [
      name,
      [status, message, advice ?? ''].join(' ').trim(),
    ]),
  );
}

const statusesOf = (checks: Record<string, string>) =>
  Object.fromEntries(Object.entries(checks).map(([name, text]) => [name, text.split(' ')[0]]));

/** Creates a database with these options, and returns its URL. */
async function createDatabase(options: string): Promise<string> {
  const name = `doctor_${randomUUID().replaceAll('-', '')}`;
  await admin.unsafe(`create database ${name} ${options}`);
  return server.urlOf(name);
}

/** Returns the URL of a database for a new role without rights. */
async function asNewRole(url: string, options = ''): Promise<string> {
  const role = `doctor_${randomUUID().replaceAll('-', '')}`;
  await admin.unsafe(`create role ${role} login password 'Hunter2' ${options}`);
  const { port, pathname } = new URL(url);
  return `postgres://${role}:Hunter2@127.0.0.1:${port}${pathname}`;
}

describe('runChecks with a DATABASE_URL', patience, () => {
  it('finds no problem in a migrated database', async () => {
    const checks = await examine({ DATABASE_URL: await server.create(templateName) });
    expect(statusesOf(checks)).toEqual({
      configuration: 'ok',
      database: 'ok',
      text: 'ok',
      'prepared statements': 'ok',
      connections: 'ok',
      extensions: 'ok',
      migrations: 'ok',
      clock: 'ok',
    });
    expect(checks.database).toMatch(
      /^ok The database cli_\w+ at 127\.0\.0\.1:\d+ \(DATABASE_URL\) is reachable: /,
    );
    expect(checks.connections).toMatch(/ With DATABASE_POOL_SIZE=8, \d+ more replicas? can start\.$/);
  });

  it('reports every invalid variable, and nothing else', async () => {
    const checks = await runChecks({ PORT: 'x', DATABASE_URL: 'Hunter2', MIGRATE: 'yes' });
    expect(checks.map(({ name, status, message }) => `${name} ${status} ${message}`)).toEqual([
      'configuration problem PORT must be a whole number from 0 to 65535.',
      'configuration problem DATABASE_URL must be a URL such as postgres://user:password@host:5432/database.',
      'configuration problem MIGRATE must be true or false.',
    ]);
    expect(mustAct(checks)).toBe(true);
  });

  it('reports missing migrations, and applies none', async () => {
    const env = { DATABASE_URL: await server.create() };
    const lacks = expect.stringMatching(
      /^ok The database lacks \d+ migrations\. The next start applies them\.$/,
    );
    expect(await examine(env)).toMatchObject({ migrations: lacks, rights: expect.stringMatching(/^ok /) });
    expect((await examine({ ...env, NODE_ENV: 'production' })).migrations).toMatch(
      /^problem The database lacks \d+ migrations\. Run `accountgraph migrate`, or set MIGRATE=true /,
    );
  });

  it('warns about migrations of a newer version', async () => {
    const env = { DATABASE_URL: await server.create(templateName) };
    const sql = postgres(env.DATABASE_URL, { max: 1 });
    await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', 9000000000000)`;
    await sql.end();
    expect((await examine(env)).migrations).toMatch(
      /^warning The database has 1 migration of a newer version\. Update this service/,
    );
  });

  it('reports a role that cannot migrate', async () => {
    const DATABASE_URL = await asNewRole(await server.create());
    const checks = await examine({ DATABASE_URL });
    expect(checks.rights).toMatch(
      /^problem The role of the service cannot create schemas in the database, and cannot create tables in the schema\. /,
    );
    expect(checks.extensions).toMatch(
      /^problem .* cannot create the extension btree_gin\. As a superuser, run /,
    );
  });

  it('reports a role that does not own the tables or cannot read the migrations', async () => {
    const url = await server.create(templateName);
    const sql = postgres(url, { max: 1 });
    const DATABASE_URL = await asNewRole(url);
    expect((await examine({ DATABASE_URL })).migrations).toMatch(
      /^problem .* cannot be used: permission denied for schema drizzle\. Grant its role this right, /,
    );
    await sql.unsafe(`delete from drizzle.__drizzle_migrations where id > 3;
      grant usage on schema drizzle to public; grant select on drizzle.__drizzle_migrations to public;
      grant create on schema public to public; grant create on database ${new URL(url).pathname.slice(1)} to public`);
    await sql.end();
    expect((await examine({ DATABASE_URL })).rights).toMatch(
      /^problem The role of the service cannot alter the tables, because another role owns them\. /,
    );
  });

  it('warns about an LC_CTYPE of ASCII, and reports another encoding', async () => {
    const ascii = await createDatabase(`encoding 'UTF8' lc_ctype 'C' template template0`);
    expect((await examine({ DATABASE_URL: ascii })).text).toMatch(
      /^warning LC_CTYPE of the database is C, which covers only ASCII letters\. /,
    );
    const latin = await createDatabase(
      `encoding 'LATIN1' locale_provider libc lc_collate 'C' lc_ctype 'C' template template0`,
    );
    expect((await examine({ DATABASE_URL: latin })).text).toMatch(
      /^problem The encoding of the database is LATIN1, not UTF8\. Create another database /,
    );
  });

  it('reports how many replicas the limits on connections leave', async () => {
    const url = await server.create(templateName);
    const narrow = await asNewRole(url, 'connection limit 5');
    expect((await examine({ DATABASE_URL: narrow })).connections).toMatch(
      /^problem The role has 5 of 5 connections free\. The pool of a replica, DATABASE_POOL_SIZE=8, does not fit\. /,
    );
    const wide = await asNewRole(url, 'connection limit 20');
    expect((await examine({ DATABASE_URL: wide })).connections).toBe(
      'ok The role has 20 of 20 connections free. With DATABASE_POOL_SIZE=8, 2 more replicas can start.',
    );
    const used = await asNewRole(url, 'connection limit 12');
    const replica = postgres(used, { max: 8, connection: { application_name: 'accountgraph' } });
    await Promise.all(Array.from({ length: 8 }, () => replica.reserve()));
    expect((await examine({ DATABASE_URL: used })).connections).toMatch(
      /^warning The role has 4 of 12 connections free\. With DATABASE_POOL_SIZE=8, no more replicas can start\. /,
    );
    await replica.end({ timeout: 0 });
  });

  it.each([
    [0, 'ok'],
    [-5000, 'warning The clock of the database is 5 s ahead of the clock of this machine, '],
    [60_000, 'problem The clock of the database is 60 s behind the clock of this machine, '],
  ])('compares a clock that differs by %d ms with that of the database', async (differenceMs, expected) => {
    const now = () => Date.now() + differenceMs;
    const { clock } = await examine({ DATABASE_URL: server.urlOf(templateName) }, now);
    expect(clock?.startsWith(expected)).toBe(true);
  });

  it('explains why a database cannot be used, and leaves out what depends on it', async () => {
    const url = new URL(server.urlOf(templateName));
    const wrong = Object.assign(new URL(url), { password: 'Hunter2' });
    const silent = createServer();
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const { port } = silent.address() as AddressInfo;
    const cases = {
      [`postgres://me:Hunter2@127.0.0.1:${await freePort()}/x`]:
        /ECONNREFUSED .*\. Start the database, or correct DATABASE_URL\.$/,
      'postgres://me:Hunter2@nowhere.invalid/x': /(ENOTFOUND|EAI_AGAIN) .*\. Start the database, or correct /,
      [server.urlOf('nothing')]: /"nothing" does not exist\. Create the database, or correct its name /,
      [wrong.href]: /password authentication failed .*\. Correct the user and the password /,
      [`postgres://me:Hunter2@127.0.0.1:${port}/x`]: /CONNECT_TIMEOUT .*\. Start the database, or correct /,
    };
    const checked = Object.entries(cases).map(async ([DATABASE_URL, expected]) => {
      const checks = await examine({ DATABASE_URL });
      expect(Object.keys(checks)).toEqual(['configuration', 'database']);
      expect(checks.database).toMatch(/^problem The database \w+ at \S+ \(DATABASE_URL\) cannot be used: /);
      expect(checks.database).toMatch(expected);
    });
    await Promise.all(checked);
    silent.close();
  });

  it('warns about missing keys in production', async () => {
    const env = { DATABASE_URL: server.urlOf(templateName), NODE_ENV: 'production' };
    const { 'session keys': session, 'webhook keys': webhook } = await examine(env);
    expect(session).toMatch(/^warning SESSION_KEYS is unset, so `POST \/authenticate` returns 503\. /);
    expect(webhook).toMatch(/^warning WEBHOOK_KEYS is unset, so there are no webhooks\. /);
    const keys = { SESSION_KEYS: `Hunter2${'1'.repeat(32)}`, WEBHOOK_KEYS: `Hunter2${'2'.repeat(32)}` };
    expect(statusesOf(await examine({ ...env, ...keys }))).toMatchObject({
      'session keys': 'ok',
      'webhook keys': 'ok',
    });
  });
});

describe('explainExtensions', () => {
  it('reports an extension that the server does not have', () => {
    const [check] = explainExtensions(['pg_trgm'], []);
    expect(check).toMatchObject({
      status: 'problem',
      message: 'The server does not have the extension pg_trgm.',
    });
  });
});

/** Variables of a service whose database is refused at once. */
const noDatabase = { DATABASE_URL: 'postgres://me@127.0.0.1:1/x' };

describe('the check of the JWT keys', patience, () => {
  const jwt = { ...noDatabase, JWT_ISSUER: 'https://issuer.example', JWT_AUDIENCE: 'accountgraph' };

  it.each([
    ['keys', /^problem The issuer at .*\/jwks \(JWT_JWKS_URL\) has no public key\. Correct JWT_JWKS_URL, /],
    ['failure', /returned status 500\. /],
    ['nonsense', /did not return a JWKS\. /],
    ['silence', /did not respond within 3 s\. /],
  ] as const)('reports an issuer that answers with %s', async (answer, expected) => {
    const issuer = await openIssuer();
    issuer.state.answer = answer;
    const { 'JWT keys': check } = await examine({ ...jwt, JWT_JWKS_URL: `${issuer.url}?key=Hunter2` });
    issuer.close();
    expect(check).toMatch(expected);
  });

  it('accepts an issuer with keys, and reports one that is down', async () => {
    const issuer = await openIssuer();
    issuer.state.keys.push(await newKey('one'));
    const env = { ...jwt, JWT_JWKS_URL: issuer.url.href };
    expect((await examine(env))['JWT keys']).toMatch(/^ok .* has public keys\.$/);
    issuer.close();
    expect((await examine(env))['JWT keys']).toMatch(/^problem .* is unreachable: connect ECONNREFUSED /);
  });

  it('reports a file that is missing or has no public key', async () => {
    const JWT_KEY_FILE = programs.path('key.pem');
    const check = async () => (await examine({ ...jwt, JWT_KEY_FILE }))['JWT keys'];
    expect(await check()).toMatch(/^problem JWT_KEY_FILE names .*, which cannot be read: ENOENT/);
    await writeFile(JWT_KEY_FILE, 'Hunter2');
    expect(await check()).toMatch(/^problem JWT_KEY_FILE names .*, which must hold one public key/);
    await writeFile(JWT_KEY_FILE, await exportSPKI((await newKey('one')).publicKey));
    expect(await check()).toMatch(/^ok The file .*key\.pem \(JWT_KEY_FILE\) has public keys\.$/);
  });
});

describe('the check of the trusted documents', () => {
  it('reports a file that is missing, malformed or empty', async () => {
    const TRUSTED_DOCUMENTS = programs.path('documents.json');
    const env = { ...noDatabase, TRUSTED_DOCUMENTS, TRUSTED_DOCUMENTS_ONLY: 'true' };
    const check = async () => (await examine(env))['trusted documents'];
    expect(await check()).toMatch(/^problem TRUSTED_DOCUMENTS names .*, which cannot be read: ENOENT/);
    await writeFile(TRUSTED_DOCUMENTS, '[]');
    expect(await check()).toMatch(/^problem .* which is neither a JSON object .* Correct TRUSTED_DOCUMENTS /);
    await writeFile(TRUSTED_DOCUMENTS, '{}');
    expect(await check()).toMatch(/^problem The file of TRUSTED_DOCUMENTS has no documents, /);
    await writeFile(TRUSTED_DOCUMENTS, '{"a": "{ viewer { keyName } }"}');
    expect(await check()).toBe('ok The file has 1 document.');
  });
});
