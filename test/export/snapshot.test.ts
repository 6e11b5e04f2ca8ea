import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Database, Run } from '../../src/db/client.ts';
import type { Statement } from '../../src/db/statement.ts';
import { type ExportSource, exportRecords } from '../../src/export/export.ts';
import { everything, linesOf, readRecords, useExports } from '../support/exports.ts';
import { createCustomer, setting } from '../support/fixtures.ts';
import { mutate, tryCreateAccounts } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const exports = useExports(service);
const accountCount = 600;
let client: Client;

const idAt = (index: number) => `A${index}`;
const first = idAt(0);
const last = idAt(accountCount - 1);

beforeAll(async () => {
  client = await service.newTenant();
  await createCustomer(client);
  for (let from = 0; from < accountCount; from += 100) {
    const inputs = Array.from({ length: 100 }, (_, n) => ({
      id: idAt(from + n),
      name: 'A',
      customerId: 'C1',
    }));
    await tryCreateAccounts(client, inputs);
  }
  await mutate(client, 'addAliases', { accountId: first, aliases: ['x'] });
});

/** Calls `before` with the number of each statement of an export, counted from 1, before it is sent. */
function watched(
  database: Database,
  before: (number: number, name: string, one: Statement<unknown>) => void | Promise<void>,
): Database {
  let number = 0;
  const watch =
    (run: Run): Run =>
    async (statement, values) => {
      number += 1;
      await before(number, statement.name, statement);
      return run(statement, values);
    };
  return { ...database, snapshot: (work) => database.snapshot((run) => work(watch(run))) };
}

const sourceOf = (database: Database): ExportSource => ({ database, tenantId: client.tenantId });

/** Returns the accounts that have an alias now. */
const holders = (lines: Json[], alias: string) =>
  lines.filter(({ aliases, datedAliases }) => {
    const dated = (datedAliases ?? []).filter((one: Json) => one.effectiveUntil === undefined);
    return [...(aliases ?? []), ...dated.map(({ value }: Json) => value)].includes(alias);
  });

describe('exportRecords', () => {
  it('shows one state while writes change rows that it has read and rows that it has not', async () => {
    const before = await exports.records(client);
    const moves = [last, first, last];
    const write = async (number: number) => {
      const to = moves[number - 2];
      if (to === undefined) return;
      await mutate(client, 'transferAlias', { alias: 'x', toAccountId: to });
      await mutate(client, 'updateAccount', { id: last, name: `Changed ${number}` });
      await mutate(client, 'putSettings', { accountId: last, settings: [setting(`s${number}`)] });
      await tryCreateAccounts(client, [{ id: `New${number}`, name: 'New', customerId: 'C1' }]);
    };
    const during = await readRecords(sourceOf(watched(exports.database, write)));
    expect(during.text).toBe(before.text);
    expect(during).toMatchObject({ accounts: accountCount, position: before.position });
    const after = linesOf(await exports.records(client));
    expect(after).toHaveLength(1 + accountCount + 3);
    expect(holders(linesOf(during), 'x').map(({ id }) => id)).toEqual([first]);
    expect(holders(after, 'x').map(({ id }) => id)).toEqual([last]);
  });

  it('reads a page only when the consumer requests it', async () => {
    let pages = 0;
    const database = watched(exports.database, (_, name) => {
      pages += name === 'feed_page' ? 0 : 1;
    });
    const ahead: number[] = [];
    await exportRecords(sourceOf(database), everything, async (chunks) => {
      let read = 0;
      for await (const _ of chunks) {
        read += 1;
        // A page that is being read has had time to be sent.
        await new Promise(setImmediate);
        ahead.push(pages - read);
      }
    });
    // The customers are one page.
    expect(ahead).toEqual([0, 0, 0, 0]);
  });

  it('rolls back and fails if its consumer fails, or stops early', async () => {
    const source = sourceOf(exports.database);
    const failure = new Error('The disk is full.');
    const failing = exportRecords(source, everything, async () => {
      throw failure;
    });
    await expect(failing).rejects.toBe(failure);
    const stopping = exportRecords(source, everything, async (chunks) => {
      for await (const _ of chunks) break;
    });
    await expect(stopping).rejects.toThrow('did not read it to its end');
    const [row] = await service.database.orm.execute(
      sql`select count(*)::integer as count from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'`,
    );
    expect(row).toEqual({ count: 0 });
  });

  it('counts what the consumer has got', async () => {
    const seen: object[] = [];
    const end = await exportRecords(sourceOf(exports.database), everything, async (chunks, counts) => {
      for await (const _ of chunks) seen.push({ ...counts });
    });
    expect(seen[0]).toEqual({ customers: 1, accounts: 0 });
    expect(seen.at(-1)).toEqual({ customers: end.customers, accounts: end.accounts });
  });
});

describe('the plan of a page', () => {
  const rows = 'generate_series(1, 1500) n';
  const inserts = ({ tenantId }: Client) => [
    `insert into customers (tenant_id, id, node_id, name, status, primary_email, metadata, version, created_at, updated_at)
      select ${tenantId}, 'C-' || n, uuidv7(), 'C', 'ACTIVE', 'a@b.co', '{}', 1, now(), now() from ${rows}`,
    `insert into accounts (tenant_id, id, node_id, customer_id, name, status, tags, metadata, version, created_at, updated_at)
      select ${tenantId}, 'A-' || n, uuidv7(), 'C-' || n, 'A', 'ACTIVE', '{}', '{}', 1, now(), now() from ${rows}`,
    `insert into aliases select ${tenantId}, 'alias-' || n, 'A-' || n, '-infinity', 'infinity', now() from ${rows}`,
    `insert into settings (tenant_id, owner_type, owner_id, namespace, id, name, data_type, value)
      select ${tenantId}, 'ACCOUNT', 'A-' || n, 'n', 's', 'S', 'STRING', 'v' from ${rows}`,
    `insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${tenantId}, uuidv7(), 'C-' || n, 'A-' || n, 'ACCOUNT_CREATED', now(), 'key_x', 'r', 1 from ${rows}`,
  ];

  beforeAll(async () => {
    const large = await service.newTenant();
    for (const insert of [...inserts(large), 'vacuum analyze'])
      await service.database.orm.execute(sql.raw(insert));
  });

  it('follows the order of node ids, and looks up what belongs to each row', async () => {
    const { database } = exports;
    const statements = new Map<string, Statement<unknown>>();
    await readRecords(sourceOf(watched(database, (_, name, one) => void statements.set(name, one))));
    for (const table of ['accounts', 'customers']) {
      const text = statements.get(`export_${table}`)?.build(database.orm).prepare('').getQuery().sql;
      const found = await database.orm.execute(sql.raw(`explain (generic_plan) ${text}`));
      const plan = found.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toContain(`Index Scan using ${table}_tenant_id_node_id_key on ${table}`);
      expect(plan).not.toMatch(/Seq Scan|Sort Key: .*node_id/);
    }
  });
});
