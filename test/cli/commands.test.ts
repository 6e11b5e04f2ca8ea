import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { answerOf, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
let env: { DATABASE_URL: string };

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
    expect(stderr).toMatch(/^ +at schemaCommand \(.*\/src\/cli\/schema\.ts:5:/m);
  });

  it('prints the usage for help', async () => {
    expect(answerOf(await programs.run(['help'], {}))).toMatch(
      /^accountgraph \[serve\]\naccountgraph migrate\n/,
    );
  });

  it.each([
    [['bogus'], 'Unknown command "bogus". Usage:'],
    [['serve', '--port', '80'], 'Unexpected argument "--port". Usage:'],
    [['keys', 'create', '--tenant', 'acme'], 'Usage:'],
    [['keys', 'list', '--tenant'], "Option '--tenant <value>' argument missing. Usage:"],
    [['listen', '--after', 'AAAA'], 'Usage:'],
    [['listen', '--forward-to', 'http://localhost:3000', 'now'], 'Usage:'],
    [['tenants', 'create', 'acme', '--color', 'red'], "Unknown option '--color'. Usage:"],
  ])('prints the usage for %j', async (args, line) => {
    const { code, stdout, stderr } = await programs.run(args, env);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.split('\n')[0]).toBe(line);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  it.each([
    [['tenants', 'create', 'Acme Inc'], 'name must be 1 to 50 lower-case letters, digits and hyphens.'],
    [['keys', 'create', '--tenant', 'nobody', '--name', 'x'], 'Tenant "nobody" does not exist.'],
    [
      ['keys', 'create', '--tenant', 'nobody', '--name', ''],
      'The name must have 1 to 100 characters, has 0.',
    ],
    [
      ['keys', 'create', '--tenant', 'nobody', '--name', 'x', '--scopes', 'accounts:read,everything'],
      'The scopes must be one of accounts:read, accounts:write, customers:read, customers:write, keys:manage, webhooks:manage.',
    ],
    [['keys', 'revoke', 'key_nothing'], 'No active key has the id "key_nothing".'],
  ])('rejects %j in one sentence', async (args, sentence) => {
    expect(sentenceOf(await programs.run(args, env))).toBe(sentence);
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
      expect(sentenceOf(await programs.run(args, env))).toBe(
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

  it('rejects a tenant name that is taken', async () => {
    answerOf(await programs.run(['tenants', 'create', 'taken'], env));
    const second = await programs.run(['tenants', 'create', 'taken'], env);
    expect(sentenceOf(second)).toBe('Tenant "taken" already exists. Use another name.');
  });
});
