import { afterEach, expect, inject, it } from 'vitest';
import { runChecks } from '../../src/cli/doctor.ts';
import { usePostgres } from '../cli/postgres.ts';
import { sentenceOf, usePrograms } from '../cli/program.ts';
import { until } from '../db/processes.ts';
import { templateName } from '../support/global-setup.ts';
import { type Pooler, startPgBouncer } from '../support/pgbouncer.ts';
import { createWriters, damage, openTenant, scale } from '../support/writers.ts';

const programs = usePrograms();
const server = usePostgres();
const { creates } = scale({ creates: 200 }, { creates: 5000 });
const patience = { timeout: 600_000 };

const poolers: Pooler[] = [];
afterEach(async () => {
  for (const pooler of poolers.splice(0)) await pooler.stop();
});

/** Starts a PgBouncer in front of a new database. */
async function behindPgBouncer(settings = '') {
  const direct = new URL(await server.create(templateName));
  const name = direct.pathname.slice(1);
  const pooler = await startPgBouncer({ port: Number(direct.port), password: direct.password }, settings);
  poolers.push(pooler);
  return { DATABASE_URL: pooler.urlOf(name), connection: { ...inject('server'), database: name } };
}

const ignored =
  'statement_timeout,lock_timeout,idle_in_transaction_session_timeout,plan_cache_mode,extra_float_digits';

it('fails to start with prepared statements behind PgBouncer', patience, async () => {
  const { DATABASE_URL } = await behindPgBouncer();
  expect(sentenceOf(await programs.run([], { DATABASE_URL }))).toMatch(
    / unsupported startup parameter: \w+\. Set DATABASE_PREPARE=false behind a pooler /,
  );
});

it('fails to start if its prepared statements are lost', patience, async () => {
  const { DATABASE_URL } = await behindPgBouncer(`ignore_startup_parameters = ${ignored}`);
  const sentence = sentenceOf(await programs.run([], { DATABASE_URL }));
  expect(sentence).toMatch(/ loses prepared statements\. Set DATABASE_PREPARE=false .*\.$/);
});

it('warns if it cannot detect whether a pooler keeps prepared statements', patience, async () => {
  const settings = `ignore_startup_parameters = ${ignored}\npool_mode = session`;
  const running = await programs.serve({ DATABASE_URL: (await behindPgBouncer(settings)).DATABASE_URL });
  expect(await running.stop('SIGINT')).toMatchObject({
    code: 0,
    stderr: expect.stringContaining('DATABASE_PREPARE=false'),
  });
});

it('is reported by runChecks', patience, async () => {
  const check = async (settings: string, more: Record<string, string> = {}) => {
    const { DATABASE_URL } = await behindPgBouncer(settings);
    const checks = await runChecks({ DATABASE_URL, ...more });
    return checks.filter(({ status }) => status !== 'ok').map(({ name, message }) => `${name}: ${message}`);
  };
  expect(await check('')).toEqual([expect.stringMatching(/^database: .* unsupported startup parameter: /)]);
  expect(await check(`ignore_startup_parameters = ${ignored}`)).toEqual([
    expect.stringMatching(/^prepared statements: .* loses prepared statements\.$/),
  ]);
  expect(await check(`ignore_startup_parameters = ${ignored}\npool_mode = session`)).toEqual([
    'prepared statements: There is a pooler between the service and the database.',
  ]);
  expect(await check('', { DATABASE_PREPARE: 'false' })).toEqual([]);
});

it(
  'loses, duplicates and splits no write through PgBouncer without prepared statements',
  patience,
  async () => {
    const { DATABASE_URL, connection } = await behindPgBouncer();
    const env = { DATABASE_URL, DATABASE_PREPARE: 'false', LOG_LEVEL: 'warn' };
    const running = await programs.serve(env);
    const tenant = await openTenant(connection);
    const writers = createWriters(() => running.url, tenant.token);
    const end = await writers.begin();
    await until(async () => writers.acknowledged.size >= creates, 300_000);
    await end();
    expect(writers.problems).toEqual([]);
    expect(await damage(tenant, writers.acknowledged)).toEqual({
      lost: 0,
      duplicated: 0,
      unknown: 0,
      halfWritten: 0,
    });
    await tenant.database.close();
    expect(await running.stop('SIGINT')).toMatchObject({ code: 0, stderr: '' });
  },
);
