import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scopes } from '../../src/lib/scope.ts';
import { usePostgres } from './postgres.ts';
import { answerOf, ask, sentenceOf, usePrograms } from './program.ts';

const programs = usePrograms();
const server = usePostgres();
const patience = { timeout: 60_000 };

const migrations = join(import.meta.dirname, '..', '..', 'migrations');

it('migrates in production only when told, and once when told twice at the same time', patience, async () => {
  const env = { DATABASE_URL: await server.create(), NODE_ENV: 'production' };
  const count = (await readdir(migrations)).filter((name) => name.endsWith('.sql')).length;
  const lacks = `The database lacks ${count} migrations. Run \`accountgraph migrate\`, or set MIGRATE=true to migrate at startup.`;
  expect(sentenceOf(await programs.run([], env))).toBe(lacks);
  expect(sentenceOf(await programs.run(['tenants', 'list'], env))).toBe(lacks);
  const replicas = await Promise.all([programs.run(['migrate'], env), programs.run(['migrate'], env)]);
  expect(replicas.map(answerOf).sort()).toEqual([
    `Applied ${count} migrations.`,
    'The database is up to date.',
  ]);
});

it(
  'applies the migrations at a start with MIGRATE=true, and has neither GraphiQL nor a demo',
  patience,
  async () => {
    const DATABASE_URL = await server.create();
    const running = await programs.serve({ DATABASE_URL, NODE_ENV: 'production', MIGRATE: 'true' });
    expect(running.printed).toBe(`accountgraph is ready.\n  GraphQL   ${running.url}\n`);
    const page = await fetch(running.url, { headers: { accept: 'text/html' } });
    expect(await page.text()).not.toContain('<html');
    expect(await running.stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
  },
);

it(
  'outside production migrates by itself, and makes keys of which only hashes are stored',
  patience,
  async () => {
    const env = { DATABASE_URL: await server.create() };
    const running = await programs.serve(env);
    expect(running.token).toBeUndefined();
    expect(answerOf(await programs.run(['tenants', 'create', 'acme'], env))).toContain('acme (USD, 30 days)');
    const create = ['keys', 'create', '--tenant', 'acme', '--name', 'billing'];
    const [, id = '', token = ''] =
      /key (key_\w+)\..*\n(agk_\S+)$/.exec(answerOf(await programs.run(create, env))) ?? [];
    expect(await ask(running.url, token, '{ viewer { keyName } }')).toMatchObject({ status: 200 });
    const stored = await server.everything(env.DATABASE_URL);
    expect(stored).toContain(createHash('sha256').update(token).digest('hex'));
    expect(stored).not.toContain(token);
    const list = ['keys', 'list', '--tenant', 'acme'];
    expect(answerOf(await programs.run(list, env))).toMatch(
      new RegExp(
        `^${id}\tbilling\t${scopes.join()}\tcreated \\S+Z\tnever expires\t(never used|last used \\S+Z)\tactive$`,
      ),
    );
    answerOf(await programs.run(['keys', 'revoke', id], env));
    const status = async () => (await ask(running.url, token, '{ viewer { keyName } }')).status;
    await expect.poll(status, { timeout: 20_000, interval: 200 }).toBe(401);
    expect(answerOf(await programs.run(list, env))).toMatch(/\tlast used \S+Z\trevoked \S+Z$/);
    expect(await running.stop('SIGINT')).toMatchObject({ code: 0, stderr: '' });
  },
);
