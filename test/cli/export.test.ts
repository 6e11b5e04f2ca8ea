import { readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { answerOf, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
let env: { DATABASE_URL: string };

beforeAll(async () => {
  env = { DATABASE_URL: await server.create(templateName) };
  await run('seed', 'demo', '--tenant', 'one');
});

const run = async (...args: string[]) => answerOf(await programs.run(args, env));

describe('accountgraph export', { timeout: 120_000 }, () => {
  it.each([['ndjson'], ['csv']])(
    'exports portable %s that imports into an empty tenant and exports again to the same bytes',
    async (format) => {
      const tenant = `copy-${format}`;
      await run('tenants', 'create', tenant, '--currency', 'EUR', '--net-term-days', '7');
      for (const type of ['customer', 'account']) {
        const [first, second] = ['first', 'second'].map((name) => programs.path(`${name}-${type}.${format}`));
        const given = ['--portable', '--format', format, '--type', type, '--output'];
        await run('export', '--tenant', 'one', ...given, first ?? '');
        await run('import', first ?? '', '--tenant', tenant, '--type', type);
        await run('export', '--tenant', tenant, ...given, second ?? '');
        const [a, b] = await Promise.all([readFile(first ?? ''), readFile(second ?? '')]);
        expect(b.equals(a)).toBe(true);
        expect(a.length).toBeGreaterThan(300);
      }
    },
  );

  it('writes records to standard output, and the position from which to go on to standard error', async () => {
    const { code, stdout, stderr } = await programs.run(['export', '--tenant', 'one'], env);
    expect(code).toBe(0);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ type }) => type)).toEqual([
      ...Array(3).fill('customer'),
      ...Array(5).fill('account'),
    ]);
    expect(records[3]).toMatchObject({ id: 'northwind-prod', version: 1, nodeId: expect.any(String) });
    const [, position = ''] =
      /^Exported 3 customers and 5 accounts\. Export what changes from now on with --since (\S+)\n$/.exec(
        stderr,
      ) ?? [];
    const later = programs.path('later.ndjson');
    const summary = await run('export', '--tenant', 'one', '--since', position, '--output', later, '--json');
    expect(JSON.parse(summary)).toMatchObject({ customers: 0, accounts: 0 });
    expect(await readFile(later, 'utf8')).toBe('');
  });

  it('exports the history, which continues after the position of a line', async () => {
    const all = await programs.run(['export', '--tenant', 'one', '--history'], env);
    const lines = all.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(lines).toHaveLength(8);
    const since = lines[5].position;
    const rest = await programs.run(['export', '--tenant', 'one', '--history', '--since', since], env);
    expect(
      rest.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(lines.slice(6));
  });

  it('ends without an error when its reader has enough', async () => {
    const { stdout, stderr } = await programs.shell('node dist/main.js export --tenant one | head -n 1', env);
    expect(JSON.parse(stdout)).toMatchObject({ type: 'customer' });
    expect(stderr).not.toMatch(/EPIPE|Error/);
  });

  it('leaves no file behind if it is refused', async () => {
    const output = programs.path('refused.ndjson');
    const given = ['export', '--output', output];
    expect(sentenceOf(await programs.run([...given, '--tenant', 'nobody'], env))).toBe(
      'Tenant "nobody" does not exist.',
    );
    const wrong = await programs.run([...given, '--tenant', 'one', '--since', 'wrong'], env);
    expect(sentenceOf(wrong)).toMatch(/^The option --since must be a position/);
    const files = await readdir(dirname(output));
    expect(files.filter((name) => name.startsWith('refused'))).toEqual([]);
  });

  it.each([
    [['--format', 'csv'], /^A CSV file has records of one type\. Set --type customer or --type account\.$/],
    [['--history', '--portable'], /^A history has all changes as NDJSON\./],
  ])('rejects %j as wrong usage', async (args, sentence) => {
    expect(sentenceOf(await programs.run(['export', '--tenant', 'one', ...args], env), 2)).toMatch(sentence);
  });

  it('names a file that cannot be written', async () => {
    const output = '/nowhere/out.ndjson';
    const { code, stderr } = await programs.run(['export', '--tenant', 'one', '--output', output], env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^\/nowhere\/out\.ndjson cannot be written: ENOENT/);
  });
});

describe('accountgraph seed demo', { timeout: 60_000 }, () => {
  it('creates the sample data once', async () => {
    const first = await run('seed', 'demo', '--tenant', 'samples');
    expect(first).toMatch(/^Created 8 customers and accounts in the tenant samples\.\nCreate a key for it: /);
    expect(JSON.parse(await run('seed', 'demo', '--tenant', 'samples', '--json'))).toEqual({
      tenant: 'samples',
      created: 0,
    });
  });
});
