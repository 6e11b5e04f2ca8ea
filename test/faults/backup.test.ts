import { execFile } from 'node:child_process';
import { appendFile, chmod, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openDatabase } from '../../src/db/client.ts';
import type { Connection } from '../../src/db/session.ts';
import { runningEmbedded } from '../../src/embedded/postgres.ts';
import { ask, usePrograms } from '../cli/program.ts';
import { until } from '../db/processes.ts';
import { type DebianPostgres, startDebianPostgres, toolsOfDebian } from '../support/debian-postgres.ts';
import { killHard, root } from '../support/embedded.ts';
import { createWriters, damage, forgotten, openTenant } from '../support/writers.ts';

const programs = usePrograms();
const patience = { timeout: 300_000 };

let postgres: DebianPostgres;
let commands: string[] = [];
beforeAll(async () => {
  postgres = await startDebianPostgres();
  const page = await readFile(join(root, 'docs', 'reliability.md'), 'utf8');
  const section = page.split(/^## /m).find((text) => text.startsWith('Backup and restore\n')) ?? '';
  commands = [...section.matchAll(/^```bash\n(.*?)^```$/gms)].map(([, text = '']) => text);
  expect(commands).toHaveLength(5);
});
afterAll(() => postgres.stop());

/** Runs a command block of the documentation in the directory of the test. */
async function follow(block: string | undefined, env: Record<string, string> = {}): Promise<void> {
  const path = `${await toolsOfDebian()}:${process.env.PATH}`;
  await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', block ?? 'false'], {
    cwd: programs.path(''),
    env: { ...env, PATH: path },
  });
}

type Tenant = Awaited<ReturnType<typeof openTenant>>;

const history = `query ($id: ID!) { account(id: $id) { history { nodes { kind version after } } } }`;
const take = `mutation ($input: CreateAccountInput!) { createAccount(input: $input) { __typename } }`;

/** Fails unless the restored service has every account that was acknowledged before the backup ended. */
async function expectRestored(url: string, connection: Connection, tenant: Tenant, kept: string[]) {
  const database = openDatabase({ connection, poolSize: 1 });
  const found = await damage({ ...tenant, database }, new Set(kept));
  expect(found).toMatchObject({ lost: 0, duplicated: 0, halfWritten: 0 });
  for (let from = 0; from < kept.length; from += 100) {
    expect(await forgotten(url, tenant.token, kept.slice(from, from + 100))).toEqual([]);
  }
  const told = await ask(url, tenant.token, history, { id: kept[0] });
  expect(told.body.data.account.history.nodes).toEqual([
    { kind: 'ACCOUNT_CREATED', version: 1, after: expect.objectContaining({ name: `Account ${kept[0]}` }) },
  ]);
  const input = { id: 'thief', name: 'Thief', customerId: 'customer', aliases: [`${kept[0]}-a`] };
  const refused = await ask(url, tenant.token, take, { input });
  expect(refused.body.data.createAccount).toEqual({ __typename: 'AliasTakenError' });
  for (const statement of [sql`delete from changes`, sql`update changes set version = 7`]) {
    await expect(database.orm.execute(statement)).rejects.toMatchObject({
      cause: { message: expect.stringContaining('append-only') },
    });
  }
  await database.close();
  return found;
}

it('restores a dump taken under load to a database of another role', patience, async () => {
  const DATABASE_URL = await postgres.create('maker');
  const env = { NODE_ENV: 'production', DRAIN_DELAY_MS: '0', LOG_LEVEL: 'warn' };
  const first = await programs.serve({ ...env, DATABASE_URL, MIGRATE: 'true' });
  const tenant = await openTenant({ url: DATABASE_URL });
  const writers = createWriters(() => first.url, tenant.token);
  const end = await writers.begin();
  await until(async () => writers.acknowledged.size > 300, 60_000);
  const kept = [...writers.acknowledged];
  await follow(commands[0], { DATABASE_URL });
  await writers.goodAnswer();
  await end();
  await tenant.database.close();
  await first.stop('SIGTERM');

  const restored = await postgres.create('keeper');
  await follow(commands[1], { DATABASE_URL: restored });
  const second = await programs.serve({ ...env, DATABASE_URL: restored });
  await expectRestored(second.url, { url: restored }, tenant, kept);
  expect(await second.stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
});

async function embedded(dataDir: string): Promise<Connection> {
  const connection = await runningEmbedded(dataDir);
  if (connection === undefined) throw new Error('no database');
  return connection;
}

/** Waits until every write is in the archived log. */
async function untilKept({ database }: Tenant): Promise<void> {
  const [cut] = await database.orm.execute<{ file: string }>(
    sql`select pg_walfile_name(pg_switch_wal()) as file`,
  );
  await until(async () => {
    const [archiver] = await database.orm.execute<{ last: string }>(
      sql`select last_archived_wal as last from pg_stat_archiver`,
    );
    return (archiver?.last ?? '') >= (cut?.file ?? '-');
  });
}

/** Copies the files during writes, continues to write, and then deletes the disk of the service. */
async function loseDisk(dataDir: string) {
  const env = { DATA_DIR: dataDir, LOG_LEVEL: 'error' };
  const unarchived = await programs.serve(env);
  await follow(commands[2]);
  await unarchived.stop('SIGINT');
  const first = await programs.serve(env);
  const tenant = await openTenant(await embedded(dataDir));
  const writers = createWriters(() => first.url, tenant.token);
  const end = await writers.begin();
  await until(async () => writers.acknowledged.size > 200, 60_000);
  await follow(commands[3]);
  await writers.goodAnswer();
  const early = [...writers.acknowledged];
  await sleep(10);
  const instant = new Date().toISOString().replace('Z', '+00');
  await sleep(10);
  const late = writers.sent();
  await until(async () => writers.acknowledged.size > early.length + 200, 60_000);
  await end();
  await untilKept(tenant);
  await tenant.database.close();
  await killHard(first.child);
  await rm(dataDir, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
  expect(writers.problems).toEqual([]);
  return { tenant, all: [...writers.acknowledged], early, instant, late };
}

/** Starts the service on the restored files and log with further settings. */
async function restore(settings = '') {
  const dataDir = programs.path('restored');
  await rm(dataDir, { recursive: true, force: true });
  await follow(commands[4]);
  await appendFile(join(dataDir, 'postgres', 'postgresql.auto.conf'), settings);
  const running = await programs.serve({ DATA_DIR: dataDir, LOG_LEVEL: 'error' });
  return { running, connection: await embedded(dataDir) };
}

it(
  'restores the embedded database to its last write and to an instant after its disk is lost',
  patience,
  async () => {
    // PostgreSQL does not run as root, and must be able to read the log.
    await chmod(programs.path(''), 0o755);
    const { tenant, all, early, instant, late } = await loseDisk(programs.path('.data'));
    const whole = await restore();
    expect(await expectRestored(whole.running.url, whole.connection, tenant, all)).toMatchObject({
      unknown: 0,
    });
    expect(await whole.running.stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });

    const back = await restore(`recovery_target_time = '${instant}'\n`);
    await expectRestored(back.running.url, back.connection, tenant, early);
    const database = openDatabase({ connection: back.connection, poolSize: 1 });
    const tooLate = sql`select id from accounts where tenant_id = ${tenant.tenantId} and substr(id, 2)::integer >= ${late}`;
    expect([...(await database.orm.execute(tooLate))]).toEqual([]);
    await database.close();
    expect(await back.running.stop('SIGTERM')).toMatchObject({ code: 0, stderr: '' });
  },
);
