import { sql } from 'drizzle-orm';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Ctx, Run } from '../../src/ctx.ts';
import type { State } from '../../src/past/replay.ts';
import { isDue, keepSnapshots } from '../../src/past/snapshots.ts';
import { until } from '../db/processes.ts';
import { createAccount, setting, tenantWithCustomer } from '../support/fixtures.ts';
import { mutate, tryEach } from '../support/mutations.ts';
import { type Client, type Json, useService } from '../support/service.ts';

const service = useService();
const size = 640;
let client: Client;
/** The instants at which the versions begin. */
let instants: string[] = [];

const snapshots = async () => {
  const rows = await service.database.orm.execute<{ version: number }>(
    sql`select version from history_snapshots where tenant_id = ${client.tenantId} order by version`,
  );
  return rows.map(({ version }) => version);
};
const deleteSnapshots = () =>
  service.database.orm.execute(sql`delete from history_snapshots where tenant_id = ${client.tenantId}`);

/** Reads many versions in one request, so that they share the statement. */
async function readAll(): Promise<Json> {
  const picked = instants.filter((_, index) => index % 29 === 0);
  const selected = picked.map(
    (on, place) =>
      `t${place}: account(id: "A1", asOf: "${on}") { name version updatedAt aliases { value } settings { id value } }`,
  );
  const diff = `account(id: "A1") { diff(from: "${instants[100]}") { field before after version } }`;
  const { data, errors } = await client.send(`{ ${selected.join(' ')} ${diff} }`);
  expect(errors).toBeUndefined();
  return data;
}

async function readUntilKept(): Promise<Json> {
  return until(async () => {
    const read = await readAll();
    return (await snapshots()).length > 0 && read;
  });
}

beforeAll(async () => {
  client = await tenantWithCustomer(service);
  await createAccount(client, { id: 'A1' });
  for (let round = 0; round < size / 80; round += 1) {
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [setting('s', { value: `${round}` })] });
    await mutate(client, 'addAliases', { accountId: 'A1', aliases: [`alias-${round}`] });
    const inputs = Array.from({ length: 78 }, (_, n) => ({ id: 'A1', name: `Name ${round}.${n}` }));
    await tryEach(client, 'updateAccounts', inputs);
  }
  const rows = await service.database.orm.execute<{ at: Date }>(
    sql`select to_json(at) as at from changes where tenant_id = ${client.tenantId} and account_id = 'A1' order by version`,
  );
  instants = rows.map(({ at }) => new Date(at).toISOString());
});

describe('snapshots of the history', () => {
  it('are stored after a long replay, and change no answer when they exist or are deleted', async () => {
    const cold = await readAll();
    expect(cold.t0).toMatchObject({ name: 'Main account', version: 1 });
    await readUntilKept();
    expect(await snapshots()).toEqual(Array.from({ length: 12 }, (_, n) => 50 * (n + 1)));
    expect(await readAll()).toEqual(cold);
    await deleteSnapshots();
    expect(await readAll()).toEqual(cold);
  });

  it('are used: a read replays only the changes after the last snapshot before the instant', async () => {
    await readUntilKept();
    const marked = sql`jsonb_insert(state::jsonb, '{fields,0}', '["primaryEmail", "from@snapshot.example", 1]')`;
    await service.database.orm.execute(
      sql`update history_snapshots set state = ${marked} where tenant_id = ${client.tenantId}`,
    );
    const emailAt = async (on = '') => {
      const { data } = await client.send(`{ account(id: "A1", asOf: "${on}") { primaryEmail } }`);
      return data.account.primaryEmail;
    };
    const marks = [await emailAt(instants[0]), await emailAt(instants[350]), await emailAt(instants.at(-1))];
    await deleteSnapshots();
    expect(marks).toEqual([null, 'from@snapshot.example', 'from@snapshot.example']);
    expect(await emailAt(instants.at(-1))).toBeNull();
  });
});

describe('a dry run', () => {
  it('stores no snapshot of the versions that it rolls back', async () => {
    const document = `mutation($inputs: [UpdateAccountInput!]!) { updateAccounts(inputs: $inputs) {
      ... on UpdateAccountSuccess { account { version diff(from: "${instants[0]}") { version } } } } }`;
    const names = Array.from({ length: 70 }, (_, n) => `Dry ${n}`);
    const inputs = names.map((name) => ({ id: 'A1', name, dryRun: true }));
    const { data } = await client.send(document, { inputs });
    expect(data.updateAccounts.at(-1).account.version).toBe(instants.length + 70);
    await readUntilKept();
    expect((await snapshots()).filter((version) => version > instants.length)).toEqual([]);
    await deleteSnapshots();
  });
});

const state = (version: number, fields: number): State => ({
  ...{ version, beginsAt: new Date(), aliases: new Map(), settings: new Map() },
  fields: new Map(Array.from({ length: fields }, (_, n) => [`f${n}`, { value: n, version }])),
});

describe('isDue', () => {
  it('chooses every fiftieth version of a small state, and fewer of a large one', () => {
    const due = (fields: number) => {
      const chosen: number[] = [];
      for (let version = 1; version <= 1000; version += 1)
        if (isDue(state(version, fields), chosen.at(-1) ?? 0)) chosen.push(version);
      return chosen;
    };
    expect(due(20).slice(0, 4)).toEqual([50, 100, 150, 200]);
    expect(due(1400)).toEqual([350, 700]);
  });
});

describe('keepSnapshots', () => {
  const keep = async (count: number, isReadOnly: boolean) => {
    const ran: string[] = [];
    const run = (async ({ name }: { name: string }) => {
      ran.push(name);
      return [{ yes: isReadOnly }];
    }) as unknown as Run;
    let work = Promise.resolve();
    const ctx = {
      inBackground(start: (run: Run) => Promise<void>) {
        work = start(run);
      },
    } as Ctx;
    keepSnapshots(ctx, 'ACCOUNT', [{ entityId: 'A1', count, due: [state(50, 1)] }]);
    await work;
    return ran;
  };

  it('writes only after a long replay', async () => {
    expect(await keep(200, false)).toEqual([]);
    expect(await keep(201, false)).toEqual(['is_read_only', 'keep_snapshots']);
  });

  it('writes nothing on a standby', async () => {
    expect(await keep(201, true)).toEqual(['is_read_only']);
  });
});
