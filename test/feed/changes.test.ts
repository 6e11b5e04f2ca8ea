import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStream } from '../support/event-stream.ts';
import { setting, tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { mutate } from '../support/mutations.ts';
import { type Client, clientThrough, type Json, openApp, useService } from '../support/service.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));
let replica: ReturnType<typeof openApp>;
beforeAll(() => {
  replica = openApp(service.connection);
});
afterAll(() => replica.close());

const document = `query($after: Position, $first: Int, $filter: ChangeFilter) {
  changes(after: $after, first: $first, filter: $filter) {
    edges { cursor } latestPosition pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    nodes { position kind version accountId customerId before after account { id } customer { id } } } }`;

async function pull(client: Client, variables: object = {}): Promise<Json> {
  const { data, errors } = await client.send(document, variables);
  expect(errors).toBeUndefined();
  return data.changes;
}

/** Pulls pages of this size to the end of the feed. */
async function pullAll(client: Client, first: number, filter: object = {}): Promise<Json[]> {
  const nodes: Json[] = [];
  for (let after: string | undefined; ; ) {
    const page = await pull(client, { after, first, filter });
    nodes.push(...page.nodes);
    after = page.pageInfo.endCursor;
    if (!page.pageInfo.hasNextPage) return nodes;
  }
}

const versionsOf = (nodes: Json[]): Map<string, number[]> => {
  const versions = new Map<string, number[]>();
  for (const { accountId, customerId, version } of nodes) {
    const entity = accountId === null ? `customer ${customerId}` : `account ${accountId}`;
    versions.set(entity, [...(versions.get(entity) ?? []), version]);
  }
  return versions;
};

async function errorOf(client: Client, variables: object): Promise<Json> {
  const { errors } = await client.send(document, variables);
  return errors?.[0];
}

/** Inserts changes of a new account A3 directly, as a transaction of another program could. */
const insertChange = ({ tenantId }: Client, version: number) => sql`
  insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
  values (${tenantId}, uuidv7(), 'C1', 'A2', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', ${version})`;

describe('changes', () => {
  it('returns every change of accounts and customers once, in the order of their versions', async () => {
    const client = await tenantWithAccounts(service);
    await mutate(client, 'updateCustomer', { id: 'C1', name: 'Renamed' });
    await mutate(client, 'putSettings', { accountId: 'A1', settings: [setting('u')] });
    await mutate(client, 'transferAlias', { alias: 'x', toAccountId: 'A2' });
    const nodes = await pullAll(client, 2);
    expect(new Set(nodes.map(({ position }) => position)).size).toBe(nodes.length);
    expect(Object.fromEntries(versionsOf(nodes))).toEqual({
      'customer C1': [1, 2],
      'account A1': [1, 2, 3],
      'account A2': [1, 2],
      'account A3': [1, 2],
      'account A4': [1],
    });
    expect(nodes).toContainEqual(
      expect.objectContaining({
        kind: 'CUSTOMER_UPDATED',
        accountId: null,
        account: null,
        before: { name: 'Acme' },
        after: { name: 'Renamed' },
        customer: { id: 'C1' },
      }),
    );
    expect(await pullAll(client, 100)).toEqual(nodes);
  });

  it('describes its page, and always has a place to continue from', async () => {
    const client = await service.newTenant();
    const empty = await pull(client);
    expect(empty.nodes).toEqual([]);
    expect(empty.pageInfo).toMatchObject({ hasNextPage: false, hasPreviousPage: false, startCursor: null });
    expect(empty.latestPosition).toBe(empty.pageInfo.endCursor);
    const owner = await tenantWithAccounts(service);
    const all = await pull(owner);
    const second = await pull(owner, { after: all.nodes[0].position, first: 1 });
    expect(second.edges).toEqual([{ cursor: all.nodes[1].position }]);
    expect(second.pageInfo).toEqual({
      hasNextPage: true,
      hasPreviousPage: true,
      startCursor: all.nodes[1].position,
      endCursor: all.nodes[1].position,
    });
    expect(second.latestPosition).toBe(all.nodes.at(-1).position);
    const end = await pull(owner, { after: second.latestPosition });
    expect(end).toMatchObject({
      nodes: [],
      pageInfo: { endCursor: second.latestPosition, hasNextPage: false },
    });
    await mutate(owner, 'updateAccount', { id: 'A1', name: 'Next' });
    expect((await pull(owner, { after: end.pageInfo.endCursor })).nodes).toMatchObject([
      { after: { name: 'Next' } },
    ]);
  });

  it.each([
    [{ accountId: 'A1' }, (change: Json) => change.accountId === 'A1'],
    [{ customerId: 'C2' }, (change: Json) => change.customerId === 'C2'],
    [{ customerId: 'C1', accountId: 'B1' }, () => false],
    [
      { kinds: ['CUSTOMER_CREATED', 'SETTINGS_PUT'] },
      ({ kind }: Json) => /^(CUSTOMER_C|SETTINGS_P)/.test(kind),
    ],
    [{ accountId: 'A1', kinds: ['ALIASES_ADDED'] }, (change: Json) => change.kind === 'ALIASES_ADDED'],
    [{ accountId: 'nobody' }, () => false],
    [{ accountId: null, customerId: null, kinds: null }, () => true],
  ])('returns the same changes by pull and by subscription for %j', async (filter, selects) => {
    const client = await tenantWithAccounts(service);
    const begin = (await pull(client)).latestPosition;
    const stream = await openStream(
      socket.url,
      client,
      'subscription($filter: ChangeFilter) { changes(filter: $filter) { position kind accountId customerId } }',
      { filter },
    );
    const other = { id: 'C2', name: 'Second', primaryEmail: 'a@b.com', address: { country: 'US' } };
    await mutate(client, 'createCustomer', { ...other, account: { id: 'B1', name: 'Of another' } });
    await mutate(client, 'addAliases', { accountId: 'A1', aliases: ['v'] });
    await mutate(client, 'putSettings', { customerId: 'C2', settings: [setting('u')] });
    await mutate(client, 'addAliases', { accountId: 'A1', aliases: ['w'] });
    const all = (await pull(client, { after: begin })).nodes;
    const expected = all.filter(selects).map(({ position }: Json) => position);
    expect(
      (await pull(client, { after: begin, filter })).nodes.map(({ position }: Json) => position),
    ).toEqual(expected);
    const live = await stream.take(expected.length);
    expect(live.map(({ data }) => data.changes.position)).toEqual(expected);
    stream.leave();
  });

  it('advances through entries that its filter leaves out', async () => {
    const client = await tenantWithAccounts(service);
    await service.database.orm.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${client.tenantId}, uuidv7(), 'C1', 'A2', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', n
      from generate_series(2, 20001) n`);
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Last' });
    const filter = { accountId: 'A1', kinds: ['ACCOUNT_UPDATED'] };
    const first = await pull(client, { filter });
    expect(first).toMatchObject({ nodes: [], pageInfo: { hasNextPage: true } });
    expect(await pullAll(client, 10, filter)).toMatchObject([{ after: { name: 'Last' } }]);
  });

  it('includes a change that committed before the request, on every replica', async () => {
    const client = await tenantWithAccounts(service);
    const other = clientThrough(replica, client);
    for (let round = 0; round < 20; round += 1) {
      const [writer, reader] = round % 2 === 0 ? [client, other] : [other, client];
      const { latestPosition: after } = await pull(reader);
      await mutate(writer, 'updateAccount', { id: 'A1', name: `Round ${round}` });
      expect((await pull(reader, { after })).nodes).toMatchObject([{ after: { name: `Round ${round}` } }]);
    }
  });
});

describe('a position', () => {
  it('is refused if it is not one of the tenant', async () => {
    const client = await tenantWithAccounts(service);
    const foreign = (await pull(await tenantWithAccounts(service))).latestPosition;
    const { latestPosition: own } = await pull(client);
    const wrong = [
      '',
      'x',
      own.slice(1),
      `${own}A`,
      ` ${own}`,
      own.replace(/.$/, '!'),
      foreign,
      'A'.repeat(10_000),
    ];
    for (const after of wrong) {
      expect(await errorOf(client, { after }), after).toMatchObject({
        message: expect.stringContaining('after '),
        extensions: { code: 'BAD_REQUEST', issues: [{ path: ['after'], code: 'INVALID_VALUE' }] },
      });
    }
    for (const after of [1, true, {}])
      expect((await errorOf(client, { after })).extensions.code).toBe('BAD_REQUEST');
    const stream = await openStream(
      socket.url,
      client,
      'subscription($after: Position) { changes(after: $after) { kind } }',
      { after: foreign },
    );
    expect(await stream.next()).toMatchObject({
      data: { errors: [{ extensions: { code: 'BAD_REQUEST' } }] },
    });
  });

  it('is that of the change in its history, from the moment of the write', async () => {
    const client = await tenantWithAccounts(service);
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Just now' });
    const history = '{ account(id: "A1") { history { nodes { version position } } } }';
    const { nodes } = (await client.send(history)).data.account.history;
    const feed = (await pull(client, { filter: { accountId: 'A1' } })).nodes;
    const expected = feed.map(({ version, position }: Json) => ({ version, position }));
    expect(nodes.toReversed()).toEqual(expected);
  });

  it('is refused after a restore from an older backup, and earlier positions stay valid', async () => {
    const client = await tenantWithAccounts(service);
    const { latestPosition: kept } = await pull(client);
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Lost' });
    const { latestPosition: lost } = await pull(client);
    // As a restore leaves it: the change and its position are gone, and a later change gets the same number.
    await service.database.orm.transaction(async (tx) => {
      await tx.execute('set local session_replication_role = replica');
      for (const table of ['feed', 'changes']) {
        const key = sql.raw(table === 'feed' ? 'change_id' : 'id');
        await tx.execute(sql`delete from ${sql.raw(table)} where tenant_id = ${client.tenantId} and ${key} =
          (select id from changes where tenant_id = ${client.tenantId} order by id desc limit 1)`);
      }
    });
    expect((await errorOf(client, { after: lost })).message).toContain('restored from an older backup');
    await mutate(client, 'updateCustomer', { id: 'C1', name: 'New' });
    expect((await errorOf(client, { after: lost })).extensions.code).toBe('BAD_REQUEST');
    expect((await pull(client, { after: kept })).nodes).toMatchObject([{ after: { name: 'New' } }]);
  });
});

describe('the feed', () => {
  it('skips no transaction that commits late, and waits for none', async () => {
    const client = await tenantWithAccounts(service);
    const { latestPosition: begin } = await pull(client);
    const stream = await openStream(socket.url, client, 'subscription { changes { version accountId } }');
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let hold = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      hold = resolve;
    });
    const late = service.database.orm.transaction(async (tx) => {
      await tx.execute(insertChange(client, 2));
      hold();
      await released;
    });
    await held;
    for (const name of ['During', 'Again']) await mutate(client, 'updateAccount', { id: 'A1', name });
    const during = await pull(client, { after: begin });
    expect(during.nodes).toMatchObject([
      { version: 2, accountId: 'A1' },
      { version: 3, accountId: 'A1' },
    ]);
    expect((await stream.take(2)).map(({ data }) => data.changes.accountId)).toEqual(['A1', 'A1']);
    release();
    await late;
    expect((await pull(client, { after: during.latestPosition })).nodes).toMatchObject([
      { version: 2, accountId: 'A2' },
    ]);
    expect((await stream.take(1))[0].data.changes).toEqual({ version: 2, accountId: 'A2' });
    stream.leave();
  });

  it('has no gap, no repeat and no version before a lower one while replicas write and append', async () => {
    const client = await tenantWithAccounts(service);
    const clients = [client, clientThrough(replica, client)];
    const rounds = 15;
    let isWriting = true;
    const write = async (writer: Client, id: string) => {
      for (let round = 0; round < rounds; round += 1) {
        await mutate(writer, 'updateAccount', { id, name: `Round ${round} ${Math.random()}` });
      }
    };
    const readWhileWriting = async (reader: Client) => {
      const seen: Json[] = [];
      for (let after: string | undefined; isWriting; ) {
        const page = await pull(reader, { after, first: 7 });
        seen.push(...page.nodes);
        after = page.pageInfo.endCursor;
      }
      return seen;
    };
    const reading = clients.flatMap((reader) => [readWhileWriting(reader), readWhileWriting(reader)]);
    await Promise.all(clients.flatMap((writer) => ['A1', 'A2'].map((id) => write(writer, id))));
    isWriting = false;
    const complete = (await pullAll(client, 100)).map(({ position }) => position);
    for (const seen of await Promise.all(reading)) {
      expect(seen.map(({ position }) => position)).toEqual(complete.slice(0, seen.length));
    }
    for (const versions of versionsOf(await pullAll(client, 100)).values()) {
      expect(versions).toEqual(Array.from({ length: versions.length }, (_, index) => index + 1));
    }
    const gaps = sql`select count(*)::integer as count, max(position)::integer as last from feed where tenant_id = ${client.tenantId}`;
    const [row] = await service.database.orm.execute<{ count: number; last: number }>(gaps);
    expect(row?.count).toBe(row?.last);
  });

  it('appends what is missing, without changing positions, in another database cluster', async () => {
    const client = await tenantWithAccounts(service);
    const before = await pullAll(client, 100);
    // A restored dump has the state of the old cluster, and a change that was not appended there.
    await service.database.orm.execute(sql`update feed_state set system_identifier = '1', seen = '5:5:'`);
    await service.database.orm.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version, transaction_id)
      values (${client.tenantId}, uuidv7(), 'C1', 'A1', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', 9, '9000000')`);
    const after = await pullAll(client, 100);
    expect(after.slice(0, -1)).toEqual(before);
    expect(after.at(-1)).toMatchObject({ accountId: 'A1', version: 9 });
    await mutate(client, 'updateCustomer', { id: 'C1', name: 'Later' });
    expect(await pullAll(client, 100)).toHaveLength(after.length + 1);
  });

  it('appends many changes at once, also more than fit under the timeouts of requests', async () => {
    const client = await tenantWithAccounts(service);
    const { latestPosition: after } = await pull(client);
    await service.database.orm.execute(sql`
      insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
      select ${client.tenantId}, uuidv7(), 'C1', 'A2', 'ACCOUNT_UPDATED', now(), 'key_x', 'r', n
      from generate_series(2, 12001) n`);
    const [first, again] = await Promise.all([
      pull(client, { after }),
      pull(clientThrough(replica, client), { after }),
    ]);
    expect(first.nodes[0].version).toBe(2);
    expect(again).toEqual(first);
    const [row] = await service.database.orm.execute<{ count: number }>(
      sql`select count(*)::integer as count from feed where tenant_id = ${client.tenantId}`,
    );
    expect(row?.count).toBe(12_006);
  });

  it('refuses updates and deletes', async () => {
    await pull(await tenantWithAccounts(service));
    for (const text of ['update feed set position = 0', 'delete from feed', 'truncate feed']) {
      await expect(service.database.orm.execute(text)).rejects.toThrow();
    }
  });
});
