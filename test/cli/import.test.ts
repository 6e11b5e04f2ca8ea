import { readFile, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { until } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import { usePostgres } from './postgres.ts';
import { answerOf, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
let env: { DATABASE_URL: string };

beforeAll(async () => {
  env = { DATABASE_URL: await server.create(templateName) };
});

const customer =
  '{"type":"customer","id":"C","name":"Acme","primaryEmail":"a@example.com","address":{"country":"DE"}}';
const accountLine = (index: number) =>
  JSON.stringify({
    type: 'account',
    id: `A${index}`,
    name: `Account ${index}`,
    customerId: 'C',
    aliases: [`a${index}`],
  });

async function newTenant(name: string): Promise<void> {
  answerOf(await programs.run(['tenants', 'create', name], env));
}

async function newFile(name: string, lines: readonly string[]): Promise<string> {
  const file = programs.path(name);
  await writeFile(file, `${lines.join('\n')}\n`);
  return file;
}

async function accountsOf(tenant: string): Promise<number> {
  const shown = answerOf(await programs.run(['tenants', 'show', tenant, '--json'], env));
  return JSON.parse(shown).accounts;
}

describe('accountgraph import', { timeout: 120_000 }, () => {
  it('imports a CSV file, and lists the refused rows in a file', async () => {
    await newTenant('csv');
    answerOf(
      await programs.run(['import', await newFile('customers.ndjson', [customer]), '--tenant', 'csv'], env),
    );
    const file = await newFile('accounts.csv', [
      'id,customerId,name,netTermDays,aliases',
      'A1,C,"Acme, Inc.",30,a1;a2',
      'A2,C,Other,1000,',
      'A3,C,Third,,',
    ]);
    const given = ['import', file, '--tenant', 'csv', '--type', 'account'];
    const { code, stdout, stderr } = await programs.run(given, env);
    const rejected = file.replace('.csv', '.rejected.ndjson');
    expect({ code, stdout, stderr }).toEqual({
      code: 1,
      stdout: `The import is complete: 2 created, 1 refused.\nThe refused records and their problems are in ${rejected}.\n`,
      stderr: '',
    });
    expect(JSON.parse(await readFile(rejected, 'utf8'))).toMatchObject({
      line: 3,
      path: ['netTermDays'],
      code: 'TOO_LARGE',
      message: 'netTermDays must be at most 365.',
    });
    await expect(stat(`${file}.checkpoint.json`)).rejects.toThrow('ENOENT');
    const again = await programs.run([...given, '--on-existing', 'skip', '--dry-run', '--json'], env);
    expect(again.code).toBe(1);
    expect(JSON.parse(again.stdout)).toEqual({
      counts: { created: 0, updated: 0, unchanged: 0, skipped: 2, refused: 1 },
      rejectedFile: rejected,
      isDryRun: true,
    });
  });

  it('loses and repeats nothing when it is killed and resumed', async () => {
    await newTenant('killed');
    const count = 12_000;
    const lines = [customer, ...Array.from({ length: count }, (_, index) => accountLine(index))];
    const file = await newFile('killed.ndjson', lines);
    const given = ['import', file, '--tenant', 'killed', '--resume'];
    for (const share of [0.1, 0.4, 0.7]) {
      const running = programs.open(given, env);
      await until(async () => (await accountsOf('killed')) > share * count, 60_000);
      await sleep(Math.random() * 100);
      running.child.kill('SIGKILL');
      await running.ended;
    }
    const { code, stdout } = await programs.run([...given, '--json'], env);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).counts).toEqual({
      created: count + 1,
      updated: 0,
      unchanged: 0,
      skipped: 0,
      refused: 0,
    });
    expect(await accountsOf('killed')).toBe(count);
  });

  it.each([
    [['--tenant', 'nobody'], 1, /^Tenant "nobody" does not exist\.$/],
    [['--tenant', 'nobody', '--map', 'missing.json'], 1, /missing\.json/],
  ])('rejects %j in one sentence with exit code %d', async (args, code, sentence) => {
    const file = await newFile('one.ndjson', [customer]);
    expect(sentenceOf(await programs.run(['import', file, ...args], env), code)).toMatch(sentence);
  });

  it('names a file that cannot be read or whose format is unknown', async () => {
    const missing = programs.path('missing.ndjson');
    expect(sentenceOf(await programs.run(['import', missing, '--tenant', 'x'], env))).toMatch(
      /^There is no file .*missing\.ndjson\. Check the path\.$/,
    );
    const unknown = await newFile('one.txt', [customer]);
    expect(sentenceOf(await programs.run(['import', unknown, '--tenant', 'x'], env), 2)).toBe(
      `The name of ${unknown} does not tell its format. Set --format.`,
    );
  });

  it('names a directory where it cannot write its checkpoint', async () => {
    await newTenant('readonly');
    const file = '/proc/self/environ';
    const given = ['import', file, '--tenant', 'readonly', '--format', 'ndjson'];
    const { code, stderr } = await programs.run(given, env);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The checkpoint \/proc\/self\/environ\.checkpoint\.json cannot be written: /);
  });

  it('ends with exit code 3 if the database is unavailable', async () => {
    const file = await newFile('one.ndjson', [customer]);
    const nowhere = { DATABASE_URL: 'postgres://me@127.0.0.1:1/accounts' };
    sentenceOf(await programs.run(['import', file, '--tenant', 'x'], nowhere), 3);
  });

  it('shows a bar on a terminal', async () => {
    await newTenant('bar');
    const lines = [customer, ...Array.from({ length: 1500 }, (_, index) => accountLine(index))];
    const file = await newFile('bar.ndjson', lines);
    const command = `node dist/main.js import ${file} --tenant bar`;
    const { code, stdout } = await programs.shell(`script -qec '${command}' /dev/null`, env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/=+ 100 % \| 1501 records, \d+\/s, 0 s left/);
    expect(stdout).toContain('The import is complete: 1501 created, 0 refused.');
  });
});
