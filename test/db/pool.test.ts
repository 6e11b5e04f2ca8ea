import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Database, type DatabaseLimits, openDatabase } from '../../src/db/client.ts';
import { statement } from '../../src/db/statement.ts';
import { useProxy } from '../support/proxy.ts';
import { until } from './processes.ts';

const proxy = useProxy(() => inject('server').path);

const one = statement('one', (orm) => orm.select({ one: sql<number>`1` }).from(sql`(values (1)) as one`));
const sleeping = statement('sleeping', (orm) =>
  orm
    .select({ slept: sql<string>`pg_sleep(${sql.placeholder('seconds')}::float)::text` })
    .from(sql`(values (1)) as one`),
);
const failing = statement('failing', (orm) =>
  orm.select({ never: sql<number>`1 / ${sql.placeholder('zero')}::integer` }).from(sql`(values (1)) as one`),
);
const serverOf = statement('server_of', (orm) =>
  orm.select({ pid: sql<number>`pg_backend_pid()` }).from(sql`(values (1)) as one`),
);
const echo = statement('echo', (orm) =>
  orm.select({ texts: sql<string[]>`${sql.placeholder('texts')}::text[]` }).from(sql`(values (1)) as one`),
);
const setting = statement('setting', (orm) =>
  orm
    .select({ value: sql<string>`current_setting(${sql.placeholder('name')}::text)` })
    .from(sql`(values (1)) as one`),
);

const patience: DatabaseLimits = {
  queueSize: 100,
  waitTimeoutMs: 20_000,
  connectTimeoutMs: 20_000,
  statementTimeoutMs: 20_000,
  lockTimeoutMs: 20_000,
  idleTransactionTimeoutMs: 20_000,
  callTimeoutMs: 30_000,
};

const opened: Database[] = [];

function open(limits: Partial<DatabaseLimits> = {}, poolSize = 1): Database {
  const connection = { url: proxy.urlOf('accountgraph') };
  const database = openDatabase({ connection, poolSize, limits: { ...patience, ...limits } });
  opened.push(database);
  return database;
}

let admin: Database;
beforeAll(async () => {
  admin = openDatabase({ connection: inject('server'), poolSize: 1 });
  // The first run parses a statement before it waits for a connection.
  await admin.run(sleeping, { seconds: 0 });
});
beforeEach(async () => {
  await proxy.set({ kind: 'none' });
  return async () => {
    for (const database of opened.splice(0)) await database.close();
  };
});
afterAll(() => admin.close());

const unavailable = (reason: string) => expect.objectContaining({ name: 'UnavailableError', reason });
const answers = (database: Database) => database.run(one, {});

it('replaces an early session and its plans for nearly empty tables', async () => {
  const database = open();
  const server = async () => (await database.run(serverOf, {}))[0]?.pid;
  const first = await server();
  expect(await until(async () => (await server()) !== first)).toBe(true);
});

describe('openDatabase', () => {
  it('rejects calls beyond the queue at once and runs the queued ones', async () => {
    const database = open({ queueSize: 2 });
    await answers(database);
    const served = [0, 1, 2].map(() => database.run(sleeping, { seconds: 0.05 }));
    await expect(answers(database)).rejects.toEqual(unavailable('BUSY'));
    await expect(Promise.all(served)).resolves.toHaveLength(3);
  });

  it('rejects calls that have waited too long', async () => {
    const database = open({ waitTimeoutMs: 100 });
    await answers(database);
    const long = database.run(sleeping, { seconds: 1 });
    await expect(answers(database)).rejects.toEqual(unavailable('BUSY'));
    await long;
  });

  it('cancels a statement that runs too long and limits the wait for a lock', async () => {
    const database = open({ statementTimeoutMs: 100 });
    await expect(database.run(sleeping, { seconds: 10 })).rejects.toEqual(unavailable('SLOW'));
    await expect(answers(database)).resolves.toEqual([{ one: 1 }]);
    await expect(database.run(setting, { name: 'lock_timeout' })).resolves.toEqual([{ value: '20s' }]);
  });

  it('replaces connections that do not respond in time, also idle ones', async () => {
    const database = open({ callTimeoutMs: 2000 }, 3);
    await Promise.all([0, 1, 2].map(() => database.run(sleeping, { seconds: 0.1 })));
    expect(proxy.connections()).toBe(3);
    await proxy.set({ kind: 'half open' });
    await expect(answers(database)).rejects.toEqual(unavailable('LOST'));
    await expect(Promise.all([0, 1, 2].map(() => answers(database)))).resolves.toHaveLength(3);
  });

  it('reports a connection that could not be opened as UNREACHABLE', async () => {
    const database = open({ connectTimeoutMs: 1500, callTimeoutMs: 20_000 });
    await proxy.set({ kind: 'black hole' });
    await expect(answers(database)).rejects.toEqual(unavailable('UNREACHABLE'));
    for (const kind of ['reset', 'close', 'refuse'] as const) {
      await proxy.set({ kind });
      await expect(answers(database)).rejects.toEqual(unavailable('UNREACHABLE'));
    }
    await proxy.set({ kind: 'none' });
    await expect(answers(database)).resolves.toEqual([{ one: 1 }]);
  });

  it('runs no query of its own in a new session', async () => {
    const database = open();
    // For example the types of arrays.
    await proxy.set({ kind: 'lose answer', to: 'pg_type' });
    await expect(answers(database)).resolves.toEqual([{ one: 1 }]);
  });

  it('sends and reads arrays with any content', async () => {
    const texts = ['', 'a,b', '{}', '"', '\\', '\\"', 'NULL', ' ', 'ü\n', "'"];
    await expect(open().run(echo, { texts })).resolves.toEqual([{ texts }]);
    await expect(open().run(echo, { texts: [] })).resolves.toEqual([{ texts: [] }]);
  });

  it('closes after running calls have ended', async () => {
    const database = open();
    const under = database.transaction(async (run) => {
      await run(sleeping, { seconds: 0.2 });
      return run(one, {});
    });
    await database.close();
    await expect(under).resolves.toEqual([{ one: 1 }]);
    await expect(answers(database)).rejects.toEqual(unavailable('BUSY'));
  });
});

describe('a transaction', () => {
  it('fails without ending the process if its server ends between two statements', async () => {
    const database = open();
    const lost = database.transaction(async (run) => {
      const [found] = await run(serverOf, {});
      await admin.orm.execute(sql`select pg_terminate_backend(${found?.pid ?? 0}::integer)`);
      // Statements are sent until the client notices that the connection is closed.
      for (let tries = 0; tries < 100; tries += 1) await run(one, {}).catch(() => undefined);
      return run(one, {});
    });
    await expect(lost).rejects.toEqual(unavailable('LOST'));
    await expect(database.transaction((run) => run(one, {}))).resolves.toEqual([{ one: 1 }]);
  });

  it('fails if one of its statements has failed', async () => {
    const database = open();
    const passedOver = database.transaction(async (run) => {
      await run(failing, { zero: 0 }).catch(() => undefined);
      return 'kept';
    });
    await expect(passedOver).rejects.toThrow('was rolled back');
  });

  it('has a total time limit', async () => {
    const database = open({ callTimeoutMs: 1500 });
    const endless = database.transaction(async (run) => {
      for (;;) await run(sleeping, { seconds: 0.05 });
    });
    await expect(endless).rejects.toEqual(unavailable('LOST'));
    await expect(answers(database)).resolves.toEqual([{ one: 1 }]);
  });

  it('reports a lost commit as LOST', async () => {
    const database = open();
    await answers(database);
    await proxy.set({ kind: 'lose answer', to: 'commit' });
    await expect(database.transaction((run) => run(one, {}))).rejects.toEqual(unavailable('LOST'));
  });
});
