import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openStream, type Stream } from '../support/event-stream.ts';
import { setting, tenantWithAccounts } from '../support/fixtures.ts';
import { useServer } from '../support/http-server.ts';
import { type MutationName, mutate } from '../support/mutations.ts';
import { type Client, type Json, openApp, useService } from '../support/service.ts';
import { updateTenant } from '../support/tenants.ts';

const service = useService();
const socket = useServer((request, response) => service.listener(request, response));

let replica: ReturnType<typeof openApp>;
const second = useServer((request, response) => replica.listener(request, response));
beforeAll(() => {
  replica = openApp(service.connection);
});
afterAll(() => replica.close());

const follow = `subscription($accountId: ID, $customerId: ID) {
  accountChanged(accountId: $accountId, customerId: $customerId) {
    id kind version before after account { id name version } customer { id } } }`;

const changeOf = ({ data, errors }: Json): Json => {
  expect(errors).toBeUndefined();
  return data.accountChanged;
};
const changes = async (stream: Stream, count: number): Promise<Json[]> =>
  (await stream.take(count)).map(changeOf);

async function changesOf(client: Client, id: string): Promise<Json[]> {
  const query = 'query($id: ID!) { account(id: $id) { history(first: 100) { nodes { id kind version } } } }';
  const { data } = await client.send(query, { id });
  return data.account.history.nodes.toReversed();
}

describe('accountChanged', () => {
  it('delivers every kind of change of an account with the fields before and after it', async () => {
    const client = await tenantWithAccounts(service);
    const stream = await openStream(socket.url, client, follow, { accountId: 'A1' });
    expect(stream.headers.get('content-type')).toMatch(/^text\/event-stream/);
    const writes: [MutationName, object, kind: string][] = [
      ['updateAccount', { id: 'A1', name: 'Second' }, 'ACCOUNT_UPDATED'],
      ['addAliases', { accountId: 'A1', aliases: ['v'] }, 'ALIASES_ADDED'],
      ['transferAlias', { alias: 'v', toAccountId: 'A2' }, 'ALIAS_TRANSFERRED'],
      ['removeAliases', { accountId: 'A1', aliases: ['x'] }, 'ALIASES_REMOVED'],
      ['putSettings', { accountId: 'A1', settings: [setting('u')] }, 'SETTINGS_PUT'],
      ['removeSettings', { accountId: 'A1', settings: [{ namespace: 'n', id: 'u' }] }, 'SETTINGS_REMOVED'],
      ['archiveAccount', { id: 'A1' }, 'ACCOUNT_ARCHIVED'],
      ['restoreAccount', { id: 'A1' }, 'ACCOUNT_RESTORED'],
    ];
    for (const [index, [name, input, kind]] of writes.entries()) {
      await mutate(client, name, input);
      const [change] = await changes(stream, 1);
      const version = index + 2;
      expect(change).toMatchObject({ kind, version, account: { id: 'A1', version }, customer: { id: 'C1' } });
      if (kind === 'ACCOUNT_UPDATED')
        expect(change).toMatchObject({
          before: { name: 'Main account' },
          after: { name: 'Second' },
          account: { name: 'Second' },
        });
    }
    stream.leave();
  });

  it('delivers created accounts of the tenant, but no change of a customer', async () => {
    const client = await tenantWithAccounts(service);
    const stream = await openStream(socket.url, client, follow);
    await mutate(client, 'updateCustomer', { id: 'C1', name: 'Other' });
    const account = (id: string) => ({ id, name: 'New one' });
    const address = { country: 'US' };
    const customer = { id: 'C2', name: 'Second', primaryEmail: 'a@b.com', address, account: account('B1') };
    await mutate(client, 'createCustomer', customer);
    await mutate(client, 'createAccount', { ...account('B2'), customerId: 'C2' });
    const arrived = await changes(stream, 2);
    expect(arrived.map(({ kind, account, before }) => [kind, account.id, before])).toEqual([
      ['ACCOUNT_CREATED', 'B1', null],
      ['ACCOUNT_CREATED', 'B2', null],
    ]);
    stream.leave();
  });

  it('filters by an account that does not exist yet and by customer', async () => {
    const client = await tenantWithAccounts(service);
    const [ofAccount, ofCustomer, ofBoth] = await Promise.all(
      [{ accountId: 'B1' }, { customerId: 'C1' }, { accountId: 'B1', customerId: 'C1' }].map((filter) =>
        openStream(socket.url, client, follow, filter),
      ),
    );
    const customer = { id: 'C2', name: 'Second', primaryEmail: 'a@b.com', address: { country: 'US' } };
    await mutate(client, 'createCustomer', { ...customer, account: { id: 'B2', name: 'Of another' } });
    await mutate(client, 'updateAccount', { id: 'A2', name: 'Of the customer' });
    await mutate(client, 'createAccount', { id: 'B1', name: 'Awaited', customerId: 'C1' });
    const ids = async (stream: Stream | undefined, count: number) =>
      stream && (await changes(stream, count)).map(({ account }) => account.id);
    expect(await ids(ofAccount, 1)).toEqual(['B1']);
    expect(await ids(ofCustomer, 2)).toEqual(['A2', 'B1']);
    expect(await ids(ofBoth, 1)).toEqual(['B1']);
    for (const stream of [ofAccount, ofCustomer, ofBoth]) stream?.leave();
  });

  it('delivers no change of another tenant', async () => {
    const [client, other] = [await tenantWithAccounts(service), await tenantWithAccounts(service)];
    const [mine, theirs] = await Promise.all([
      openStream(socket.url, client, follow, { accountId: 'A1' }),
      openStream(socket.url, other, follow, { accountId: 'A1' }),
    ]);
    await mutate(other, 'updateAccount', { id: 'A1', name: 'Of the other' });
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Of mine' });
    expect((await changes(mine, 1))[0].after.name).toBe('Of mine');
    expect((await changes(theirs, 1))[0].after.name).toBe('Of the other');
    for (const stream of [mine, theirs]) stream.leave();
  });

  it('accepts GET', async () => {
    const client = await tenantWithAccounts(service);
    const search = new URLSearchParams({ query: 'subscription { accountChanged { kind } }' });
    const headers = { authorization: `Bearer ${client.token}`, accept: 'text/event-stream' };
    const response = await fetch(`${socket.url}?${search}`, { headers });
    expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
    await mutate(client, 'updateAccount', { id: 'A1', name: 'Second' });
    let text = '';
    for await (const chunk of response.body ?? []) {
      text += Buffer.from(chunk).toString();
      if (text.includes('ACCOUNT_UPDATED')) break;
    }
    expect(text).toContain('event: next\ndata: {"data":{"accountChanged":{"kind":"ACCOUNT_UPDATED"}}}\n\n');
  });
});

describe('accountChanged with concurrent writes', () => {
  it('delivers each change of every replica once and in order', async () => {
    const client = await tenantWithAccounts(service);
    const streams = await Promise.all([socket.url, second.url].map((url) => openStream(url, client, follow)));
    const ids = ['A1', 'A2'];
    const rounds = 10;
    const write = async (url: string, id: string, writer: number) => {
      for (let round = 0; round < rounds; round += 1) {
        const query = `mutation { updateAccount(input: { id: "${id}", name: "By ${writer} ${round}" }) { __typename } }`;
        const headers = { authorization: `Bearer ${client.token}`, 'content-type': 'application/json' };
        const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ query }) });
        expect((await response.json()) as Json).toMatchObject({
          data: { updateAccount: { __typename: 'UpdateAccountSuccess' } },
        });
      }
    };
    await Promise.all(
      ids.flatMap((id) => [socket.url, second.url].map((url, writer) => write(url, id, writer))),
    );
    for (const stream of streams) {
      const arrived = await changes(stream, 4 * rounds);
      for (const id of ids) {
        const [, ...expected] = await changesOf(client, id);
        const own = arrived.filter(({ account }) => account.id === id);
        expect(own.map(({ version }) => version)).toEqual(
          expected.map(({ version }) => version).toSorted((a, b) => a - b),
        );
        expect(new Set(own.map((change) => change.id)).size).toBe(2 * rounds);
      }
      stream.leave();
    }
  });

  /** Returns an insert of a history entry like that of an update. */
  const rowOf = ({ tenantId }: Client, id: string, version: number) => sql`
    insert into changes (tenant_id, id, customer_id, account_id, kind, at, actor, request_id, version)
    values (${tenantId}, uuidv7(), 'C1', ${id}, 'ACCOUNT_UPDATED', now(), 'key_x', 'r', ${version})`;

  it('has the values that an account inherits now, not those when the subscription began', async () => {
    const client = await tenantWithAccounts(service);
    const query = 'subscription { accountChanged { account { invoiceCurrency netTermDays } } }';
    const streams = [
      await openStream(socket.url, client, query),
      await openStream(second.url, client, query),
    ];
    await updateTenant(client, { baseCurrency: 'EUR', netTermDays: 45 });
    // Replicas cache tokens for some seconds.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5_000 });
    try {
      await mutate(client, 'updateAccount', { id: 'A1', name: 'Second' });
      for (const stream of streams) {
        const [change] = await changes(stream, 1);
        expect(change.account).toEqual({ invoiceCurrency: 'EUR', netTermDays: 45 });
        stream.leave();
      }
    } finally {
      vi.useRealTimers();
    }
  });

  it('delivers the change of a slow transaction without delaying others', async () => {
    const client = await tenantWithAccounts(service);
    const stream = await openStream(socket.url, client, follow);
    await service.database.orm.transaction(async (slow) => {
      await slow.execute(rowOf(client, 'A2', 7));
      for (const name of ['First', 'Second']) {
        await mutate(client, 'updateAccount', { id: 'A1', name });
        expect((await changes(stream, 1))[0].after.name).toBe(name);
      }
    });
    expect((await changes(stream, 1))[0]).toMatchObject({ version: 7, account: { id: 'A2' } });
    stream.leave();
  });

  it('orders changes by version if an earlier transaction writes the later version', async () => {
    const client = await tenantWithAccounts(service);
    const stream = await openStream(socket.url, client, follow);
    for (let version = 2; version < 20; version += 2) {
      await service.database.orm.transaction(async (early) => {
        await early.execute(sql`select pg_current_xact_id()`);
        await service.database.orm.execute(rowOf(client, 'A1', version));
        await early.execute(rowOf(client, 'A1', version + 1));
      });
    }
    const versions = (await changes(stream, 18)).map(({ version }) => version);
    expect(versions).toEqual(Array.from({ length: 18 }, (_, index) => index + 2));
    stream.leave();
  });
});
