import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { answerOf, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
let env: { DATABASE_URL: string };

const helped = [
  ['serve'],
  ['migrate'],
  ['doctor'],
  ['config'],
  ['schema'],
  ['tenants', 'create'],
  ['tenants', 'update'],
  ['tenants', 'list'],
  ['tenants', 'show'],
  ['keys', 'create'],
  ['keys', 'list'],
  ['keys', 'revoke'],
  ['import'],
  ['export'],
  ['seed', 'demo'],
  ['listen'],
  ['completion'],
];

beforeAll(async () => {
  env = { DATABASE_URL: await server.create(templateName) };
});

describe.concurrent('a command', { timeout: 60_000 }, () => {
  it('prints the committed schema for schema', async () => {
    const committed = await readFile(join(import.meta.dirname, '../../src/schema.graphql'), 'utf8');
    const { code, stdout, stderr } = await programs.run(['schema'], {});
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: committed, stderr: '' });
  });

  it('prints the line in src/ of an unexpected error', async () => {
    const broken = encodeURIComponent('process.stdout.write = () => { throw new Error("it broke"); };');
    const { code, stderr } = await programs.run(['schema'], {
      NODE_OPTIONS: `--import data:text/javascript,${broken}`,
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Error: it broke$/m);
    expect(stderr).toMatch(/^ +at (Module\.)?schemaCommand \(.*\/src\/cli\/schema\.ts:5:/m);
  });

  it.each(helped)('prints help with examples for %j', async (...args) => {
    const help = answerOf(await programs.run([...args, '--help'], {}));
    expect(help).toMatch(new RegExp(`^Usage: accountgraph ${args.join(' ')}`));
    expect(help).toMatch(/\n\nExamples:\n {2}\$ \S/);
  });

  it('lists every command in the help of the program', async () => {
    const help = answerOf(await programs.run(['help'], {}));
    expect(help).toMatch(/^Usage: accountgraph \[options\] \[command\]\n/);
    const names = [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name);
    expect(names).toEqual([...new Set(helped.map(([name]) => name)), 'help']);
    expect(help).toContain(
      'Exit codes: 0 done, 1 refused, 2 wrong usage, 3 database or service unavailable.',
    );
  });

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(answerOf(await programs.run(['--version'], {}))).toBe(version);
  });

  it.each([
    [['bogus'], "error: unknown command 'bogus'"],
    [['serve', '--port', '80'], "error: unknown option '--port'"],
    [['keys', 'create', '--tenant', 'acme'], "error: required option '--name <name>' not specified"],
    [['keys', 'list', '--tenant'], "error: option '--tenant <name>' argument missing"],
    [['keys', 'revoke'], "error: missing required argument 'key id'"],
    [['listen', '--after', 'AAAA'], "error: required option '--forward-to <url>' not specified"],
    [
      ['listen', '--forward-to', 'http://localhost:3000', 'now'],
      "error: too many arguments for 'listen'. Expected 0 arguments but got 1.",
    ],
    [['tenants', 'create', 'acme', '--color', 'red'], "error: unknown option '--color'"],
  ])('explains the wrong usage %j with exit code 2', async (args, line) => {
    const { code, stdout, stderr } = await programs.run(args, env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(`${line}\nRun the command with --help to see its options.\n`);
  });

  it.each([
    [['tenant', 'list'], '(Did you mean tenants?)'],
    [['keys', 'lst'], '(Did you mean list?)'],
    [['migrate', '--chek'], '(Did you mean --check?)'],
  ])('suggests the right name for %j', async (args, suggestion) => {
    const { code, stderr } = await programs.run(args, env);
    expect(code).toBe(2);
    expect(stderr).toContain(`\n${suggestion}\n`);
  });

  it.each(['bash', 'zsh', 'fish'])('prints a completion script for %s', async (shell) => {
    const script = answerOf(await programs.run(['completion', shell], {}));
    expect(script).toContain(`# ${shell} completion for accountgraph`);
    expect(script).toContain('accountgraph complete --');
  });

  it.each([
    [['ten'], ['tenants']],
    [
      ['tenants', ''],
      ['create', 'update', 'list', 'show', 'help'],
    ],
    [
      ['migrate', '--'],
      ['--check', '--json', '--help'],
    ],
  ])('completes %j', async (words, completions) => {
    const printed = answerOf(await programs.run(['complete', '--', ...words], {}));
    const found = printed.split('\n').filter((line) => !line.startsWith(':'));
    expect(found.map((line) => line.split('\t')[0])).toEqual(completions);
  });

  it.each([
    [['tenants', 'create', 'Acme Inc'], 'name must be 1 to 50 lower-case letters, digits and hyphens.'],
    [['keys', 'create', '--tenant', 'nobody', '--name', 'x'], 'Tenant "nobody" does not exist.'],
    [['tenants', 'update', 'nobody', '--currency', 'EUR'], 'Tenant "nobody" does not exist.'],
    [['tenants', 'update', 'nobody', '--net-term-days', '366'], 'netTermDays must be at most 365.'],
    [['tenants', 'update', 'nobody', '--net-term-days', 'x'], 'netTermDays must be a value of type number.'],
    [['keys', 'revoke', 'key_nothing'], 'No active key has the id "key_nothing".'],
  ])('rejects %j in one sentence', async (args, sentence) => {
    expect(sentenceOf(await programs.run(args, env))).toBe(sentence);
  });

  it.each([
    [
      ['keys', 'create', '--tenant', 'nobody', '--name', ''],
      'The name must have 1 to 100 characters, has 0.',
    ],
    [
      ['keys', 'create', '--tenant', 'nobody', '--name', 'x', '--scopes', 'accounts:read,everything'],
      'The scopes must be one of accounts:read, accounts:write, customers:read, customers:write, keys:manage, webhooks:manage.',
    ],
    [['tenants', 'update', 'nobody'], 'Nothing to change. Set --name, --currency or --net-term-days.'],
  ])('rejects %j in one sentence as wrong usage', async (args, sentence) => {
    expect(sentenceOf(await programs.run(args, env), 2)).toBe(sentence);
  });

  it('prints JSON with --json', async () => {
    const json = async (...args: string[]) =>
      JSON.parse(answerOf(await programs.run([...args, '--json'], env)));
    expect(await json('tenants', 'create', 'jason', '--net-term-days', '7')).toMatchObject({
      name: 'jason',
      baseCurrency: 'USD',
      netTermDays: 7,
    });
    expect(await json('tenants', 'list')).toContainEqual(expect.objectContaining({ name: 'jason' }));
    const key = await json('keys', 'create', '--tenant', 'jason', '--name', 'a');
    expect(key).toEqual({ id: expect.stringMatching(/^key_/), token: expect.stringMatching(/^agk_/) });
    const listed = await json('keys', 'list', '--tenant', 'jason');
    expect(listed).toMatchObject([{ id: key.id, name: 'a', expiresAt: null, lastUsedAt: null }]);
    expect(await json('tenants', 'show', 'jason')).toMatchObject({
      customers: 0,
      accounts: 0,
      activeKeys: 1,
    });
    expect(await json('tenants', 'update', 'jason', '--currency', 'EUR')).toMatchObject({
      name: 'jason',
      baseCurrency: 'EUR',
      netTermDays: 7,
      version: 2,
    });
    expect(await json('keys', 'revoke', key.id)).toEqual({ id: key.id, revoked: true });
    expect(await json('tenants', 'show', 'jason')).toMatchObject({ activeKeys: 0 });
    expect(await json('migrate', '--check')).toEqual({ missing: 0 });
  });

  describe('on a terminal', () => {
    const onTerminal = (command: string, more: object = {}) =>
      programs.shell(`script -qec 'node dist/main.js ${command}' /dev/null`, {
        ...env,
        TERM: 'xterm-256color',
        ...more,
      });

    it('prints a table with aligned columns', async () => {
      answerOf(await programs.run(['tenants', 'create', 'a-rather-long-name'], env));
      answerOf(await programs.run(['tenants', 'create', 'b', '--currency', 'EUR'], env));
      const { stdout } = await onTerminal('tenants list');
      const lines = stdout.split('\r\n');
      expect(lines[0]).toMatch(/^Name +Currency {2}Net terms$/);
      const column = lines[0]?.indexOf('Currency');
      const [long, short] = ['a-rather-long-name', 'b '].map((start) =>
        lines.find((line) => line.startsWith(start)),
      );
      expect([long?.indexOf('USD'), short?.indexOf('EUR')]).toEqual([column, column]);
    });

    it('prints colors unless NO_COLOR is set', async () => {
      const startOfColor = String.fromCharCode(27);
      expect((await onTerminal('doctor')).stdout).toContain(
        `${startOfColor}[32m✓${startOfColor}[39m database: `,
      );
      const plain = (await onTerminal('doctor', { NO_COLOR: '1' })).stdout;
      expect(plain).toContain('✓ database: ');
      expect(plain).not.toContain(startOfColor);
    });
  });

  it('prints the checks of doctor, and exits with 1 if something must be done', async () => {
    const good = await programs.run(['doctor'], env);
    expect(good.stdout).toMatch(/^ok\tdatabase\t.*\t$/m);
    const wrong = await programs.run(['doctor', '--json'], { ...env, PORT: 'abc' });
    expect(wrong.code).toBe(1);
    expect(JSON.parse(wrong.stdout)).toMatchObject([
      { name: 'configuration', status: 'problem', message: 'PORT must be a whole number from 0 to 65535.' },
    ]);
  });

  it('prints the configuration in force without secrets', async () => {
    const variables = JSON.parse(answerOf(await programs.run(['config', '--json'], env)));
    expect(variables).toContainEqual({ name: 'HOST', value: '127.0.0.1', source: 'default' });
    expect(variables).toContainEqual({ name: 'PORT', value: '0', source: 'environment' });
    const lines = answerOf(await programs.run(['config'], { ...env, SESSION_KEYS: 'x'.repeat(32) }));
    expect(lines).toMatch(/^SESSION_KEYS\t\*\*\*\tenvironment$/m);
    expect(lines).not.toContain('xxx');
  });

  it('creates a key with scopes, which keys list prints', async () => {
    answerOf(await programs.run(['tenants', 'create', 'scoped'], env));
    const some = ['--scopes', 'customers:read,accounts:read'];
    answerOf(await programs.run(['keys', 'create', '--tenant', 'scoped', '--name', 'some', ...some], env));
    answerOf(await programs.run(['keys', 'create', '--tenant', 'scoped', '--name', 'all'], env));
    const listed = answerOf(await programs.run(['keys', 'list', '--tenant', 'scoped'], env));
    expect(listed.split('\n').map((line) => line.split('\t').slice(1, 3))).toEqual([
      ['some', 'customers:read,accounts:read'],
      ['all', 'accounts:read,accounts:write,customers:read,customers:write,keys:manage,webhooks:manage'],
    ]);
  });

  it.each(['0d', '90', '2020-01-31', '2030-02-31', '2030-01-31T00:00', 'tomorrow'])(
    'rejects the expiry %s in one sentence',
    async (expiry) => {
      const args = ['keys', 'create', '--tenant', 'nobody', '--name', 'x', '--expires', expiry];
      expect(sentenceOf(await programs.run(args, env), 2)).toBe(
        'The expiry must be in the future, and must be days such as 90d, a date such as 2030-01-31, or an instant such as 2030-01-31T12:00:00Z.',
      );
    },
  );

  it('creates a key with an expiry, which keys list prints', async () => {
    answerOf(await programs.run(['tenants', 'create', 'expiring'], env));
    const create = ['keys', 'create', '--tenant', 'expiring', '--name'];
    answerOf(await programs.run([...create, 'date', '--expires', '2100-01-31'], env));
    answerOf(await programs.run([...create, 'instant', '--expires', '2100-01-31T12:00:00+02:00'], env));
    answerOf(await programs.run([...create, 'days', '--expires', '90d'], env));
    const listed = answerOf(await programs.run(['keys', 'list', '--tenant', 'expiring'], env));
    const columns = listed.split('\n').map((line) => line.split('\t'));
    expect(columns.map((line) => [line[1], ...line.slice(4)])).toEqual([
      ['date', 'expires 2100-01-31T00:00:00.000Z', 'never used', 'active'],
      ['instant', 'expires 2100-01-31T10:00:00.000Z', 'never used', 'active'],
      ['days', expect.stringMatching(/^expires .*Z$/), 'never used', 'active'],
    ]);
    const expires = Date.parse(columns[2]?.[4]?.replace('expires ', '') ?? '');
    expect(Math.round((expires - Date.now()) / 86_400_000)).toBe(90);
  });

  it('changes a tenant for tenants update, and shows its version', async () => {
    answerOf(await programs.run(['tenants', 'create', 'changing'], env));
    const terms = ['--name', 'changed', '--currency', 'EUR', '--net-term-days', '45'];
    const updated = answerOf(await programs.run(['tenants', 'update', 'changing', ...terms], env));
    expect(updated).toBe('The tenant changed has version 2 (EUR, 45 days).');
    const same = answerOf(await programs.run(['tenants', 'update', 'changed', '--currency', 'EUR'], env));
    expect(same).toBe(updated);
    const shown = answerOf(await programs.run(['tenants', 'show', 'changed'], env));
    expect(shown).toMatch(/^Name +changed\nCurrency +EUR\nNet terms +45 days\nVersion +2\n/);
    const history = await server.everything(env.DATABASE_URL);
    expect(history.match(/cli:tenants,cli-[^)]*changing/g)).toHaveLength(1);
    const gone = await programs.run(['tenants', 'show', 'changing'], env);
    expect(sentenceOf(gone)).toBe('Tenant "changing" does not exist.');
  });

  it('rejects a tenant name that is taken', async () => {
    answerOf(await programs.run(['tenants', 'create', 'taken'], env));
    const second = await programs.run(['tenants', 'create', 'taken'], env);
    expect(sentenceOf(second)).toBe('Tenant "taken" already exists. Use another name.');
    answerOf(await programs.run(['tenants', 'create', 'other'], env));
    const renamed = await programs.run(['tenants', 'update', 'other', '--name', 'taken'], env);
    expect(sentenceOf(renamed)).toBe('The name "taken" is or was that of another tenant. Use another name.');
  });
});
